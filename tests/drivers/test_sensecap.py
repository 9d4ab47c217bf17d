"""SenseCAP S210x and S2120."""

from typing import Any

import pytest

from gateway.contract import Measurement, Reject, Remark
from tests.support.recordings import decode_payload

AIR = "4A 00BF 42 0000002B 00 0000"


def fields(name: str, hex_: str) -> dict[str, Any]:
    said = [one for one in decode_payload(name, 2, hex_) if isinstance(one, Measurement)]
    assert len(said) == 1
    return dict(said[0].fields)


@pytest.mark.parametrize("kind", ["01", "4A"])
def test_weather_of_both_numberings_is_read(kind: str) -> None:
    assert fields("sensecap_s2120", AIR.replace("4A", kind)) == {
        "temperature": 19.1,
        "relative_humidity": 0.66,
        "illuminance": 43.0,
        "uv_index": 0.0,
        "wind_speed": 0.0,
    }


def test_rain_is_a_rate_and_a_sum_and_a_gust_is_no_wind() -> None:
    said = fields("sensecap_s2120", "4B 0072 00000FA0 2737 4C 007B 000000FE")
    assert (said["precipitation_rate"], said["precipitation_total"]) == (4.0, 0.254)
    assert (said["gust_speed"], said["wind_direction"]) == (12.3, 114.0)
    assert "wind_speed" not in said


def test_only_the_temperature_is_signed() -> None:
    said = fields("sensecap_s2120", "4A FF9C 42 80000000 C8 0000")
    assert (said["temperature"], said["illuminance"], said["uv_index"]) == (-10.0, 2147483648.0, 20.0)


def test_numbers_of_ones_are_left_out_and_named() -> None:
    said = decode_payload("sensecap_s2120", 3, "03 64 4A FFFF FF FFFFFFFF FF FFFF")
    assert said[0].fields == {"battery_level": 1.0}
    assert [one.what for one in said if isinstance(one, Remark)] == [
        "relative_humidity",
        "illuminance",
        "uv_index",
        "wind_speed",
    ]


def test_an_unknown_frame_costs_nothing_of_what_came_before() -> None:
    weather, rest = decode_payload("sensecap_s2120", 3, AIR + "99 01")
    assert weather.fields["temperature"] == 19.1
    assert (rest.kind, rest.detail) == ("left out", "from 99 01")


def test_a_frame_of_another_device_of_the_maker_is_passed_over_by_its_length() -> None:
    assert fields("sensecap_s2120", "20 00010203040506070809" + AIR)["temperature"] == 19.1


def test_an_error_of_the_sensor_head_is_told_and_its_absence_is_not() -> None:
    assert fields("sensecap_s2120", "06 03") == {"device_error": 3, "event": "sensor error"}
    assert fields("sensecap_s2120", AIR + "06 00").get("event") is None


@pytest.mark.parametrize(("number", "error"), [(2_000_001, 1), (2_000_002, 2), (2_000_257, 257)])
def test_in_place_of_a_value_stands_an_error(number: int, error: int) -> None:
    raw = (number * 1000).to_bytes(4, "little").hex()
    said = fields("sensecap_s210x", f"01 0110 {raw} 01 0210 1AC20000 0000")
    assert said == {"relative_humidity": 0.49690, "device_error": error, "event": "no temperature"}


def test_what_is_measured_in_the_soil_is_named() -> None:
    said = decode_payload("sensecap_s210x", 2, "01 0610 DC500000 01 0110 10630000 0000")
    assert said[0].fields == {"temperature": 25.36}
    assert (said[1].kind, said[1].what, said[1].detail) == ("left out", "soil temperature", "20.7")
    assert isinstance(decode_payload("sensecap_s210x", 2, "01 0610 DC500000 0000")[-1], Reject)


def test_versions_and_battery_are_read_after_a_join() -> None:
    said = fields("sensecap_s210x", "00 0000 01010001 00 0700 64003C00 01 2001 00000000 2890")
    assert (said["hardware_version"], said["firmware_version"]) == ("1.0", "1.1")
    assert (said["battery_level"], said["event"]) == (1.0, "sensor removed")
