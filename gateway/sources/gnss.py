"""The gateway's own GNSS receiver: whether the clock is right, and where the gateway is.

A receiver is a serial source like any other, and its readings are stored like any others. From the one that
``[gateway]`` names, positions also go another way::

    serial line --> its decoder --> intake                              as for any source
                         '--> Gnss --> OffsetEstimate   --> Timekeeper  UTC less time since boot, once fixes agree
                                  '--> LocationEstimate --> Intake      the location, where the configuration has none

A burst of sentences begins up to half a second after the second that it tells of, and takes a while to arrive: so the
first byte of the burst is what counts, and of several fixes the one that was least late. Whatever else delays bytes
makes a fix late, never early.

Satellite time is used once several fixes in a row agree; `gateway.clock.Timekeeper` decides how far it may then
differ from the time before. Old receivers are 1024 weeks behind, once or twice: a GPS week number has ten
bits. From 2043 on, this program has to be newer than such a receiver.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from math import cos, hypot, radians

import structlog

from gateway.clock import AGREE, EARLIEST, Timekeeper
from gateway.contract import FieldValue, Measurement, Reject, Remark, SerialDecoder
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
"""So many fixes over so long (ns of satellite time) that agree are an estimate."""
REMEMBERED = 16
"""The fixes of which the one that was least late counts."""

LEAST_SATELLITES = 4
WORST_DILUTION = 5.0
"""A fix by fewer satellites, or by more badly placed ones, gives no location."""
PLACES = 5
NEAR = 30.0
"""So many fixes within so many metres of each other are an estimate of the location."""
MOVED = 100.0
"""A gateway so many metres from its last location has been moved; less is the error of a fix."""
_METRES = 111_195.0
"""A degree of a great circle, in metres."""


class OffsetEstimate:
    """This boot's offset from satellite times and the times since boot at which their bursts began, nanoseconds."""

    def __init__(self) -> None:
        self._offsets: deque[int] = deque(maxlen=REMEMBERED)
        self._since = 0

    def add_fix(self, time: int, began: int) -> int | None:
        """Add one fix; return what to add to the time since boot, while several fixes in a row agree."""
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


class LocationEstimate:
    """The receiver's location from several good fixes in a row."""

    def __init__(self) -> None:
        self._fixes: deque[Location] = deque(maxlen=PLACES)

    def add_fix(self, fields: Mapping[str, FieldValue]) -> Location | None:
        """Add one fix; return the location, to about a metre, while the last fixes are good and agree."""
        satellites, dilution = fields.get("satellites"), fields.get("horizontal_dilution")
        if satellites is None or dilution is None or not {"latitude", "longitude"} <= fields.keys():
            return None  # another sentence about the same fix, without its quality
        if float(satellites) < LEAST_SATELLITES or not 0 < float(dilution) <= WORST_DILUTION:
            self._fixes.clear()
            return None
        self._fixes.append((float(fields["latitude"]), float(fields["longitude"])))
        middle = _median(fix[0] for fix in self._fixes), _median(fix[1] for fix in self._fixes)
        if len(self._fixes) < PLACES or any(metres(middle, fix) > NEAR for fix in self._fixes):
            return None
        return round(middle[0], 5), round(middle[1], 5)


class Gnss:
    """Sets the clock's offset and the gateway's location by the positions of the receiver called ``source``.

    ``set_location`` is called with each new location; None where the configuration has one.
    """

    def __init__(
        self, source: str, timekeeper: Timekeeper, health: Health, set_location: Callable[[Location], None] | None
    ) -> None:
        self._timekeeper = timekeeper
        self._health = health
        self._set_location = set_location
        self._offset = OffsetEstimate()
        self._location = LocationEstimate()
        self._log = structlog.get_logger().bind(source=source)
        self._receiver = GnssHealth(source)
        health.gnss = self._receiver

    def observe(self, make_decoder: Callable[[], SerialDecoder]) -> Callable[[], SerialDecoder]:
        """Return what makes the same decoders, whose positions also come here."""
        return lambda: _Observed(make_decoder(), self.add_position)

    def add_position(self, fields: Mapping[str, FieldValue], age: int) -> None:
        """Add one position; the burst that holds it began ``age`` nanoseconds ago."""
        time = fields.get("satellite_time")
        if time is not None:
            began = self._timekeeper.clock.since_boot() - age
            if (offset := self._offset.add_fix(int(time), began)) is not None:
                self._use_offset(offset)
        if self._set_location is not None and (location := self._location.add_fix(fields)) is not None:
            self._use_location(location, self._set_location)

    def _use_offset(self, offset: int) -> None:
        clock, receiver = self._timekeeper.clock, self._receiver
        receiver.heard = clock.monotonic()
        receiver.clock_off = (clock.wall() - clock.since_boot() - offset) / 1e9
        before = self._timekeeper.now()
        if self._timekeeper.accept_gnss_offset(offset):
            receiver.disbelieved = None
            return
        assert before is not None  # the first offset of a boot is always accepted
        difference = (clock.since_boot() + offset - before) / 1e9
        if receiver.disbelieved is None:
            self._log.warning("receiver time rejected", seconds=difference)
        receiver.disbelieved = difference

    def _use_location(self, location: Location, set_location: Callable[[Location], None]) -> None:
        known = self._health.location
        if known is not None and metres(known, location) < MOVED:
            return
        self._log.info("gateway location set", latitude=location[0], longitude=location[1])
        self._health.location = location
        self._health.location_source = "gnss"
        set_location(location)


class _Observed:
    """A decoder whose positions also go to ``add_position``."""

    def __init__(self, decoder: SerialDecoder, add_position: Callable[[Mapping[str, FieldValue], int], None]) -> None:
        self._decoder = decoder
        self._add_position = add_position
        self._began = -LONGEST_BURST
        self._last = -LONGEST_BURST

    def start(self) -> Iterable[bytes]:
        return self._decoder.start()

    def poll(self) -> bytes:
        return self._decoder.poll()

    def feed(self, data: bytes, now: int) -> Iterable[Measurement | Reject | Remark]:
        if data:
            if now - self._last > PAUSE or now - self._began > LONGEST_BURST:
                self._began = now
            self._last = now
        results = list(self._decoder.feed(data, now))
        for result in results:
            if isinstance(result, Measurement) and result.kind == "position":
                self._add_position(result.fields, now - self._began)
        return results

    def finish(self) -> Iterable[Measurement | Reject | Remark]:
        return self._decoder.finish()


def _median(numbers: Iterable[float]) -> float:
    """Return the lower median; the module ``statistics`` would cost the daemon half a mebibyte."""
    ordered = sorted(numbers)
    return ordered[(len(ordered) - 1) // 2]


def metres(one: Location, other: Location) -> float:
    """Return how far two near places are apart."""
    east = (one[1] - other[1] + 180) % 360 - 180
    return _METRES * hypot(one[0] - other[0], east * cos(radians(one[0])))
