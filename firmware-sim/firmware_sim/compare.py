"""What was measured against what is stored.

Readings are compared as multisets: by sensor and values, and by time where the device states one. Vehicles are
counted, because the gateway stores counts: their number and the sum of their highest speeds, by sensor and direction.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from firmware_sim.points import StoredPoint, Value
from firmware_sim.truth import Taken, Truth

_TRAFFIC = "traffic"
_SHOWN = 10
_SPEED_ROUNDING = 0.06
"""km/h a vehicle: means are stored with one decimal or more."""

Key = tuple[str, int | None, tuple[tuple[str, Value], ...]]


@dataclass
class Counts:
    """How one kind of measurement fared; vehicles for traffic, readings otherwise."""

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


def compare(truth: Iterable[Taken] | Truth, stored: Iterable[StoredPoint], *, time_step: int = 1) -> Report:
    """Compare a ledger with what a database holds.

    ``time_step`` is the database's resolution in nanoseconds (1,000,000 for one that keeps milliseconds). Points of
    other measurements (the gateway's own health), and points without any field that the ledger knows for their
    sensor (a device's health), are left out.
    """
    measured: dict[str, list[Taken]] = defaultdict(list)
    for taken in truth:
        measured[taken.kind].append(taken)
    points: dict[str, list[StoredPoint]] = defaultdict(list)
    for point in stored:
        points[point.measurement].append(point)
    report = Report()
    for kind in sorted({*measured, *({"air_quality", "parking", _TRAFFIC} & points.keys())}):
        if kind == _TRAFFIC:
            counts, words = _compare_vehicles(measured[kind], points[kind])
        else:
            counts, words = _compare_readings(measured[kind], points[kind], time_step)
        report.by_measurement[kind] = counts
        report.add(counts)
        report.differences += [f"{kind}: {difference}" for difference in words[:_SHOWN]]
    return report


def _compare_readings(
    measured: Sequence[Taken], points: Sequence[StoredPoint], step: int
) -> tuple[Counts, list[str]]:
    known: dict[str, set[str]] = defaultdict(set)
    timed: set[str] = set()
    for taken in measured:
        known[taken.stored_as] |= taken.fields.keys()
        if taken.time is not None:
            timed.add(taken.stored_as)
    anything = {name for names in known.values() for name in names}

    def key(sensor: str, time: int | None, fields: Iterable[tuple[str, Value]]) -> Key:
        names = known.get(sensor, anything)
        values = tuple(sorted((name, _number(value)) for name, value in fields if name in names))
        return sensor, time // step if time is not None and sensor in timed else None, values

    certain: Counter[Key] = Counter()
    perhaps: Counter[Key] = Counter()
    for taken in measured:
        (certain if taken.certain else perhaps)[key(taken.stored_as, taken.time, taken.fields.items())] += 1
    found: Counter[Key] = Counter()
    for point in points:
        identity = key(point.tags.get("sensor", ""), point.time, point.fields.items())
        if identity[2]:
            found[identity] += 1

    lost = certain - found
    surplus = found - certain - perhaps
    counts = Counts(certain.total(), perhaps.total(), found.total(), lost.total(), surplus.total())
    words = [f"lost {_words(key)}" for key in lost]
    for identity in surplus:
        times = certain[identity] + perhaps[identity]
        how = f"stored {found[identity]} times, measured {times}" if times else "stored, but never measured"
        words.append(f"{how}: {_words(identity)}")
    return counts, words


def _compare_vehicles(measured: Sequence[Taken], points: Sequence[StoredPoint]) -> tuple[Counts, list[str]]:
    certain: dict[tuple[str, str], list[float]] = defaultdict(list)
    perhaps: Counter[tuple[str, str]] = Counter()
    for taken in measured:
        way = taken.stored_as, taken.tags.get("direction", "")
        if taken.certain:
            certain[way].append(float(taken.fields["peak_speed"]))
        else:
            perhaps[way] += 1
    number: Counter[tuple[str, str]] = Counter()
    speeds: dict[tuple[str, str], float] = defaultdict(float)
    for point in points:
        if "intensity" in point.fields:
            way = point.tags.get("sensor", ""), point.tags.get("direction", "")
            vehicles = int(point.fields["intensity"])
            number[way] += vehicles
            speeds[way] += vehicles * float(point.fields.get("average_vehicle_speed", 0.0))

    total, words = Counts(), []
    for way in sorted({*certain, *perhaps, *number}):
        real, maybe, seen = len(certain[way]), perhaps[way], number[way]
        counts = Counts(real, maybe, seen, max(0, real - seen), max(0, seen - real - maybe))
        total.add(counts)
        name = " ".join(way)
        if counts.lost or counts.duplicated:
            words.append(
                f"{name}: {seen} vehicles stored, {real} measured" + (f" and {maybe} uncertain" if maybe else "")
            )
        elif not maybe and abs(speeds[way] - sum(certain[way])) > _SPEED_ROUNDING * max(1, real):
            words.append(f"{name}: speeds add up to {speeds[way]:.1f} km/h stored, {sum(certain[way]):.1f} measured")
    return total, words


def _number(value: Value) -> Value:
    """Return a value as every database can say it: booleans and integers as floats, without rounding noise."""
    return value if isinstance(value, str) else round(float(value), 6)


def _words(key: Key) -> str:
    sensor, time, values = key
    what = ", ".join(f"{name}={value}" for name, value in values)
    return f"{sensor} {what}" + (f" at {time}" if time is not None else "")
