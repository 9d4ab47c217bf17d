"""PNI PlacePod: what its entries mean, and the quirks of its sheet."""

from typing import Any

import pytest

from drivers.codecs.pni_placepod import celsius
from gateway.contract import Measurement, Remark
from tests.support.recordings import decode_payload


def fields(hex_: str) -> dict[str, Any]:
    (one,) = decode_payload("pni_placepod", 2, hex_)
    assert isinstance(one, Measurement), one
    return dict(one.fields)


def test_80_is_a_restart_and_no_vehicle() -> None:
    assert fields("21 00 80") == {"event": "reboot or recalibration"}
    assert fields("37 00 80") == {"event": "keepalive, reboot or recalibration"}
    assert fields("21 00 7F") == {"total_count": 127, "event": "count"}


def test_the_last_of_two_states_holds() -> None:
    assert fields("37 66 00 15 66 01")["occupied"] is True
    assert fields("15 66 01 37 66 00")["occupied"] is False


@pytest.mark.parametrize(
    ("raw", "degrees"),
    [(0x00F0, 24.0), (0x81F0, -49.6), (0xFE10, -49.6), (0x8064, -10.0), (0xFF9C, -10.0), (0, 0.0), (0x01F0, 49.6)],
)
def test_a_negative_temperature_is_read_in_both_ways_of_writing(raw: int, degrees: float) -> None:
    assert celsius(raw) == degrees


def test_no_two_temperatures_of_this_world_are_written_alike() -> None:
    for tenths in range(-1000, 0):
        assert celsius(tenths & 0xFFFF) == celsius(0x8000 | -tenths) == tenths / 10


def test_internal_entries_are_passed_over() -> None:
    assert fields("05 00 FF 06 00 01 15 66 01") == {"occupied": True, "event": "status"}


def test_bay_and_count_are_told_apart() -> None:
    bay, count = decode_payload("pni_placepod", 2, "37 66 01 21 00 05")
    assert (bay.kind, count.kind) == ("parking", "traffic")


def test_an_answer_that_is_not_done_is_a_failure() -> None:
    assert fields("01 01 01") == {"event": "recalibration"}
    assert fields("01 01 00") == {"event": "recalibration failed"}


def test_what_stands_behind_an_unknown_entry_is_named() -> None:
    bay, rest = decode_payload("pni_placepod", 2, "15 66 01 CA FE BA BE")
    assert bay.fields["occupied"] is True
    assert isinstance(rest, Remark)
    assert (rest.kind, rest.detail) == ("left out", "from CA FE BA BE")
