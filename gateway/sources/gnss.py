"""The gateway's own satellite receiver: whether the clock is right, and where the gateway stands.

A receiver is a serial source like any other, and its readings are stored like any others. The one that ``[gateway]``
names is overheard on the way::

    serial line --> its decoder --> intake                      as ever
                         '--> Gnss --> Times  --> Timekeeper    UTC less time since boot, once several fixes agree
                                  '--> Places --> Intake        the location, where the configuration gives none

A burst of sentences begins up to half a second after the second that it tells of, and takes a while to arrive: so the
first byte of the burst is what counts, and of several fixes the one that was least late. Whatever else delays bytes
makes a fix late, never early.

Satellite time is believed when several fixes in a row agree; how far it may then contradict what was told before is
for `gateway.clock.Timekeeper` to say. Old receivers are 1024 weeks behind, once or twice: a GPS week number has ten
bits. From 2043 on, this program has to be newer than such a receiver.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from math import cos, hypot, radians
from statistics import median_low

import structlog

from gateway.clock import AGREE, EARLIEST, Timekeeper
from gateway.contract import FieldValue, Measurement, Reject, SerialDecoder
from gateway.health import GnssHealth, Health

Location = tuple[float, float]
"""Latitude and longitude, degrees."""

ROLLOVER = 1024 * 7 * 86400 * 1_000_000_000
"""A GPS week number begins again after so long (ns)."""

PAUSE = 50_000_000
"""Bytes that come after a pause of so long (ns) begin a burst."""
LONGEST_BURST = 700_000_000
"""A burst that is still going on after so long (ns) may be that of the second before, and dates nothing."""

FIXES = 3
SPAN = 2_000_000_000
"""So many fixes over so long (ns of satellite time) are a steady word."""
REMEMBERED = 16
"""The fixes of which the one that was least late counts."""

LEAST_SATELLITES = 4
WORST_DILUTION = 5.0
"""A fix by fewer satellites, or by more badly placed ones, gives no location."""
PLACES = 5
NEAR = 30.0
"""So many fixes within so many metres of each other are where the gateway stands."""
MOVED = 100.0
"""A gateway that stands so many metres from where it stood has been moved; less is the sky's doing."""
_METRES = 111_195.0
"""A degree of a great circle, in metres."""


class Times:
    """Satellite times, each with the time since boot at which its burst began; all in nanoseconds."""

    def __init__(self) -> None:
        self._offsets: deque[int] = deque(maxlen=REMEMBERED)
        self._since = 0

    def take(self, time: int, began: int) -> int | None:
        """Take one fix; return what to add to the time since boot, while several fixes in a row agree."""
        while time < EARLIEST:
            time += ROLLOVER
        offset = time - began
        seen = (*self._offsets, offset)
        if len(seen) == 1 or max(seen) - min(seen) > AGREE:
            self._offsets.clear()
            self._since = time
        self._offsets.append(offset)
        steady = len(self._offsets) >= FIXES and time - self._since >= SPAN
        return max(self._offsets) if steady else None


class Places:
    """Where several good fixes in a row say that the receiver stands."""

    def __init__(self) -> None:
        self._fixes: deque[Location] = deque(maxlen=PLACES)

    def take(self, fields: Mapping[str, FieldValue]) -> Location | None:
        """Take one fix; return the place, to about a metre, while the last fixes are good and agree."""
        satellites, dilution = fields.get("satellites"), fields.get("horizontal_dilution")
        if satellites is None or dilution is None or not {"latitude", "longitude"} <= fields.keys():
            return None  # another sentence about the same fix, which does not tell how good it is
        if float(satellites) < LEAST_SATELLITES or not 0 < float(dilution) <= WORST_DILUTION:
            self._fixes.clear()
            return None
        self._fixes.append((float(fields["latitude"]), float(fields["longitude"])))
        middle = median_low(fix[0] for fix in self._fixes), median_low(fix[1] for fix in self._fixes)
        if len(self._fixes) < PLACES or any(metres(middle, fix) > NEAR for fix in self._fixes):
            return None
        return round(middle[0], 5), round(middle[1], 5)


class Gnss:
    """Judges what the receiver called ``source`` says.

    ``settle`` hears where the gateway stands; None where the configuration says that.
    """

    def __init__(
        self, source: str, timekeeper: Timekeeper, health: Health, settle: Callable[[Location], None] | None
    ) -> None:
        self._timekeeper = timekeeper
        self._health = health
        self._settle = settle
        self._times = Times()
        self._places = Places()
        self._log = structlog.get_logger().bind(source=source)
        self._said = GnssHealth(source)
        health.gnss = self._said

    def overhear(self, make_decoder: Callable[[], SerialDecoder]) -> Callable[[], SerialDecoder]:
        """Return what makes the same decoders, overheard."""
        return lambda: _Overheard(make_decoder(), self.heard)

    def heard(self, fields: Mapping[str, FieldValue], age: int) -> None:
        """Take one position; the burst that holds it began ``age`` nanoseconds ago."""
        time = fields.get("satellite_time")
        if time is not None:
            began = self._timekeeper.clock.since_boot() - age
            if (offset := self._times.take(int(time), began)) is not None:
                self._tell_time(offset)
        if self._settle is not None and (place := self._places.take(fields)) is not None:
            self._tell_place(place, self._settle)

    def _tell_time(self, offset: int) -> None:
        clock, said = self._timekeeper.clock, self._said
        said.heard = clock.monotonic()
        said.clock_off = (clock.wall() - clock.since_boot() - offset) / 1e9
        told = self._timekeeper.now()
        if self._timekeeper.accept_gnss_offset(offset):
            said.disbelieved = None
            return
        assert told is not None  # the first word is always believed
        if said.disbelieved is None:
            self._log.warning("the receiver's time jumped, and is not believed")
        said.disbelieved = (clock.since_boot() + offset - told) / 1e9

    def _tell_place(self, place: Location, settle: Callable[[Location], None]) -> None:
        known = self._health.location
        if known is not None and metres(known, place) < MOVED:
            return
        self._log.info("the gateway stands here", latitude=place[0], longitude=place[1])
        self._health.location, self._health.location_source = place, "gnss"
        settle(place)


class _Overheard:
    """A decoder, and somebody who listens to the positions that it finds."""

    def __init__(self, decoder: SerialDecoder, heard: Callable[[Mapping[str, FieldValue], int], None]) -> None:
        self._decoder = decoder
        self._heard = heard
        self._began = self._last = -LONGEST_BURST

    def start(self) -> Iterable[bytes]:
        return self._decoder.start()

    def poll(self) -> bytes:
        return self._decoder.poll()

    def feed(self, data: bytes, now: int) -> Iterable[Measurement | Reject]:
        if data:
            if now - self._last > PAUSE or now - self._began > LONGEST_BURST:
                self._began = now
            self._last = now
        said = list(self._decoder.feed(data, now))
        for one in said:
            if isinstance(one, Measurement) and one.kind == "position":
                self._heard(one.fields, now - self._began)
        return said

    def finish(self) -> Iterable[Measurement | Reject]:
        return self._decoder.finish()


def metres(one: Location, other: Location) -> float:
    """Return how far two near places are apart."""
    east = (one[1] - other[1] + 180) % 360 - 180
    return _METRES * hypot(one[0] - other[0], east * cos(radians(one[0])))
