"""Weather Underground's upload: units, sensors that are not heard, a credential, and hostile forms."""

from urllib.parse import urlencode

import pytest

from drivers.wunderground import Decoder
from gateway.contract import Measurement, Options, Reject, Remark


def _say(**parts: str) -> list[Measurement | Reject | Remark]:
    form = {"ID": "KOPER", "PASSWORD": "secret", "dateutc": "now", "action": "updateraw", **parts}
    return list(Decoder(Options()).decode("weatherstation/x", urlencode(form).encode()))


@pytest.mark.parametrize(
    ("name", "text", "field", "value"),
    [
        ("tempf", "14", "temperature", -10.0),
        ("windspeedmph", "100", "wind_speed", 44.704),
        ("rainin", "1", "precipitation_rate", 25.4),
        ("absbaromin", "30", "atmospheric_pressure", 1015.916600001),
    ],
)
def test_american_units_become_the_vocabularys(name: str, text: str, field: str, value: float) -> None:
    (said,) = _say(**{name: text})
    assert isinstance(said, Measurement)
    assert said.fields == {field: pytest.approx(value)}


def test_a_pressure_reduced_to_sea_level_is_not_the_airs() -> None:
    (said,) = _say(baromin="29.92", humidity="50")
    assert isinstance(said, Measurement)
    assert said.fields == {"relative_humidity": 0.5}


def test_the_time_is_utc_or_that_of_arrival() -> None:
    times = [
        one.time
        for stamp in ("2026-03-01 06:07:08", "now")
        for one in _say(dateutc=stamp, humidity="50")
        if isinstance(one, Measurement)
    ]
    assert times == [1772345228_000000000, None]


@pytest.mark.parametrize("value", ["-9999", "warm", "nan", "-999.9", "1_0"])
def test_a_sensor_that_is_not_heard_does_not_cost_the_others(value: str) -> None:
    said = _say(tempf=value, humidity="50")
    assert isinstance(said[0], Measurement)
    assert said[0].fields == {"relative_humidity": 0.5}
    assert [one.what for one in said if isinstance(one, Remark)] == ["tempf"]


def test_further_thermometers_are_told_apart() -> None:
    said = _say(tempf="32", temp2f="50", temp4f="68")
    found = {one.tags.get("probe", ""): one.fields["temperature"] for one in said if isinstance(one, Measurement)}
    assert found == pytest.approx({"": 0.0, "2": 10.0, "4": 20.0}, abs=1e-9)


@pytest.mark.parametrize("parts", [{"dateutc": "soon"}, {"ID": ""}, {}])
def test_the_password_is_struck_from_what_is_kept_of_a_refused_upload(parts: dict[str, str]) -> None:
    (said,) = _say(**parts)
    assert isinstance(said, Reject)
    assert b"secret" not in said.raw
    assert b"PASSWORD=*" in said.raw


@pytest.mark.parametrize("payload", [b"", b"=", b"a=\xff", b"&".join([b"a=1"] * 600), b"ID=1&dateutc=now"])
def test_what_is_no_upload_is_not_ours(payload: bytes) -> None:
    (said,) = Decoder(Options()).decode("weatherstation/x", payload)
    assert isinstance(said, Reject)
    assert said.reason == "noise"
