from datetime import UTC, datetime

import pytest

from firmware_sim.devices.wavetronix_ss125 import (
    BORN,
    DATA,
    EVENT,
    GENERAL,
    INTERVAL,
    VERSION,
    WavetronixSs125,
    crc8,
    fixed24,
    stamp,
)
from firmware_sim.parts.twin import Frame
from firmware_sim.truth.ledger import Truth


def ask(message: int, data: bytes = b"", address: int = 1, kind: int = 0) -> bytes:
    body = bytes((message, 0, kind)) + data
    head = b"Z1\0" + address.to_bytes(2, "big") + bytes((0, 0, 9, 41, len(body)))
    return head + bytes((crc8(head),)) + body + bytes((crc8(body),))


@pytest.fixture
def truth() -> Truth:
    return Truth()


@pytest.fixture
def sensor(truth: Truth) -> WavetronixSs125:
    return WavetronixSs125("x", truth, "seed")


def bodies(frames: list[Frame]) -> list[bytes]:
    for frame in frames:
        assert crc8(frame.data[:10]) == frame.data[10]
        assert crc8(frame.data[11:-1]) == frame.data[-1]
        assert len(frame.data) == 11 + frame.data[9] + 1
    return [frame.data[11:-1] for frame in frames]


def test_the_check_and_the_numbers_are_those_of_the_sheet() -> None:
    assert crc8(b"123456789") == 0xBC
    assert fixed24(-19.25).hex() == "ffed40"
    assert fixed24(67.75).hex() == "8043c0"
    assert fixed24(None) == bytes(3)
    assert stamp(datetime(2016, 12, 18, 22, 17, 32, 718000, UTC)).hex() == "000fc192059182ce"


def test_answers_go_to_who_asked_with_the_next_number(sensor: WavetronixSs125) -> None:
    (answer,) = sensor.receive(ask(GENERAL), 0.0)
    assert answer.data[:9].hex(" ") == "5a 31 00 00 09 00 00 01 2a"
    (body,) = bodies([answer])
    assert (len(body), body[-1]) == (86, 0)
    assert [len(bodies(sensor.receive(ask(message), 0.0))[0]) for message in (DATA, VERSION, EVENT)] == [28, 19, 23]


def test_an_interval_is_a_packet_for_each_lane_and_approach(sensor: WavetronixSs125, truth: Truth) -> None:
    assert bodies(sensor.receive(ask(INTERVAL, bytes(3)), 29.0))[0][2:] == bytes((2, 0, 15))
    frames = sensor.receive(ask(INTERVAL, bytes(3)), 61.0)
    packets = bodies(frames)
    assert [packet[1] for packet in packets] == [0, 1, 2, 3]
    assert [frame.data[8] for frame in frames] == [42, 43, 44, 45]
    assert {packet[6:14] for packet in packets} == {stamp(BORN.replace(minute=1))}
    assert {packet[43:45] for packet in packets} == {bytes((3, 1))}
    counts = [int.from_bytes(packet[17:20], "big") for packet in packets]
    assert sum(counts[:3]) == counts[3] > 5
    for frame in frames * 2:
        if frame.heard:
            frame.heard(True)
    assert [taken.fields["intensity"] for taken in truth] == counts[:3]


def test_an_event_is_gone_once_it_is_read(sensor: WavetronixSs125) -> None:
    events = [bodies(sensor.receive(ask(EVENT), 20.0))[0] for _ in range(30)]
    assert {event[1] for event in events} == {0, 1}
    seen = [event for event in events if event[1]]
    assert len(set(seen)) == len(seen) > 5
    bodies(sensor.receive(ask(EVENT), 40.0))
    assert bodies(sensor.receive(ask(0x6D, kind=1), 40.0)) == [bytes((0x6D, 0, 2, 0, 0))]
    assert bodies(sensor.receive(ask(EVENT), 40.0))[0][1] == 0


def test_what_it_does_not_know_is_refused_and_what_is_not_for_it_ignored(sensor: WavetronixSs125) -> None:
    assert bodies(sensor.receive(ask(0x70), 0.0)) == [bytes((0x70, 0, 2, 0, 24))]
    assert sensor.receive(ask(GENERAL, address=2), 0.0) == []
    sensor.faults.silent = True
    assert sensor.receive(ask(GENERAL), 0.0) == []


def test_a_power_cut_takes_what_was_counted(sensor: WavetronixSs125) -> None:
    sensor.tick(61.0)
    sensor.power_cycle(61.0)
    assert bodies(sensor.receive(ask(INTERVAL, bytes(3)), 62.0))[0][2] == 2
    assert bodies(sensor.receive(ask(EVENT), 61.0))[0][1] in (0, 1)
    sensor.stop()
    assert sensor.quiet()
