"""Cayenne LPP."""

import pytest

from drivers.codecs.cayenne_lpp import SIZES
from gateway.contract import Remark
from tests.support.recordings import decode_payload


def test_a_second_channel_of_a_type_is_a_series_of_its_own() -> None:
    first, second = decode_payload("cayenne_lpp", 1, "03 67 0110 05 67 00FF")
    assert (first.fields, first.tags) == ({"temperature": 27.2}, {})
    assert (second.fields, second.tags) == ({"temperature": 25.5}, {"channel": "5"})


def test_channels_of_different_types_are_one_measurement() -> None:
    (said,) = decode_payload("cayenne_lpp", 1, "01 67 FFD7 02 68 7C 09 73 2766")
    assert said.fields == {"temperature": -4.1, "relative_humidity": 0.62, "atmospheric_pressure": 1008.6}


@pytest.mark.parametrize("type_", [type_ for type_ in SIZES if type_ < 0x60 or type_ in (0x71, 0x86, 0x88)])
def test_types_without_a_field_are_stepped_over(type_: int) -> None:
    (said,) = decode_payload("cayenne_lpp", 1, f"01 {type_:02X} {'00' * SIZES[type_]} 02 67 0110")
    assert said.fields == {"temperature": 27.2}


def test_presence_and_distance_are_a_bay() -> None:
    (said,) = decode_payload("cayenne_lpp", 1, "01 66 00")
    assert (said.kind, said.fields) == ("parking", {"occupied": False})
    (said,) = decode_payload("cayenne_lpp", 1, "01 82 000003E8", threshold_mm=1200)
    assert said.fields == {"distance": 1000.0, "occupied": True}


def test_what_stands_behind_an_unknown_type_is_named() -> None:
    said, rest = decode_payload("cayenne_lpp", 1, "01 67 00FF 01 F0 00")
    assert said.fields == {"temperature": 25.5}
    assert rest == Remark("left out", "type F0 is not known", "from 01 F0 00")
    (nothing,) = decode_payload("cayenne_lpp", 1, "01 F0 00 01 67 00FF")
    assert nothing.reason == "unsupported"


@pytest.mark.parametrize("hex_", ["", "01", "01 67", "01 67 00", "01 67 00FF 02"])
def test_of_a_cut_payload_nothing_is_taken(hex_: str) -> None:
    (said,) = decode_payload("cayenne_lpp", 1, hex_)
    assert said.reason == "length"
