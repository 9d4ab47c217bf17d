"""Ruuvi Gateway: the maker's test vectors, values that are not available, advertisements of others."""

import json

import pytest

from drivers.ruuvi import Decoder
from gateway.contract import Measurement, Options, Quality, Reject, Remark

TAG = "0512FC5394C37C0004FFFC040CAC364200CDCBB8334C884F"
AIR = "E1170C5668C79E0065007004BD11CA00C90A0213E0ACFFFFFFDECDEE00FFFFFFFFFFCBB8334C884F"


def _advertised(said: str, before: str = "020106") -> str:
    return f"{before}{len(said) // 2 + 3:02X}FF9904{said}"


def _say(data: object, **parts: object) -> Measurement | Reject:
    message = {"gw_mac": "C8", "rssi": -68, "ts": "1772345228", "data": data, **parts}
    (said,) = Decoder(Options()).decode("ruuvi/C8/CB:B8", json.dumps(message).encode())
    assert not isinstance(said, Remark)
    return said


def _fields(said: str) -> dict[str, object]:
    found = _say(_advertised(said), rssi=None)
    assert isinstance(found, Measurement), found
    return dict(found.fields)


@pytest.mark.parametrize(
    ("said", "celsius", "humidity", "pressure"),
    [
        ("057FFFFFFEFFFE7FFF7FFF7FFFFFDEFEFFFECBB8334C884F", 163.835, 1.63835, 1155.34),
        ("058001000000008001800180010000000000CBB8334C884F", -163.835, 0.0, 500.0),
        ("E17FFF9C40FFFE27102710271027109C40FAFADC28F0FFFFFFFFFFFE3FFFFFFFFFFFCBB8334C884F", 163.835, 1.0, 1155.34),
    ],
)
def test_the_ends_of_the_makers_ranges_are_values(
    said: str, celsius: float, humidity: float, pressure: float
) -> None:
    fields = _fields(said)
    assert (fields["temperature"], fields["relative_humidity"]) == (celsius, humidity)
    assert fields["atmospheric_pressure"] == pressure


@pytest.mark.parametrize(
    ("at", "hex_", "lacking"),
    [
        (1, "8000", "temperature"),
        (3, "FFFF", "relative_humidity"),
        (5, "FFFF", "atmospheric_pressure"),
        (7, "FFFF", "pm1"),
        (13, "FFFF", "pm10"),
        (15, "FFFF", "co2"),
        (19, "FFFFFF", "illuminance"),
    ],
)
def test_a_value_that_is_not_available_does_not_cost_the_others(at: int, hex_: str, lacking: str) -> None:
    spoiled = AIR[: at * 2] + hex_ + AIR[at * 2 + len(hex_) :]
    assert _fields(AIR).keys() - _fields(spoiled).keys() == {lacking}


@pytest.mark.parametrize(("flags", "voc", "nox"), [("00", 20.0, 4.0), ("40", 21.0, 4.0), ("80", 20.0, 5.0)])
def test_the_lowest_bits_of_the_indices_are_in_the_flags(flags: str, voc: float, nox: float) -> None:
    fields = _fields(AIR[:56] + flags + AIR[58:])
    assert (fields["tvoc_index"], fields["nox_index"]) == (voc, nox)


def test_an_index_of_all_ones_is_not_available() -> None:
    assert "tvoc_index" not in _fields(AIR[:34] + "FF" + AIR[36:56] + "40" + AIR[58:])


@pytest.mark.parametrize(("flags", "quality"), [("00", Quality.GOOD), ("01", Quality.WARM_UP)])
def test_one_that_calibrates_itself_is_marked(flags: str, quality: Quality) -> None:
    said = _say(_advertised(AIR[:56] + flags + AIR[58:]))
    assert isinstance(said, Measurement)
    assert said.quality == quality


@pytest.mark.parametrize("before", ["", "020106", "020106" + "03031695", "020106" + "0AFF4C00100503183BAABB"])
def test_the_makers_part_is_found_among_others(before: str) -> None:
    assert isinstance(_say(_advertised(TAG, before)), Measurement)


@pytest.mark.parametrize(
    "data",
    [
        None,
        5,
        "",
        "0",
        "xyz",
        "00",
        "FF",
        "020106",
        _advertised(TAG)[:40],
        _advertised("03291A1ECE1EFC18F94202CA0B53BB"),
    ],
)
def test_an_advertisement_that_is_none_of_ours_says_why(data: object) -> None:
    said = _say(data)
    assert isinstance(said, Reject)
    assert said.reason == "unsupported"
    assert said.detail


@pytest.mark.parametrize("stamp", ["60", None, "", "now", [], True])
def test_a_gateway_whose_clock_was_never_set_leaves_it_to_the_time_of_arrival(stamp: object) -> None:
    said = _say(_advertised(TAG), ts=stamp)
    assert isinstance(said, Measurement)
    assert said.time is None


def test_a_message_is_of_the_sensor_that_its_topic_names() -> None:
    said = _say(_advertised(TAG))
    assert isinstance(said, Measurement)
    assert said.sensor == "CB:B8"
