"""Ecowitt: imperial units, a time with spaces in it, and a credential that nobody may see."""

import json
from urllib.parse import urlencode

import pytest

from drivers.ecowitt import Decoder
from gateway.contract import Measurement, Options, Reject

KEY = "0123456789ABCDEF0123456789ABCDEF"
POST = {"PASSKEY": KEY, "stationtype": "GW2000A", "dateutc": "2026-03-01 06:07:08", "tempf": "68"}


def _say(payload: bytes) -> list[Measurement | Reject]:
    return list(Decoder(Options()).decode("ecowitt/roof", payload))


def _post(**parts: object) -> list[Measurement | Reject]:
    return _say(json.dumps({**POST, **parts}).encode())


@pytest.mark.parametrize(
    ("name", "value", "field", "wanted"),
    [
        ("tempf", "-40", "temperature", -40),
        ("baromabsin", "26.175", "atmospheric_pressure", 886.387),
        ("windspeedmph", "0.4", "wind_speed", 0.178816),
        ("humidity", "32", "relative_humidity", 0.32),
    ],
)
def test_imperial_units_become_metric(name: str, value: str, field: str, wanted: float) -> None:
    (said,) = _post(**{name: value})
    assert isinstance(said, Measurement)
    assert said.fields[field] == pytest.approx(wanted, abs=0.001)


def test_the_form_says_the_same_as_json() -> None:
    assert _say(urlencode(POST).encode()) == _post()


@pytest.mark.parametrize("date", ["2026-03-01 06:07:08", "2026-03-01 06: 07: 08"])
def test_the_time_is_utc_with_spaces_or_without(date: str) -> None:
    (said,) = _post(dateutc=date)
    assert isinstance(said, Measurement)
    assert said.time == 1772345228_000000000


@pytest.mark.parametrize(
    "payload",
    [
        json.dumps({**POST, "tempf": "x"}).encode(),
        json.dumps({**POST, "dateutc": 5}, separators=(",", ":")).encode(),
        urlencode({**POST, "tempf": "x"}).encode(),
        urlencode(POST).encode() + b"\xff",
        json.dumps(POST).encode()[:60],
        json.dumps({"passkey": KEY}).encode(),
        f"PASSKEY={KEY}".encode(),
    ],
)
def test_a_refused_message_is_kept_without_its_credential(payload: bytes) -> None:
    (said,) = _say(payload)
    assert isinstance(said, Reject)
    assert KEY[:8].encode() in payload
    assert KEY[:8].encode() not in said.raw
    assert KEY[:8] not in said.detail


def test_the_credential_names_no_sensor() -> None:
    (said,) = _post()
    assert KEY not in repr(said)


def test_further_dust_sensors_are_readings_of_their_own() -> None:
    said = _post(pm25_co2="1", pm25_ch1="2", pm25_ch3="3")
    assert [(one.fields["pm25"], one.tags) for one in said if isinstance(one, Measurement)] == [
        (2.0, {}),
        (3.0, {"channel": "3"}),
    ]


def test_dust_sensors_may_be_all_there_is() -> None:
    message = {name: value for name, value in POST.items() if name != "tempf"} | {"tempinf": "70", "pm25_ch2": "8.5"}
    (said,) = _say(json.dumps(message).encode())
    assert isinstance(said, Measurement)
    assert (said.fields, said.tags) == ({"pm25": 8.5}, {"channel": "2"})


@pytest.mark.parametrize("date", ["", "now", None, [], "2026-13-01 06:07:08"])
def test_a_time_that_is_none_is_rejected(date: object) -> None:
    (said,) = _post(dateutc=date)
    assert isinstance(said, Reject)
    assert said.detail == "dateutc is no time"
