"""Frames of an RTMS G4, and the vehicle of its event mode.

Numbers big endian; `drivers.rtms_g4` asks, `drivers.rtms_g4.period` draws the message of a period::

    FF AA qq ll ii ii dd .. dd ss ss    q what it is, l bytes of i and d, i the sensor's id, d data, s sum of i and d

    5E vehicle  zz kk ll vv oo oo tt*8 uu   z zone from 0, k class, l length in dm, v speed, o dwell in ms, t time in
                BCD with leading ms, u unit (0 km/h, 1 mph)
    40 who      rr bb and, at 6, nn nn, 14 bytes: revision and build of the firmware, serial number

    FF AA 5E 11 00 01 00 01 2D 32 01 D6 12 30 15 08 02 23 11 26 00 01 F3     first lane: 50 km/h, 4.5 m, 0.47 s

Source: the RTMS G4 protocol as in the Minnesota DOT's IRIS (tms.server.comm.g4).
"""

from struct import unpack_from
from typing import NamedTuple

from drivers.common.framing import Frames
from drivers.common.lanes import Vehicle
from gateway.contract import FieldValue, Reject

SENTINEL = b"\xff\xaa"
LONGEST = 72
MOST_ZONES = 12
MPH = 1.609344
EVENT_SIZE, INFORMATION_SIZE = 15, 14


class Frame(NamedTuple):
    """One sound frame; ``whole`` is all of it."""

    code: int
    data: bytes
    whole: bytes


def frame(code: int, sensor: int, data: bytes = b"") -> bytes:
    """Return a frame as it goes over the line."""
    body = sensor.to_bytes(2, "big") + data
    return SENTINEL + bytes((code, len(body))) + body + (sum(body) & 0xFFFF).to_bytes(2, "big")


def parse(whole: bytes) -> Frame | Reject:
    """Parse one whole frame."""
    body, total = whole[4:-2], int.from_bytes(whole[-2:], "big")
    if sum(body) != total:
        return Reject("checksum", whole, f"sum {sum(body):04X}")
    return Frame(whole[2], body[2:], whole)


def frames(sensor: int) -> Frames[Frame]:
    """Return a finder of one sensor's frames in a stream."""
    name = sensor.to_bytes(2, "big")

    def length(head: bytes) -> int:
        if len(head) < 6:
            return 0
        size = head[3] + 6
        return size if head[4:6] == name and 8 <= size <= LONGEST else -1

    return Frames((SENTINEL,), LONGEST, length, parse)


def vehicle(data: bytes) -> tuple[int, Vehicle] | None:
    """Return the lane, from 1, and the vehicle of one event; None where it is none."""
    if len(data) != EVENT_SIZE or data[0] >= MOST_ZONES or data[14] > 1:
        return None
    zone, _, length, speed, dwell = unpack_from(">BBBBH", data)
    kmh = round(speed * (MPH if data[14] else 1.0), 3)
    return zone + 1, Vehicle(kmh or None, length / 10 or None, None, dwell / 1000)


def about(data: bytes) -> dict[str, FieldValue]:
    """Return firmware and serial number from an answer 40."""
    return {"firmware_version": f"{data[0]}-{data[1]}", "serial_number": str(int.from_bytes(data[6:8], "big"))}
