"""From a measurement to a line on its way to disk: range check, identity, time, encoding.

Every reading becomes one line of InfluxDB line protocol here and is never encoded again. What does not change from
one reading to the next (the series: measurement and tags) is worked out once and remembered: that makes it cheap.

Time: a device's own time where the driver vouches for it; else ours, strictly increasing within a series, unless the
clock turns out to have been far ahead, and marked where it had to be made up for that. While the machine's clock is
not known to be right, lines are clock-deferred: they carry the time since boot, and `gateway.delivery.forwarder`
sends them once that boot's offset is known.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

import structlog

from gateway import line_protocol
from gateway.clock import STEP, Timekeeper
from gateway.contract import FieldValue, Measurement, Quality, Reject, Remark
from gateway.health import Health, SensorHealth, SourceHealth
from gateway.ingest.delivery import Delivery
from gateway.ingest.fields import FieldEncoder
from gateway.ingest.one_series import contradiction, values_in
from gateway.ingest.settings import GatewayIdentity, SensorSettings
from gateway.refused import digest
from gateway.spool import format_time

MAX_SERIES = 20_000
"""Lines of more series than this are parked: somebody is inventing identities, and a database never forgets one."""

FAR = 600 * 1_000_000_000
"""A clock that is set back by less (ns) lets times stand still; one that is set back further was wrong before."""

LATEST = 2**63 - 2
"""The latest time that databases take, nanoseconds UTC: in the year 2262."""

FIRST_TIME = 946_684_800 * 1_000_000_000
"""The year 2000 (ns): no device that we read was made before."""


_GOOD = Quality.GOOD
"""Told by ``is``: to join two flags, or to ask one for its truth, costs as much as the line itself."""


class Reading(NamedTuple):
    """A measurement that was checked, named and stamped; what live sinks show."""

    kind: str
    sensor: str
    tags: Mapping[str, str]
    fields: Mapping[str, FieldValue]
    quality: Quality
    time: int
    location: tuple[float, float] | None


@dataclass(slots=True)
class Origin:
    """Where measurements come from, as the configuration says it.

    ``sensor`` names the one sensor of a serial device; None where messages name their own. ``park_unknown`` parks the
    lines of sensors that are not in ``[sensors]``; ``accept_retained`` takes what a broker had kept as of now.
    """

    source: str
    encoder: FieldEncoder
    sensor: str | None = None
    settings: SensorSettings = field(default_factory=SensorSettings)
    tags: Mapping[str, str] = field(default_factory=dict)
    park_unknown: bool = False
    accept_retained: bool = False


@dataclass(slots=True)
class _Last:
    """What was written last; one for all that goes into the same series of a database, whoever hears it."""

    time: int
    """The last of our stamps."""
    filled: int = 0
    """The number of the last delivery that got several lines, this one's among them; see `Intake._contradicted`."""
    values: dict[str, FieldValue] = field(default_factory=dict)
    """What the lines of that delivery say."""
    own_time: int | None = None
    """The last of the device's own times, and where the reading came from."""
    own_line: bytes = b""
    heard_by: SourceHealth | None = None


@dataclass(slots=True)
class _Series:
    prefix: bytes
    source: SourceHealth
    sensor: SensorHealth
    tags: dict[str, str]
    location: tuple[float, float] | None
    parked_for: str
    """Why its lines are parked; "" where they are readings."""
    last: _Last
    newest: int = -LATEST
    """The newest of the device's own times."""
    last_line: bytes = b""
    last_key: tuple[str | None, int | None] = (None, None)
    """Key and time: a message that holds several readings gives all of them one key."""


class Intake:
    """Turns measurements from every source into lines of a delivery.

    ``ahead`` has the newest time of each series that is stored already and still to come:
    see `gateway.ingest.recent_times`.
    """

    def __init__(
        self,
        gateway: GatewayIdentity,
        sensors: Mapping[str, SensorSettings],
        *,
        timekeeper: Timekeeper,
        health: Health,
        ahead: Mapping[bytes, int] = MappingProxyType({}),
        max_series: int = MAX_SERIES,
    ) -> None:
        self.subscribers: list[Callable[[Reading], None]] = []
        self._location = gateway.location
        self._gateway = gateway
        self._sensors = sensors
        self._timekeeper = timekeeper
        self._health = health
        self._ahead = ahead
        self._max_series = max_series
        self._max_ahead = int(gateway.max_ahead * 1e9)
        self._horizon = FIRST_TIME
        """A device's own time up to here is not too far ahead."""
        self._filling: Delivery | None = None
        self._fillings = 0
        """How many deliveries got several lines."""
        self._told_over = False
        self._series: dict[tuple[str, str, str, tuple[tuple[str, str], ...]], _Series] = {}
        self._lasts: dict[bytes, _Last] = {}

    def set_gateway_location(self, location: tuple[float, float]) -> None:
        """Set where the gateway stands, and with it every sensor that has no place of its own."""
        self._location = location

    def accept(
        self, measurement: Measurement, origin: Origin, delivery: Delivery, *, retained: bool = False
    ) -> Reject | None:
        """Add a measurement to its delivery as a line; return a `Reject` where it cannot become a reading."""
        if retained and measurement.time is None:
            # A retained message is what somebody once said; without its own time nobody knows when.
            if not origin.accept_retained:
                self._health.sources[origin.source].retained += 1
                return None
            measurement = measurement._replace(quality=measurement.quality | Quality.ESTIMATED_TIME)
        try:
            series = self._series_of(measurement, origin)
            text, doubt = origin.encoder.encode(measurement.fields)
            fields = text.encode()
            if measurement.time is not None and not FIRST_TIME <= measurement.time <= self._horizon:
                self._check_time(measurement.time)
        except ValueError as error:
            return Reject("range", b"", str(error))
        if series is None or not fields:
            missing = "no known field" if series is not None else "the message names no sensor"
            return Reject("unsupported", b"", missing)
        quality = measurement.quality if doubt is _GOOD else measurement.quality | doubt
        if delivery.arrival is not None:
            self._add_again(measurement, series, fields, quality, delivery)
            return None
        return self._add(measurement, series, fields, quality, delivery, retained=retained)

    def arrival(self) -> tuple[int, bytes | None]:
        """Return what time it is: UTC, or since the boot that is named, where nobody knows UTC."""
        now = self._timekeeper.now()
        clock = self._timekeeper.clock
        return (clock.since_boot(), clock.boot_id) if now is None else (now, None)

    def _check_time(self, time: int) -> None:
        """Raise ``ValueError`` where a device's own time cannot be right."""
        if not -LATEST <= time <= LATEST:
            raise ValueError(f"the time {time} ns is outside what a database can hold")
        if time < FIRST_TIME:
            raise ValueError(
                f"its own time {format_time(time)} is before the year 2000: is it in the unit that is set?"
            )
        now = self._timekeeper.now()
        if now is None:  # nobody can judge it
            return
        self._horizon = now + self._max_ahead
        if time > self._horizon:
            words = f"its own time {format_time(time)} is too far ahead of ours"
            raise ValueError(f"{words}; max_ahead in [gateway] says how far it may be")

    def _add(
        self,
        measurement: Measurement,
        series: _Series,
        fields: bytes,
        quality: Quality,
        delivery: Delivery,
        *,
        retained: bool,
    ) -> Reject | None:
        """Stamp, and add to the delivery unless it is a reading repeated, or contradicts one of the same time."""
        health = series.source
        time, key = measurement.time, (measurement.key, measurement.time)
        if measurement.key is not None and key == series.last_key:
            health.repeated += 1
            return None
        deferred = False
        if time is not None:
            stamped = time
        else:
            stamped, deferred, doubt = self._stamp(series)
            quality = quality if doubt is _GOOD else quality | doubt
        line = b"%s%s,quality=%di %d" % (series.prefix, fields, quality, stamped)
        if time is not None:
            # A device's own time is its identity: the same again is the same reading repeated. So is what a broker
            # retained, once something newer came: MQTT 3.1.1 brings it again with every connection.
            if line == series.last_line or (retained and time < series.newest):
                health.repeated += 1
                return None
            last = series.last
            if time == last.own_time and (what := contradiction(values_in(last.own_line), values_in(line))):
                return Reject("unsupported", b"", _two_things(series.sensor.sensor, what, time, last.heard_by))
            last.own_time = time
            series.newest = max(series.newest, time)
            last.own_line = line
            last.heard_by = health
        elif delivery.lines and (what := self._contradicted(series, line, delivery)):
            words = f"two values of {what} under {series.sensor.sensor}"
            remedy = "one message says both: give them tags, or a sensor each"
            health.remarked(Remark("doubtful", words, remedy))
        series.last_line, series.last_key = line, key
        health.readings += 1
        series.sensor.heard(measurement.fields, quality, self._timekeeper.clock.monotonic())
        if series.parked_for:
            delivery.park(series.parked_for, line, stamped, deferred=deferred)
        else:
            delivery.add(line, stamped, deferred=deferred)
            if self.subscribers:
                shown = self._timekeeper.clock.wall() if deferred else stamped
                self._show(series, measurement, quality | Quality.ESTIMATED_TIME if deferred else quality, shown)
        return None

    def _contradicted(self, series: _Series, line: bytes, delivery: Delivery) -> str:
        """Return the field that an earlier line of this message has with another value, "" for none."""
        # Mostly a message has one reading of a series, and nothing is to be compared: so each series notes which
        # delivery it is in. The first line of a delivery comes without that, for most have no other.
        if delivery is not self._filling:
            self._filling = delivery
            self._fillings += 1
        last = series.last
        if last.filled != self._fillings:
            last.filled = self._fillings
            first = delivery.lines[0][2]
            last.values = values_in(first) if first.startswith(series.prefix) else {}
        values = values_in(line)
        what = contradiction(last.values, values)
        last.values |= values
        return what

    def _add_again(
        self, measurement: Measurement, series: _Series, fields: bytes, quality: Quality, delivery: Delivery
    ) -> None:
        """Add a line of a message that is read again, with the time of its arrival, unless it gave that before."""
        arrival = delivery.arrival
        assert arrival is not None
        time = measurement.time
        deferred = False
        if time is None:
            time = max(arrival.time, arrival.used.get(series.prefix, arrival.time - 1) + 1)
            arrival.used[series.prefix] = time
            deferred = arrival.deferred
            quality |= Quality.ESTIMATED_TIME if arrival.estimated else Quality.GOOD
        line = b"%s%s,quality=%di %d" % (series.prefix, fields, quality, time)
        if digest(line, own_time=measurement.time is not None) in arrival.given:
            return
        if series.parked_for:
            delivery.park(series.parked_for, line, time, deferred=deferred)
        else:
            delivery.add(line, time, deferred=deferred)

    def _series_of(self, measurement: Measurement, origin: Origin) -> _Series | None:
        identity = origin.sensor or measurement.sensor
        if not identity:
            return None
        kind, tags = measurement.kind, measurement.tags
        key = (identity, kind, origin.source, tuple(sorted(tags.items())) if tags else ())
        series = self._series.get(key)
        if series is None:
            series = self._new_series(identity, kind, tags, origin)
            if len(self._series) < self._max_series or not series.parked_for:
                self._series[key] = series
                self._lasts[series.prefix] = series.last
        return series

    def _show(self, series: _Series, measurement: Measurement, quality: Quality, time: int) -> None:
        sensor, fields = series.sensor.sensor, measurement.fields
        location = series.location or self._location
        reading = Reading(measurement.kind, sensor, series.tags, fields, quality, time, location)
        for subscriber in self.subscribers:
            subscriber(reading)

    def _stamp(self, series: _Series) -> tuple[int, bool, Quality]:
        """Return our time for a reading, whether it is since boot, and the doubt about it."""
        now = self._timekeeper.now()
        stamped = self._timekeeper.clock.since_boot() if now is None else now
        ahead = series.last.time - stamped
        if 0 <= ahead < FAR:
            stamped = series.last.time + 1
        # Beyond that the clock was wrong before: one that was a year ahead must not hold the series for a year.
        series.last.time = stamped
        return stamped, now is None, Quality.ESTIMATED_TIME if STEP <= ahead < FAR else _GOOD

    def _new_series(self, identity: str, kind: str, tags: Mapping[str, str], origin: Origin) -> _Series:
        configured = origin.sensor is not None or identity in self._sensors
        settings = origin.settings if origin.sensor else self._sensors.get(identity, origin.settings)
        name = settings.id or identity
        own = self._gateway
        all_tags = {**own.tags, **origin.tags, **settings.tags, **tags}
        all_tags |= {"city": own.city, "gateway": own.id, "sensor": name}
        parked_for = "" if configured or not origin.park_unknown else f"unknown sensor {identity}"
        over = len(self._series) >= self._max_series and not configured
        if over:
            parked_for = f"more than {self._max_series} series"
        if parked_for and not (over and self._told_over):
            self._told_over = over
            structlog.get_logger().warning("readings are parked", reason=parked_for, source=origin.source)
        sensor = self._health.sensors.get(name)
        if sensor is None:
            sensor = SensorHealth(
                name, origin.source, kind, configured, settings.expect_every, self._timekeeper.clock.monotonic()
            )
            if len(self._health.sensors) < self._max_series:
                self._health.sensors[name] = sensor
        prefix = line_protocol.series(kind, all_tags)
        last = self._lasts.get(prefix) or _Last(self._floor(prefix))
        source = self._health.sources[origin.source]
        return _Series(prefix, source, sensor, all_tags, settings.location, parked_for, last)

    def _floor(self, prefix: bytes) -> int:
        """Return the time below which a new series must not begin: what an earlier run stored of it, if that is near.

        A clock that was a little ahead before the restart must not make two readings share a time; one that was a
        year ahead must not hold the clock for a year.
        """
        now, newest = self._timekeeper.now(), self._ahead.get(prefix, 0)
        return newest if now is not None and 0 <= newest - now < FAR else 0


def _two_things(sensor: str, what: str, time: int, heard_by: SourceHealth | None) -> str:
    source = "" if heard_by is None else f", from {heard_by.link.name}"
    return (
        f"{sensor} has another value of {what} at {format_time(time)} already{source}: two things have one"
        " name; tell them apart by tags, or give each a sensor"
    )
