"""Tekzitel TekziPark."""

import pytest

from drivers.codecs.tekzitel_tekzipark import parse
from tests.support.recordings import decode_payload


@pytest.mark.parametrize(
    ("flags", "event"),
    [("A0", "status"), ("A1", "keepalive"), ("B0", "obstructed"), ("B1", "obstructed"), ("B3", "reset")],
)
def test_the_weightiest_flag_is_the_event(flags: str, event: str) -> None:
    (said,) = decode_payload("tekzitel_tekzipark", 1, flags + "2D 63")
    assert (said.fields["event"], said.fields["occupied"], said.fields["battery_low"]) == (event, True, False)


def test_beacons_are_read_and_not_stored() -> None:
    read = parse(1, bytes.fromhex("A82D63B000550120"))
    assert (read.bay, read.beacon_rssi, read.beacons) == (99, -80, (85, 288))
    assert "beacons" not in decode_payload("tekzitel_tekzipark", 1, "A82D63B000550120")[0].fields


def test_port_2_tells_the_fault_and_the_obstruction() -> None:
    (said,) = decode_payload("tekzitel_tekzipark", 2, "A8 F6 63 01FF80000000 03 01 40")
    assert (said.fields["device_error"], said.fields["event"], said.fields["temperature"]) == (3, "obstructed", -10.0)


def test_what_the_detectors_saw_is_read_and_not_stored() -> None:
    read = parse(2, bytes.fromhex("A8F66301FF80027F00030140"))
    assert (read.deflection, read.baseline, read.reflection) == ((1, -1, -128), (2, 127, 0), 0x40)
    assert set(decode_payload("tekzitel_tekzipark", 2, "A8F66301FF80027F00030140")[0].fields) == {
        *("occupied", "temperature", "battery_low", "event", "device_error"),
    }


@pytest.mark.parametrize(("port", "size"), [(1, 0), (1, 2), (1, 5), (1, 7), (2, 3), (2, 11), (2, 13)])
def test_a_payload_of_another_length_is_damaged(port: int, size: int) -> None:
    assert decode_payload("tekzitel_tekzipark", port, "00" * size)[0].reason == "length"
