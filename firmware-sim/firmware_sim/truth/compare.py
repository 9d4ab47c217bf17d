"""What was measured against what is stored.

Readings are compared as multisets: by sensor, tags and values, and by time where the device states one. Of a sensor
whose ledger holds vehicles one by one (each has a ``peak_speed``), the gateway stores counts, and so the vehicles are
counted: their number and the sum of their highest speeds, by sensor and tags (a direction, a lane).
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from firmware_sim.truth.ledger import Taken, Truth
from firmware_sim.truth.points import StoredPoint, Value

_SHOWN = 10
_SPEED_ROUNDING = 0.06
"""km/h a vehicle: means are stored with one decimal or more."""
_LAST_DIGIT = 1.5e-6
"""Values are compared to six decimals, of which the last may be rounded otherwise."""

Words = tuple[tuple[str, Value], ...]
"""Names and values, sorted."""
Way = tuple[str, Words]
"""A sensor, and those of its tags that the ledger knows."""
Key = tuple[Way, int | None, Words]


@dataclass
class Counts:
    """How one kind of measurement fared: readings, and the vehicles of sensors that see them one by one."""

    measured: int = 0
    """Taken for certain."""
    uncertain: int = 0
    """Perhaps heard: right whether stored or not."""
    stored: int = 0
    lost: int = 0
    duplicated: int = 0
    """Stored more often than measured, or never measured at all."""

    def add(self, other: "Counts") -> None:
        """Add the counts of another kind or sensor."""
        self.measured += other.measured
        self.uncertain += other.uncertain
        self.stored += other.stored
        self.lost += other.lost
        self.duplicated += other.duplicated


@dataclass
class Report(Counts):
    """The sum over all kinds, each kind by itself, and the first differences in words."""

    by_measurement: dict[str, Counts] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)

    @property
    def exact(self) -> bool:
        """Tell whether everything that was measured is stored once, with the values that were measured."""
        return not self.lost and not self.duplicated and not self.differences


def compare(
    truth: Iterable[Taken] | Truth, stored: Iterable[StoredPoint], *, time_step: int = 1, field_by_field: bool = False
) -> Report:
    """Compare a ledger with what a database holds.

    ``time_step`` is the database's resolution in nanoseconds (1,000,000 for one that keeps milliseconds). Where two
    readings of a sensor fall into one step, a database that keeps each field by itself cannot tell which fields were
    one reading: ``field_by_field`` compares the fields of readings one by one, and counts them. Points of other
    measurements (the gateway's own health), and points without any field that the ledger knows for their
    sensor (a device's health), are left out.
    """
    measured: dict[str, list[Taken]] = defaultdict(list)
    for taken in truth:
        measured[taken.kind].append(taken)
    points: dict[str, list[StoredPoint]] = defaultdict(list)
    for point in stored:
        points[point.measurement].append(point)
    report = Report()
    for kind in sorted({*measured, *({"air_quality", "parking", "traffic"} & points.keys())}):
        counts = report.by_measurement[kind] = Counts()
        for found, words in _compare_kind(measured[kind], points[kind], time_step, apart=field_by_field):
            counts.add(found)
            report.differences += [f"{kind}: {difference}" for difference in words[:_SHOWN]]
        report.add(counts)
    return report


def _compare_kind(
    measured: Sequence[Taken], points: Sequence[StoredPoint], step: int, *, apart: bool
) -> Iterator[tuple[Counts, list[str]]]:
    """Compare what is read, and what is counted."""
    known = _Known(measured)
    yield _compare_readings(
        [taken for taken in measured if taken.stored_as not in known.counters],
        [point for point in points if not known.is_counted(point)],
        known,
        step,
        apart=apart,
    )
    yield _compare_vehicles(
        [taken for taken in measured if taken.stored_as in known.counters],
        [point for point in points if known.is_counted(point)],
        known,
    )


class _Known:
    """What the ledger knows of the sensors of one kind of measurement."""

    def __init__(self, measured: Iterable[Taken]) -> None:
        self.fields: dict[str, set[str]] = defaultdict(set)
        self.tags: dict[str, set[str]] = defaultdict(set)
        self.timed: set[str] = set()
        """Sensors that state a time of their own."""
        self.counters: set[str] = set()
        """Sensors that see each vehicle by itself."""
        for taken in measured:
            sensor = taken.stored_as
            self.fields[sensor] |= taken.fields.keys()
            self.tags[sensor] |= taken.tags.keys()
            if taken.time is not None:
                self.timed.add(sensor)
            if "peak_speed" in taken.fields:
                self.counters.add(sensor)
        self.anything = {name for names in self.fields.values() for name in names}

    def is_counted(self, point: StoredPoint) -> bool:
        """Tell whether a point says a number of vehicles, be it of an unknown sensor."""
        sensor = point.tags.get("sensor", "")
        return sensor in self.counters or (sensor not in self.fields and "intensity" in point.fields)

    def way(self, sensor: str, tags: Mapping[str, str]) -> Way:
        """Return where a reading belongs."""
        return sensor, tuple(sorted((name, tags[name]) for name in self.tags.get(sensor, set()) & tags.keys()))


def _compare_readings(
    measured: Sequence[Taken], points: Sequence[StoredPoint], known: _Known, step: int, *, apart: bool
) -> tuple[Counts, list[str]]:
    def keys(sensor: str, tags: Mapping[str, str], time: int | None, fields: Mapping[str, Value]) -> Collection[Key]:
        names = known.fields.get(sensor, known.anything) & fields.keys()
        values = tuple(sorted((name, _number(fields[name])) for name in names))
        when = time // step if time is not None and sensor in known.timed else None
        way = known.way(sensor, tags)
        if apart:
            return [(way, when, (value,)) for value in values]
        return [(way, when, values)] if values else ()

    certain: Counter[Key] = Counter()
    perhaps: Counter[Key] = Counter()
    for taken in measured:
        (certain if taken.certain else perhaps).update(keys(taken.stored_as, taken.tags, taken.time, taken.fields))
    found: Counter[Key] = Counter()
    for point in points:
        found.update(keys(point.tags.get("sensor", ""), point.tags, point.time, point.fields))

    lost = certain - found
    surplus = found - certain - perhaps
    for missing in list(lost.elements()):
        if same := next((other for other in surplus.elements() if _alike(missing, other)), None):
            lost -= Counter([missing])
            surplus -= Counter([same])
    counts = Counts(certain.total(), perhaps.total(), found.total(), lost.total(), surplus.total())
    words = [f"lost {_words(key)}" for key in lost]
    for identity in surplus:
        times = certain[identity] + perhaps[identity]
        how = f"stored {found[identity]} times, measured {times}" if times else "stored, but never measured"
        words.append(f"{how}: {_words(identity)}")
    return counts, words


def _compare_vehicles(
    measured: Sequence[Taken], points: Sequence[StoredPoint], known: _Known
) -> tuple[Counts, list[str]]:
    certain: dict[Way, list[float]] = defaultdict(list)
    perhaps: Counter[Way] = Counter()
    for taken in measured:
        way = known.way(taken.stored_as, taken.tags)
        if taken.certain:
            certain[way].append(float(taken.fields["peak_speed"]))
        else:
            perhaps[way] += 1
    number: Counter[Way] = Counter()
    speeds: dict[Way, float] = defaultdict(float)
    for point in points:
        if "intensity" in point.fields:
            way = known.way(point.tags.get("sensor", ""), point.tags)
            vehicles = int(point.fields["intensity"])
            number[way] += vehicles
            speeds[way] += vehicles * float(point.fields.get("average_vehicle_speed", 0.0))

    total, words = Counts(), []
    for way in sorted({*certain, *perhaps, *number}):
        real, maybe, seen = len(certain[way]), perhaps[way], number[way]
        counts = Counts(real, maybe, seen, max(0, real - seen), max(0, seen - real - maybe))
        total.add(counts)
        name = _name(way)
        if counts.lost or counts.duplicated:
            words.append(
                f"{name}: {seen} vehicles stored, {real} measured" + (f" and {maybe} uncertain" if maybe else "")
            )
        elif (
            not maybe and all(certain[way]) and abs(speeds[way] - sum(certain[way])) > _SPEED_ROUNDING * max(1, real)
        ):
            words.append(f"{name}: speeds add up to {speeds[way]:.1f} km/h stored, {sum(certain[way]):.1f} measured")
    return total, words


def _number(value: Value) -> Value:
    """Return a value as every database can say it: booleans and integers as floats, without rounding noise."""
    return value if isinstance(value, str) else round(float(value), 6)


def _alike(one: Key, other: Key) -> bool:
    """Tell whether two readings differ in nothing but the last digit of their numbers."""
    if one[:2] != other[:2] or len(one[2]) != len(other[2]):
        return False
    return all(
        name == also and (value == same or _close(value, same))
        for (name, value), (also, same) in zip(one[2], other[2], strict=True)
    )


def _close(one: Value, other: Value) -> bool:
    return isinstance(one, float) and isinstance(other, float) and abs(one - other) < _LAST_DIGIT


def _name(way: Way) -> str:
    sensor, tags = way
    return " ".join([sensor, *(str(value) for _, value in tags)])


def _words(key: Key) -> str:
    way, time, values = key
    what = ", ".join(f"{name}={value}" for name, value in values)
    return f"{_name(way)} {what}" + (f" at {time}" if time is not None else "")
