"""A broker's settings tell its address and our credentials, and read the files once for everybody."""

from pathlib import Path

import pytest

from gateway.errors import CredentialsError, LinkRefused
from gateway.mqtt.broker import BrokerSettings
from tests.support.certificates import Certificates


def test_a_broker_without_secrets_has_none() -> None:
    assert BrokerSettings(url="mqtt://broker").load_credentials() == (None, None, None)


def test_a_password_is_read_anew_each_time(tmp_path: Path) -> None:
    file = tmp_path / "password"
    broker = BrokerSettings(url="mqtt://broker", username="prehod", password_file=file)
    for password in ("one", "two"):
        file.write_text(f"{password}\n", encoding="utf-8")
        assert broker.load_credentials()[:2] == ("prehod", password)


def test_encryption_follows_the_url_and_knows_the_certificates(certificates: Certificates) -> None:
    files = {"ca_file": certificates.authority, "certificate_file": certificates.client}
    broker = BrokerSettings(url="mqtts://broker", key_file=certificates.client_key, **files)
    context = broker.load_credentials().tls
    assert context is not None
    assert [authority["subject"] for authority in context.get_ca_certs()] == [((("commonName", "authority"),),)]
    plain = BrokerSettings(url="mqtt://broker", key_file=certificates.client_key, **files)
    assert plain.load_credentials().tls is None


@pytest.mark.parametrize("key", ["password_file", "ca_file", "certificate_file", "key_file"])
def test_a_file_that_cannot_be_used_refuses_the_link_with_the_brokers_address(key: str, tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    broker = BrokerSettings(url="mqtts://broker.example", username="prehod", **{key: missing})
    with pytest.raises(LinkRefused, match=rf"^broker\.example:8883: {key}: {missing}: no such file") as caught:
        broker.load_credentials()
    assert isinstance(caught.value.__cause__, CredentialsError)


def test_a_client_id_of_its_own_is_kept_and_an_absent_one_filled_in() -> None:
    broker = BrokerSettings(url="mqtt://broker")
    assert broker.with_client_id("prehod-koper-01-live").client_id == "prehod-koper-01-live"
    assert broker.client_id == ""
    assert BrokerSettings(url="mqtt://broker", client_id="mine").with_client_id("other").client_id == "mine"


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("mqtt://broker", None),
        ("mqtts://broker:8883/", None),
        ("ws://broker", "/mqtt"),
        ("wss://broker:8084/", "/"),
        ("wss://broker/city/ws", "/city/ws"),
    ],
)
def test_a_websocket_has_a_path_and_plain_mqtt_none(url: str, path: str | None) -> None:
    assert BrokerSettings(url=url).websocket_path == path


@pytest.mark.parametrize("alpn", ["mqtt", ["mqtt"]])
def test_one_protocol_or_several_may_be_asked_for(alpn: object) -> None:
    assert BrokerSettings.model_validate({"url": "wss://broker", "alpn": alpn}).alpn == ("mqtt",)


@pytest.mark.parametrize(("given", "seconds"), [("200ms", 1), ("59.6s", 60), ("2min", 120)])
def test_a_keep_alive_is_whole_seconds_and_one_at_least(given: str, seconds: int) -> None:
    assert BrokerSettings(url="mqtt://broker", keepalive=given).keepalive_seconds == seconds
