"""What a Wavetronix SmartSensor 105 counts in an interval; the sheet is in `drivers.wavetronix_ss105`."""

import re
from typing import Literal, NamedTuple

from gateway.contract import FieldValue

LANE = 29
EPOCH = 946_684_800
"""2000, in seconds since 1970."""
MILE = 1.609344

_HEX = re.compile("[0-9A-Fa-f]*")


class Lane(NamedTuple):
    """One lane; speed in mph, the others in 1024ths."""

    number: int
    volume: int
    speed: int
    occupancy: int
    sizes: tuple[int, int, int]

    def fields(self) -> dict[str, FieldValue]:
        """Return it in vocabulary units; without vehicles there is no speed."""
        said: dict[str, FieldValue] = {"intensity": self.volume, "occupancy": self.occupancy / 1024}
        said |= {f"intensity_class_{at}": round(self.volume * size / 1024) for at, size in enumerate(self.sizes)}
        if self.volume:
            said["average_vehicle_speed"] = round(self.speed * MILE, 2)
        return said


def checksum(text: str) -> int:
    """Return the sum that checks ``text``."""
    return sum(map(ord, text)) & 0xFFFF


def interval(text: str) -> tuple[int, list[Lane]] | Literal["length", "checksum"]:
    """Return the end of an interval in nanoseconds UTC and its lanes, or what is wrong with the text after XD."""
    payload, check = text[:-4], text[-4:]
    if not _HEX.fullmatch(text) or len(payload) <= 8 or (len(payload) - 8) % LANE:
        return "length"
    if int(check, 16) != checksum(payload):
        return "checksum"
    lanes = []
    for at in range(8, len(payload), LANE):
        number, volume, *rest = (
            int(payload[at + start : at + end], 16)
            for start, end in ((0, 1), (1, 9), (9, 13), (13, 17), (17, 21), (21, 25), (25, 29))
        )
        lanes.append(Lane(number, volume, rest[0], rest[1], (rest[2], rest[3], rest[4])))
    return (EPOCH + int(payload[:8], 16)) * 10**9, lanes
