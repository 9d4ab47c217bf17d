"""What came of a torture run: the count, as one line of JSON or as a table."""

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from firmware_sim.torture.site import Site
from firmware_sim.truth.compare import compare
from firmware_sim.truth.points import StoredPoint


@dataclass
class Outcome:
    """The figures; readings everywhere, for a radar vehicles."""

    seed: int
    seconds: float
    published: int = 0
    """Messages with a PUBACK, and readings that the gateway took from a serial line."""
    stored: int = 0
    lost: int = 0
    duplicated: int = 0
    quarantined: int = 0
    lost_in_stated_window: int = 0
    """Serial readings taken less than a commit before a kill."""
    stated_window_holds: int = 0
    """How many could have been lost so: the bound."""
    lost_unsaved_by_broker: int = 0
    """Acknowledged by the broker between its last save and its kill."""
    faults: Counter[str] = field(default_factory=Counter)
    skipped: dict[str, str] = field(default_factory=dict)
    kills: int = 0
    worst_recovery_seconds: float = 0.0
    worst_recovery_from: str = ""
    not_recovered: list[str] = field(default_factory=list)
    drained: bool = False
    differences: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Tell whether all is there, once, and everything was got over."""
        return not self.lost and not self.duplicated and self.drained and not self.not_recovered

    def as_json(self) -> dict[str, Any]:
        """Return the line for machines."""
        return {**asdict(self), "faults": dict(sorted(self.faults.items()))}

    def table(self) -> str:
        """Return the table for people."""
        rows = [f"{count:>8}  {name}" for name, count in sorted(self.faults.items())]
        rows += [f"{'skipped':>8}  {name}: {why}" for name, why in self.skipped.items()]
        rows.append("")
        figures = ("published", "stored", "lost", "duplicated", "quarantined", "lost_in_stated_window")
        rows += [f"{getattr(self, name):>8,}  {name.replace('_', ' ')}" for name in figures]
        rows.append(f"{self.lost_unsaved_by_broker:>8,}  lost unsaved by the broker")
        rows.append(f"{self.worst_recovery_seconds:>8.1f}  worst recovery, seconds ({self.worst_recovery_from})")
        rows += [f"  {words}" for words in (*self.differences, *self.not_recovered)]
        if not self.drained:
            rows.append("  the gateway still had readings to deliver at the end")
        rows.append("")
        rows.append("nothing lost, nothing twice" if self.passed else "THE DATABASE DIFFERS FROM THE TRUTH")
        return "\n".join(rows)

    def count(self, site: Site, points: list[StoredPoint]) -> None:
        """Compare what is stored with what was said, and allow what is promised no better."""
        self.kills, self.quarantined = site.kills, site.quarantined()
        others = [point for point in points if not site.numbers.mine(point)]
        by_broker = [window for window in site.windows if window.kind == "mqtt"]
        strict = compare(site.diary, others)
        with_serial = compare(site.diary.allowing(set(site.windows) - set(by_broker)), others)
        allowed = compare(site.diary.allowing(site.windows), others)
        self.published += strict.measured
        self.stored += strict.stored
        self.lost += allowed.lost
        self.duplicated += allowed.duplicated
        self.lost_in_stated_window = strict.lost - with_serial.lost
        self.stated_window_holds = strict.measured - with_serial.measured
        self.lost_unsaved_by_broker = with_serial.lost - allowed.lost
        self.differences += allowed.differences
        self._count_numbers(site, points)

    def _count_numbers(self, site: Site, points: list[StoredPoint]) -> None:
        numbers, found = site.numbers, site.numbers.found(points)
        unsaved = {
            number
            for number, moment in numbers.acknowledged.items()
            if any(window.holds("mqtt", moment) for window in site.windows)
        }
        missing = set(numbers.acknowledged) - set(found)
        surplus = found - Counter(set(numbers.acknowledged) | numbers.doubtful)
        self.published += len(numbers.acknowledged)
        self.stored += found.total()
        self.lost += len(missing - unsaved)
        self.lost_unsaved_by_broker += len(missing & unsaved)
        self.duplicated += surplus.total()
        if missing - unsaved:
            self.differences.append(f"numbers lost: {sorted(missing - unsaved)[:20]}")
        if surplus:
            self.differences.append(f"numbers twice: {sorted(surplus)[:20]}")
