import pytest

from firmware_sim.devices.sm300d2 import Sm300d2
from firmware_sim.parts.modbus import with_crc
from firmware_sim.parts.twin import NEVER
from firmware_sim.truth.ledger import Truth


def report(twin: Sm300d2, now: float) -> bytes:
    frames = twin.tick(now)
    for frame in frames:
        if frame.heard:
            frame.heard(True)
    return b"".join(frame.data for frame in frames)


@pytest.mark.parametrize("modbus", [False, True])
def test_it_reports_once_a_second_what_the_ledger_holds(modbus: bool) -> None:
    truth = Truth()
    twin = Sm300d2("aq-1", truth, "seed", modbus=modbus)
    assert [len(twin.tick(now)) for now in (0.5, 1.0, 1.5)] == [0, 1, 0]
    frame = report(twin, 2.0)
    (taken,) = truth
    start = 3 if modbus else 2
    assert taken.fields["co2_equivalent"] == int.from_bytes(frame[start : start + 2], "big")
    assert taken.fields["temperature"] == 22.3
    assert (len(frame), frame[:start]) == ((19, b"\x01\x03\x0e") if modbus else (17, b"\x3c\x02"))


def test_the_checks_hold_but_for_odd_sums() -> None:
    plain = Sm300d2("aq-1", Truth(), "seed")
    frame = report(plain, 1.0)
    assert frame[16] == sum(frame[:16]) & 0xFF
    plain.odd_sums = 1.0
    frame = report(plain, 2.0)
    assert frame[16] ^ 0x80 == sum(frame[:16]) & 0xFF
    frame = report(Sm300d2("aq-1", Truth(), "seed", modbus=True), 1.0)
    assert with_crc(frame[:-2]) == frame


def test_frost_sets_the_highest_bit_or_is_negative() -> None:
    for modbus, wanted in ((False, "82 05"), (True, "ff 06")):
        twin = Sm300d2("aq-1", Truth(), "seed", modbus=modbus)
        twin.tenths = -25
        frame = report(twin, 1.0)
        assert bytes.fromhex(wanted) in frame[12:15]


def test_stopped_or_silent_it_says_nothing() -> None:
    twin = Sm300d2("aq-1", Truth(), "seed")
    assert twin.receive(b"\x01\x03\x00\x00", 0.0) == []
    twin.faults.silent = True
    assert twin.due() == NEVER
    twin.faults.silent = False
    twin.power_cycle(5.0)
    assert twin.due() == 6.0
    twin.stop()
    assert twin.quiet()
    assert twin.tick(10.0) == []
