"""Twin of a satellite receiver that speaks NMEA 0183 (9600 8N1).

Source: NMEA 0183 as u-blox's receiver descriptions show it. Once a second, each line with the XOR of what stands
between $ and *::

    $GNRMC,hhmmss.ss,A,ddmm.mmmmm,N,dddmm.mmmmm,E,knots,course,ddmmyy,,,A*hh
    $GNGGA,hhmmss.ss,ddmm.mmmmm,N,dddmm.mmmmm,E,quality,satellites,hdop,altitude,M,separation,M,,*hh
    $GPGSV,...                                                      satellites in view: no position

For its first seconds it has no fix: RMC says V and mode N, GGA says 0, and places are empty.

What goes wrong with receivers, on demand: no fix, or a poor one; a clock that is off or jumps (1024 weeks back is
`ROLLOVER`, 18 s ahead is one that does not know the leap seconds yet); a place that jumps.
"""

from datetime import UTC, datetime, timedelta
from functools import partial
from math import floor

from firmware_sim.parts.twin import NEVER, Frame, Heard
from firmware_sim.parts.wire_faults import Walk, Wire
from firmware_sim.truth.ledger import Truth

DRIVER = "nmea0183"
SOURCE = {"options": {"interval": "0s"}}
EPOCH = datetime(2026, 3, 1, 12, tzinfo=UTC)
"""What its clock shows when it is built."""
SEARCH = 5.0
"""Seconds without a fix after power-on."""
ROLLOVER = timedelta(weeks=1024)
"""How far back an old receiver's date is: its week number has ten bits."""


def sentence(text: str) -> bytes:
    """Return ``text`` as a line."""
    check = 0
    for byte in text.encode():
        check ^= byte
    return f"${text}*{check:02X}\r\n".encode()


def _place(minutes: int, ways: str, width: int) -> str:
    """Write hundred-thousandths of a minute of arc."""
    degrees, rest = divmod(abs(minutes), 60 * 100_000)
    return f"{degrees:0{width}}{rest / 100_000:08.5f},{ways[minutes < 0]}"


class Nmea0183:
    """One receiver; see `parts.twin.SerialTwin`. ``epoch`` is what its clock shows when it is built.

    Its ledger holds each place twice, as it says it: with the time, and with the number of satellites.
    """

    def __init__(
        self, name: str, truth: Truth, seed: str, *, epoch: datetime = EPOCH, search: float = SEARCH
    ) -> None:
        self.name = name
        self.fix = True
        """False where it stands indoors."""
        self.satellites = 9
        self.dilution = 0.92
        self.clock_off = timedelta()
        """By how much its clock is ahead."""
        self.moved = 0
        """How far north of its place it is, in hundred-thousandths of a minute of arc (19 mm)."""
        self._north = Walk(f"{seed}/north", 3151_40000, 3151_90000, 30)
        self._east = Walk(f"{seed}/east", 804_10000, 804_80000, 30)
        self._wire = Wire(seed)
        self.faults = self._wire.faults
        self._truth = truth
        self._epoch = epoch
        self._search = self._found = search
        self._next = 1.0
        self._stopped = False

    def receive(self, data: bytes, now: float) -> list[Frame]:  # noqa: ARG002 -- it hears nothing
        """Hear nothing."""
        return []

    def tick(self, now: float) -> list[Frame]:
        """Say where it is, once a second."""
        if now < self.due():
            return []
        self._next = floor(now) + 1.0
        time = self._epoch + timedelta(seconds=floor(now)) + self.clock_off
        hundredths = time.microsecond // 10_000
        clock, day = f"{time:%H%M%S}.{hundredths:02}", f"{time:%d%m%y}"
        if not self.fix or now < self._found:
            lines: list[tuple[str, Heard | None]] = [
                (f"GNRMC,{clock},V,,,,,,,{day},,,N", None),
                (f"GNGGA,{clock},,,,,0,00,99.99,,,,,,", None),
            ]
        else:
            north, east = self._north.sample() + self.moved, self._east.sample()
            place = f"{_place(north, 'NS', 2)},{_place(east, 'EW', 3)}"
            seconds = (time.replace(microsecond=0) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)
            nanoseconds = seconds * 10**9 + hundredths * 10**7
            rmc, gga = {"satellite_time": nanoseconds}, {"satellites": self.satellites}
            lines = [
                (f"GNRMC,{clock},A,{place},0.012,,{day},,,A", partial(self._heard, north, east, rmc)),
                (
                    f"GNGGA,{clock},{place},1,{self.satellites:02},{self.dilution:.2f},112.3,M,47.0,M,,",
                    partial(self._heard, north, east, gga),
                ),
            ]
        lines.append(("GPGSV,1,1,02,04,61,113,38,16,27,312,33", None))
        return [frame for text, heard in lines for frame in self._wire.send(sentence(text), heard)]

    def due(self) -> float:
        """Return the time of the next fix."""
        return NEVER if self._stopped or self.faults.silent else self._next

    def power_cycle(self, now: float) -> None:
        """Start anew, and search."""
        self._found = now + self._search
        self._next = floor(now) + 1.0

    def stop(self) -> None:
        """Say no more."""
        self._stopped = True

    def quiet(self) -> bool:
        """Tell that it stopped."""
        return self._stopped

    def _heard(self, north: int, east: int, more: dict[str, int], arrived: bool | None) -> None:
        if arrived is not False:
            fields = {"latitude": north / 6_000_000, "longitude": east / 6_000_000, **more}
            self._truth.record(self.name, "position", fields, certain=arrived is True)


TWIN = Nmea0183
