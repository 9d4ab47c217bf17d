"""What the daemon knows about itself: counters, and every sensor's last sign of life.

Plain numbers, written from the event loop only and read by what shows them (status topic, health page, log);
nothing here decides anything but what is worth a word. Ages are seconds on the monotonic clock: a wrong wall clock
makes no sensor look dead.
"""

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple

import structlog

from gateway.clock import Clock
from gateway.contract import FieldValue, Reject, Remark
from gateway.refused import RefusedLevels
from gateway.refused.telling import Barren, Reasons, Share
from gateway.spool import UNKNOWN_SENSORS, Pressure
from gateway.supervise import STARTING, Liveness
from gateway.units import format_size

REJECTS_KEPT = 8
"""The last few rejects of a source, for a person to look at."""

CLOCK_OFF = 2.0
"""A clock vouched for that differs from satellite time by more than this (s) is a problem: one of them is wrong."""

RECEIVER_QUIET = 3600.0
"""With a receiver for its only clock, a gateway that has had no word of it for so long (s) has a problem."""

MOST_REMARKS = 100
"""Remarks of a source that are told apart; what is beyond is counted together."""

MOST_REFUSED = 1_000
"""Sensors of which it is remembered that something of theirs was refused: invented names cost no more."""

MANY = 0.8
"""A spool filled beyond this with readings that some sink has not taken is a problem."""


BARREN_MESSAGES = 5
BARREN_SECONDS = 60.0
"""A source that makes no reading of so many messages, in so long (s), has a problem."""


class Rejected(NamedTuple):
    """A reject as a person looks at it: where it came from, and when (seconds that never step)."""

    reason: str
    raw: bytes
    detail: str
    topic: str
    at: float


def first_bytes(raw: bytes) -> str:
    """Return how bytes begin, as text where they are text."""
    try:
        text = raw[:64].decode()
    except UnicodeDecodeError as error:
        cut = error.start > 60  # in the middle of a letter
        text = raw[: error.start].decode() if cut else ""
    text = " ".join(text.split())
    return text if text and text.isprintable() else raw[:32].hex(" ")


@dataclass(slots=True)
class SourceHealth:
    """One serial line or broker; what is new about what it says is logged."""

    link: Liveness
    messages: int = 0
    readings: int = 0
    repeated: int = 0
    retained: int = 0
    commands: int = 0
    empty: int = 0
    """Messages that were understood and hold nothing to store: a node's birth, or what only has the driver ask."""
    rejects: Counter[str] = field(default_factory=Counter)
    last_rejects: deque[Rejected] = field(default_factory=lambda: deque(maxlen=REJECTS_KEPT))
    remarks: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By kind and what."""
    answers: Counter[int] = field(default_factory=Counter)
    """Of an HTTP source, by status."""
    refused: int = 0
    """Messages, or sound frames, of which no reading was made, or not of all: they are in the store of those."""
    counted: int = 0
    """How many of them are only counted there."""
    tells_retained: bool = True
    """Whether a person should be told of retained messages that are left out."""
    _reasons: Reasons = field(default_factory=Reasons)
    _share: Share = field(init=False)
    _barren: Barren = field(init=False)

    def __post_init__(self) -> None:
        now = self.link.clock.monotonic()
        self._share = Share(now)
        self._barren = Barren(now)

    def rejected(self, reject: Reject, topic: str = "") -> None:
        """Count a reject, keep its beginning, and log it where its reason is new or its rate has changed tenfold."""
        now = self.link.clock.monotonic()
        self.rejects[reject.reason] += 1
        self.last_rejects.append(Rejected(reject.reason, reject.raw[:64], reject.detail, topic, now))
        if often := self._reasons.note(reject.reason, reject.detail, now):
            structlog.get_logger().warning(
                "message refused",
                source=self.link.name,
                topic=topic,
                reason=reject.reason,
                detail=reject.detail,
                begins=first_bytes(reject.raw),
                often=often,
                remedy="prehod refused list shows what is kept; prehod refused retry reads it again",
            )

    def remarked(self, remark: Remark, topic: str = "") -> None:
        """Count a remark, and log it as `rejected` does."""
        key = (remark.kind, remark.what)
        self.remarks[key if key in self.remarks or len(self.remarks) < MOST_REMARKS else (remark.kind, "other")] += 1
        if often := self._reasons.note(remark.kind, remark.what, self.link.clock.monotonic()):
            log = structlog.get_logger()
            (log.info if remark.kind == "empty" else log.warning)(
                f"message {remark.kind}",
                source=self.link.name,
                topic=topic,
                what=remark.what,
                detail=remark.detail,
                often=often,
            )

    def sample(self, now: float) -> None:
        """Take note of the counters, once a second."""
        self._share.sample(now, self.refused, self.readings)
        self._barren.sample(now, self.refused, self.readings)

    def findings(self, now: float) -> Iterator[str]:
        """Say what a person should look at in what it hears."""
        last = (
            f", the last: {self.last_rejects[-1].detail or self.last_rejects[-1].reason}" if self.last_rejects else ""
        )
        if self._barren.is_barren(now, BARREN_MESSAGES, BARREN_SECONDS):
            yield f"hears messages and makes no reading of them: {self._barren.heard} refused{last}"
        elif self._share.jumped:
            usual = self._share.usual or 0.0
            yield f"{self._share.now:.0%} of what it says is refused, and it was {usual:.0%}{last}"
        if self.retained and self.tells_retained:
            yield (
                f"{self.retained} retained messages without a time of their own were left out: set retained ="
                ' "accept" to store them with the time of arrival, or "skip" to say that this is right'
            )


@dataclass(slots=True)
class SinkHealth:
    """One database or live broker."""

    link: Liveness
    readings: int = 0
    quarantined: int = 0
    pending: int = 0
    last_success: float | None = None

    def took(self, count: int) -> None:
        """Count readings that it has confirmed."""
        self.readings += count
        self.last_success = self.link.clock.monotonic()


@dataclass(slots=True)
class SensorHealth:
    """One sensor, as last heard of."""

    sensor: str
    source: str
    kind: str
    configured: bool
    expect_every: float | None
    seen: float
    readings: int = 0
    quality: int = 0
    values: Mapping[str, FieldValue] = field(default_factory=dict)

    def heard(self, values: Mapping[str, FieldValue], quality: int, now: float) -> None:
        """Note a sign of life."""
        self.seen = now
        self.readings += 1
        self.values = values
        self.quality = quality

    def quiet(self, now: float) -> bool:
        """Tell whether it has been silent for longer than the configuration expects."""
        return self.expect_every is not None and now - self.seen > self.expect_every


@dataclass(slots=True)
class Refused:
    """Readings that were turned away by one rule, not yet in the loss ledger; times are nanoseconds UTC."""

    why: str
    first_time: int
    last_time: int = 0
    count: int = 0
    sensors: set[str] = field(default_factory=set)


@dataclass(slots=True)
class GnssHealth:
    """What the gateway's own satellite receiver tells of its clock; differences are seconds, positive for ahead."""

    source: str
    heard: float | None = None
    clock_off: float | None = None
    """The machine's clock against satellite time; a sentence's way, up to half a second, is in it."""
    disbelieved: float | None = None
    """Satellite time against what it was before, where it jumped and is not followed."""

    def problems(self, clock_source: str, since: float) -> Iterator[str]:
        """Say what is wrong with it; ``since`` is the seconds since it was heard, or since the start."""
        if self.disbelieved is not None:
            way = "ahead" if self.disbelieved > 0 else "back"
            yield f"clock: {self.source} jumped {abs(self.disbelieved):.1f} s {way}, and is not believed"
        if since > RECEIVER_QUIET:
            if clock_source == "gnss":
                yield f"clock: no word of {self.source} for {since:.0f} s, and there is no other"
        elif clock_source != "gnss" and self.clock_off is not None and abs(self.clock_off) > CLOCK_OFF:
            way = "ahead of" if self.clock_off > 0 else "behind"
            yield f"clock: {abs(self.clock_off):.1f} s {way} the satellites' time of {self.source}"


class Health:
    """Everything above, together."""

    def __init__(self, gateway: str, city: str, clock: Clock) -> None:
        self.gateway = gateway
        self.city = city
        self.clock = clock
        self.started = clock.monotonic()
        self.sources: dict[str, SourceHealth] = {}
        self.sinks: dict[str, SinkHealth] = {}
        self.sensors: dict[str, SensorHealth] = {}
        self.web = Liveness("web", clock)
        self.commits = 0
        self.committed = 0
        self.refused = 0
        self.refusals: dict[str, Refused] = {}
        self.kept: RefusedLevels | None = None
        """How full the store of refused messages is."""
        self.quarantined: dict[str, int] = {}
        """Bytes of lines in the quarantine, by whose they are."""
        self.pressure: Pressure | None = None
        self.stuck: list[str] = []
        self.clock_steps = 0
        self.clock_known = False
        self.clock_source = "unknown"
        self.gnss: GnssHealth | None = None
        self.location: tuple[float, float] | None = None
        self.location_source = "unknown"
        self.spool_problem = ""
        self.last_run = ""
        """What befell the run before this one, "" if it stopped in good order."""

    def source(self, name: str) -> SourceHealth:
        """Return the counters of a source, made at the first call."""
        return self.sources.setdefault(name, SourceHealth(Liveness(name, self.clock)))

    def sink(self, name: str) -> SinkHealth:
        """Return the counters of a sink, made at the first call."""
        return self.sinks.setdefault(name, SinkHealth(Liveness(name, self.clock)))

    def refuse(self, rule: str, why: str, count: int, sensors: Iterable[str]) -> None:
        """Note readings that are turned away, for the loss ledger; ``rule`` names the reason for machines."""
        now = self.clock.wall()
        found = self.refusals.setdefault(rule, Refused(why, now))
        found.last_time = now
        found.count += count
        found.sensors.update(islice(sensors, max(0, MOST_REFUSED - len(found.sensors))))
        self.refused += count

    def sample_sources(self) -> None:
        """Take note of what the sources hear, once a second: see `SourceHealth.findings`."""
        now = self.clock.monotonic()
        for source in self.sources.values():
            source.sample(now)

    def problems(self) -> list[str]:
        """Return what a person should look at, in words; empty when there is nothing."""
        now = self.clock.monotonic()
        found = [f"{name}: {s.link.problem}" for name, s in self.sources.items() if not s.link.up]
        found += [f"{name}: {problem}" for name, s in self.sources.items() for problem in s.link.problems.values()]
        # A sink that has not been tried, for there was nothing to send, is no problem.
        tried = [(name, s.link) for name, s in self.sinks.items() if s.link.problem != STARTING]
        found += [f"{name}: {link.problem}" for name, link in tried if not link.up]
        if not self.web.up and self.web.problem != STARTING:
            found.append(f"web: {self.web.problem}")
        found += [f"{s.sensor}: quiet for {now - s.seen:.0f} s" for s in self.sensors.values() if s.quiet(now)]
        found += self.stuck
        found += [f"{name}: {what}" for name, s in self.sources.items() for what in s.findings(now)]
        found += [f"quarantine: {words}" for words in map(_quarantined, self.quarantined, self.quarantined.values())]
        if self.kept is not None and self.kept.bytes >= MANY * self.kept.max_bytes and self.kept.kept:
            room = f"{format_size(self.kept.bytes)} of {format_size(self.kept.max_bytes)}"
            found.append(f"refused messages: {room} used, the oldest go next; see prehod refused list")
        if self.spool_problem:
            found.append(f"spool: {self.spool_problem}")
        if self.pressure is not None and self.pressure.fill >= MANY:
            found.append(f"spool: {self.pressure.words()}")
        if not self.clock_known:
            found.append("clock: not known to be right, readings are clock-deferred")
        elif (gnss := self.gnss) is not None:
            found += gnss.problems(self.clock_source, now - (gnss.heard or self.started))
        return found

    def snapshot(self) -> dict[str, Any]:
        """Return the whole state as plain values, for JSON."""
        now = self.clock.monotonic()
        return {
            "gateway": self.gateway,
            "city": self.city,
            "uptime_s": round(now - self.started, 1),
            "last_run": self.last_run or "stopped in good order",
            "clock_known": self.clock_known,
            "clock_steps": self.clock_steps,
            "clock_source": self.clock_source,
            "location": self.location,
            "location_source": self.location_source,
            "gnss": None if self.gnss is None else _gnss(self.gnss, now),
            "readings": {"committed": self.committed, "commits": self.commits, "refused": self.refused},
            "refused_messages": None if self.kept is None else self.kept._asdict(),
            "quarantined_bytes": self.quarantined,
            "pressure": None if self.pressure is None else self.pressure.plain(),
            "sources": {name: _source(source, now) for name, source in self.sources.items()},
            "sinks": {name: _sink(sink, now) for name, sink in self.sinks.items()},
            "sensors": {
                "seen": len(self.sensors),
                "quiet": sorted(s.sensor for s in self.sensors.values() if s.quiet(now)),
                "not_configured": sorted(s.sensor for s in self.sensors.values() if not s.configured)[:100],
            },
            "problems": self.problems(),
        }


def _gnss(gnss: GnssHealth, now: float) -> dict[str, Any]:
    return {
        "source": gnss.source,
        "heard_s": None if gnss.heard is None else round(now - gnss.heard, 1),
        "clock_off_s": None if gnss.clock_off is None else round(gnss.clock_off, 3),
        "disbelieved_s": None if gnss.disbelieved is None else round(gnss.disbelieved, 3),
    }


def _quarantined(whose: str, size: int) -> str:
    what = "lines of unknown sensors" if whose == UNKNOWN_SENSORS else f"lines that {whose} will never take"
    return f"{format_size(size)} of {what}; see prehod spool quarantine list"


def _source(source: SourceHealth, now: float) -> dict[str, Any]:
    return {
        "up": source.link.up,
        "problem": source.link.problem,
        "restarts": source.link.restarts,
        "messages": source.messages,
        "readings": source.readings,
        "repeated": source.repeated,
        "commands": source.commands,
        "retained": source.retained,
        "empty": source.empty,
        "refused": source.refused,
        "counted_only": source.counted,
        "rejects": dict(source.rejects),
        **({"answers": {str(status): count for status, count in source.answers.items()}} if source.answers else {}),
        "last_rejects": [
            {
                "reason": one.reason,
                "detail": one.detail,
                "topic": one.topic,
                "begins": first_bytes(one.raw),
                "ago_s": round(now - one.at, 1),
            }
            for one in source.last_rejects
        ],
        "remarks": {f"{kind}: {what}": count for (kind, what), count in source.remarks.items()},
    }


def _sink(sink: SinkHealth, now: float) -> dict[str, Any]:
    return {
        "up": sink.link.up,
        "problem": sink.link.problem,
        "readings": sink.readings,
        "quarantined": sink.quarantined,
        "pending": sink.pending,
        "last_success_s": None if sink.last_success is None else round(now - sink.last_success, 1),
    }
