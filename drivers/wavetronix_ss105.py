"""Wavetronix SmartSensor (model 105): vehicles in up to eight lanes, by radar from beside the road.

RS-485 or RS-232, often 9600 8N1. It answers when asked, in text; numbers are hexadecimal, the address is decimal::

    Z00001XD CR                                the last interval
    Z00001XD tttttttt  n cccccccc vvvv oooo ssss mmmm llll  the same for each lane  kkkk ~ CR

    t end of the interval, seconds since 2000 UTC; n lane; c vehicles; v average speed in mph; o occupancy, and shares
    of small, medium and large vehicles, of 1024 each; k sum of the characters between XD and itself

    Z00001XD 313CD580  1 00000008 0028 0080 0300 0100 0000  074A~     2026-03-06; lane 1: 8 vehicles, 40 mph = 64.37
                                                                      km/h, 12.5 %, 6 of them small and 2 medium
Instead of all that ``Failure``, ``Invalid`` or ``Empty`` may come, without a sum. ``S5`` asks for the firmware, which
is not documented, and has no sum: a HD sensor that plays this one does not know it.

The time of a reading: `common.intervals` says whose it is, and why the interval found first is passed over.

Source: IRIS of the Minnesota DOT, comm/ss105. No capture backs it.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from pydantic import Field

from drivers.common.agenda import Agenda
from drivers.common.framing import Lines
from drivers.common.intervals import FOUND_FIRST, Clock, Stamps
from gateway.contract import Driver, FieldValue, Measurement, Options, Reject, SerialLink, field

LANE = 29
EPOCH = 946_684_800
"""2000, in seconds since 1970."""
MILE = 1.609344

_HEX = re.compile("[0-9A-Fa-f]*")
LONGEST = 280
"""Bytes of a line with eight lanes, and some to spare."""
BINNED, FIRMWARE = "XD", "S5"

_FAULTS = ("Failure", "Invalid", "Empty")
_TEXT = re.compile("[ -}]{1,32}")


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


class WavetronixSs105Options(Options):
    """Which sensor, and whose time its readings have."""

    address: int = Field(default=1, ge=0, le=9999)
    """Its drop id, four decimal digits."""
    clock: Clock = "gateway"
    """The sensor's where its clock is kept right; then no interval is passed over."""


class Decoder:
    """Asks one sensor."""

    def __init__(self, options: WavetronixSs105Options) -> None:
        self._lines = Lines(LONGEST)
        self._header = f"Z0{options.address:04}"
        binned, firmware = (f"{self._header}{command}\r".encode() for command in (BINNED, FIRMWARE))
        self._agenda = Agenda(binned, {FIRMWARE: firmware})
        self._stamps = Stamps(options.clock)

    def start(self) -> Iterable[bytes]:
        """Send nothing: on a bus each question has its turn."""
        return ()

    def poll(self) -> bytes:
        """Ask for the last interval; now and then for the firmware."""
        return self._agenda.question()

    def feed(self, data: bytes, now: int) -> Iterable[Measurement | Reject]:  # noqa: ARG002 -- time decides nothing here
        """See `gateway.contract.SerialDecoder`."""
        said: list[Measurement | Reject] = []
        for line in self._lines.feed(data):
            said += [line] if isinstance(line, Reject) else self._hear(line)
        return said

    def finish(self) -> Iterable[Reject]:
        """Return what is left of a line without an end."""
        return self._lines.finish()

    def _hear(self, line: bytes) -> Iterator[Measurement | Reject]:
        before, header, text = line.decode("latin-1").rpartition(self._header)
        command, answer, tail = text[:2], text[2:-1], text[2:][-1:]
        if before or not header or command not in (BINNED, FIRMWARE):
            yield Reject("noise", line, "not from this sensor")
        elif not text[2:]:
            return  # an echo of the question, not an answer
        elif tail != "~":
            yield Reject("length", line, "it has no end")
        elif answer in _FAULTS:
            self._agenda.granted(command)  # a later question would fail as well
            yield Reject("unsupported", line, f"{command} is answered by {answer}")
        elif command == FIRMWARE:
            if not _TEXT.fullmatch(answer):
                yield Reject("length", line, "no text")
                return
            self._agenda.granted(FIRMWARE)
            yield Measurement("traffic", {"firmware_version": answer})
        elif isinstance(found := interval(answer), str):
            yield Reject(found, line, f"its {found} is wrong")
        elif self._stamps.ended_just_now(found[0]):
            for lane in found[1]:
                yield self._stamps.measured(lane.fields(), found[0], lane=str(lane.number))
        else:
            yield Reject("unsupported", line, FOUND_FIRST)


DRIVER = Driver(
    name="wavetronix_ss105",
    title="Wavetronix SmartSensor 105",
    link=SerialLink(baudrate=9600, interval=5.0, timeout=1.0, bus=True),
    fields=(
        *map(field, ("intensity", *(f"intensity_class_{size}" for size in range(3)))),
        *map(field, ("occupancy", "average_vehicle_speed", "firmware_version")),
    ),
    max_frame=LONGEST,
    decoder=Decoder,
    options=WavetronixSs105Options,
    kinds=("traffic",),
    experimental=True,
)
