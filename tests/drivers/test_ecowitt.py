"""Ecowitt: imperial units, a time with spaces in it, and a credential that nobody may see."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from drivers.ecowitt import Decoder
from gateway.contract import Measurement, Options, Reject, Remark

KEY = "0123456789ABCDEF0123456789ABCDEF"
POST = {"PASSKEY": KEY, "stationtype": "GW2000A", "dateutc": "2026-03-01 06:07:08", "tempf": "68"}


def _say(payload: bytes) -> list[Measurement | Reject | Remark]:
    decoder: Any = Decoder(Options())
    return list(decoder.decode("ecowitt/roof", payload))


def _post(**parts: object) -> list[Measurement | Reject | Remark]:
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


@pytest.mark.parametrize("date", ["", None, [], "2026-13-01 06:07:08"])
def test_a_time_that_is_none_is_rejected(date: object) -> None:
    (said,) = _post(dateutc=date)
    assert isinstance(said, Reject)
    assert said.detail == "dateutc is no time"


@pytest.mark.parametrize("value", ["-9999", "", "--", None, "-999.9"])
def test_a_sensor_that_is_not_heard_costs_no_other(value: object) -> None:
    said, remark = _post(tempf=value, humidity="48")
    assert isinstance(said, Measurement)
    assert "temperature" not in said.fields
    assert said.fields["relative_humidity"] == 0.48
    assert isinstance(remark, Remark)
    assert (remark.kind, remark.what) == ("left out", "tempf")


def test_now_is_the_time_of_arrival() -> None:
    (said,) = _post(dateutc="now", humidity="48")
    assert isinstance(said, Measurement)
    assert said.time is None


def test_further_thermometers_and_probes_are_channels() -> None:
    said = _post(humidity="48", temp1f="50.0", humidity1="70", tf_ch3="41.0", temp8f="-4.0")
    assert [(one.fields, one.tags) for one in said[1:] if isinstance(one, Measurement)] == [
        ({"temperature": 10.0, "relative_humidity": 0.7}, {"channel": "1"}),
        ({"external_temperature": 5.0}, {"channel": "3"}),
        ({"temperature": -20.0}, {"channel": "8"}),
    ]


def test_a_dead_channel_costs_no_other() -> None:
    said = _post(humidity="48", pm25_ch2="--", pm25_ch3="5")
    assert [one.tags for one in said if isinstance(one, Measurement)] == [{}, {"channel": "3"}]
    assert [one.what for one in said if isinstance(one, Remark)] == ["channel 2"]


def test_a_wh46_has_all_four_masses() -> None:
    (said,) = _post(pm1_co2="1.0", pm25_co2="2.0", pm4_co2="3.0", pm10_co2="4.0")
    assert isinstance(said, Measurement)
    assert [said.fields[name] for name in ("pm1", "pm25", "pm4", "pm10")] == [1.0, 2.0, 3.0, 4.0]


def test_the_dust_of_the_wh45_never_stands_in_for_channel_1() -> None:
    decoder = Decoder(Options())

    def dust(**said: str) -> list[object]:
        message = {"stationtype": "GW2000A", "dateutc": "2026-03-01 06:07:08", "humidity": "48", **said}
        told = decoder.decode("ecowitt/roof", json.dumps(message).encode())
        return [one.fields.get("pm25") for one in told if isinstance(one, Measurement)]

    assert dust(pm25_co2="9") == [9.0]
    assert dust(pm25_co2="9", pm25_ch1="2") == [2.0]
    assert dust(pm25_co2="9") == [None]


@pytest.mark.parametrize("mark", [b"", b"&", b"?"])
def test_a_query_is_read_however_a_station_appends_it(mark: bytes) -> None:
    assert _say(mark + urlencode(POST).encode()) == _post()


@pytest.mark.parametrize(
    ("station", "name", "wanted"),
    [
        ("AMBWeatherV4.3.6", "hourlyrainin", 25.4),
        ("GW2000A", "hourlyrainin", None),
        ("GW2000A", "rainratein", 25.4),
        ("GW2000A", "rrain_piezo", 25.4),
    ],
)
def test_an_hourly_rain_is_a_rate_with_ambient_alone(station: str, name: str, wanted: float | None) -> None:
    (said,) = _post(**{"stationtype": station, name: "1"})
    assert isinstance(said, Measurement)
    assert said.fields.get("precipitation_rate") == wanted


@pytest.mark.parametrize("topic", ["data/report", "data/report/", "", "/"])
def test_stations_on_the_path_as_delivered_are_told_apart_without_their_passkey(topic: str) -> None:
    names = set()
    for key in (KEY, KEY[::-1]):
        (said,) = Decoder(Options()).decode(topic, json.dumps({**POST, "PASSKEY": key}).encode())
        assert isinstance(said, Measurement)
        names.add(said.sensor)
    assert len(names) == 2
    assert KEY not in names
    (unnamed,) = Decoder(Options()).decode(topic, json.dumps({**POST, "PASSKEY": ""}).encode())
    assert isinstance(unnamed, Reject)
    assert unnamed.detail == "no name of a sensor"


def test_six_is_mains_of_a_battery_alone() -> None:
    said = _post(humidity="6", humidity2="6", pm25_ch3="6", pm25batt3="6")
    fields = [dict(one.fields) for one in said if isinstance(one, Measurement)]
    assert fields[0]["relative_humidity"] == 0.06
    assert fields[1:] == [{"relative_humidity": 0.06}, {"pm25": 6.0}]
