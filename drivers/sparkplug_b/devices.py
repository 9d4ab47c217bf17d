"""State of a Sparkplug device: the meaning of its names and aliases, and the values that were read last."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from drivers.common.field_values import FieldReader
from drivers.common.text_values import LeftOut
from drivers.common.times import moment
from drivers.sparkplug_b.payload import Metric, Payload
from drivers.sparkplug_b.values import Refused, value_of
from gateway.contract import FieldValue, Measurement, Remark

_KINDS = ("parking", "air_quality", "traffic")
_OF_THE_PROTOCOL = ("bdSeq", "Node Control/", "Device Control/", "Properties/")
"""How the names begin of what a birth says about the node itself."""


class Meaning(NamedTuple):
    """What a metric's name means: a field of the vocabulary, the measurements that hold it, and how it is read."""

    field: str
    kinds: tuple[str, ...]
    reader: FieldReader


Meanings = Mapping[str, Meaning]


class Unborn(Refused):
    """Something that only a birth could define."""

    def __init__(self, detail: str) -> None:
        super().__init__("unsupported", detail)


@dataclass(slots=True)
class Known:
    """A metric that means something; ``datatype`` as its birth said it, None without one."""

    meaning: Meaning
    datatype: int | None = None
    last: tuple[int | None, FieldValue] | None = None
    """The time and value that were read last."""


class Reading(NamedTuple):
    """One value; ``time`` in nanoseconds UTC, None for that of its arrival."""

    time: int | None
    kind: str
    field: str
    value: FieldValue


class Said(NamedTuple):
    """What a message says: readings, what is left out of it, and the first of what could not be read."""

    readings: Iterable[Measurement] = ()
    remarks: Iterable[Remark] = ()
    problem: Refused | None = None


_REPEATED = Remark("empty", "values that were said before")


@dataclass(slots=True)
class Device:
    """A device, or the node's own metrics; ``kind`` is that of fields that several measurements share."""

    sensor: str
    kind: str | None
    known: dict[str, Known] = field(default_factory=dict)
    aliases: dict[int, Known | None] = field(default_factory=dict)
    """None for a metric without a meaning here."""
    heard: set[str] = field(default_factory=set)
    """The measurements it gave since it was last offline."""
    counted: int = 0
    """How much of it is in the sum of all devices."""

    def born(self, metrics: Iterable[Metric], meanings: Meanings, kind: str | None) -> None:
        """Take the metrics of a birth; ``kind`` is the configured one."""
        self.forget()
        metrics = list(metrics)
        unnumbered = [metric for metric in metrics if metric.alias is None]
        zero = unnumbered[0] if len(unnumbered) == 1 else None  # its alias is 0 where zeros are left out
        for metric in metrics:
            complete = metric.name is not None and metric.datatype is not None
            known = self._find(metric, meanings) if complete else None
            if known is not None:
                known.datatype = metric.datatype
            alias = 0 if metric is zero else metric.alias
            if alias is not None:
                self.aliases.setdefault(alias, known)
        own = {known.meaning.kinds for known in self.known.values() if known.datatype is not None}
        self.kind = kind or next((one for one in _KINDS if (one,) in own), self.kind)

    def forget(self) -> None:
        """Make the birth invalid: its aliases and datatypes no longer hold."""
        self.aliases.clear()
        for known in self.known.values():
            known.datatype = None

    def say(self, message: Payload, meanings: Meanings, *, own_time: bool, birth: bool) -> Said:
        """Return what a message says; where it has readings, nothing is said of metrics that mean no field."""
        readings: dict[tuple[int | None, str], dict[str, FieldValue]] = {}
        remarks: dict[Remark, None] = {}
        strangers: list[str] = []
        problem = None
        for metric in message.metrics:
            try:
                found = self._read(metric, meanings, message.time, own_time=own_time)
            except Refused as error:
                problem = problem or error
                continue
            if isinstance(found, Reading):
                readings.setdefault((found.time, found.kind), {})[found.field] = found.value
            elif found is None:
                strangers += [] if _is_of_the_protocol(metric) else [_name_of(metric)]
            elif not (birth and metric.absent):  # a birth names metrics that have no value yet
                remarks[found] = None
        self.heard.update(kind for _, kind in readings)
        said = [Measurement(kind, fields, self.sensor, time) for (time, kind), fields in readings.items()]
        if said:
            remarks.pop(_REPEATED, None)
        elif strangers:
            remarks[Remark("left out", "metrics of no known field", ", ".join(strangers)[:256])] = None
        return Said(said, remarks, problem)

    def offline(self, time: int | None) -> list[Measurement]:
        """Return the event offline for each kind of reading it gave, at ``time``, or None for now."""
        kinds, self.heard = sorted(self.heard), set()
        return [Measurement(kind, {"event": "offline"}, self.sensor, time) for kind in kinds]

    def _read(
        self, metric: Metric, meanings: Meanings, sent: int | None, *, own_time: bool
    ) -> Reading | Remark | None:
        """Return what a metric says, or why that is no reading; None for what means no field. Raises `Refused`.

        ``sent`` is the message's time in milliseconds, for metrics without.
        """
        known = self._find(metric, meanings)
        if known is None:
            return None
        name, kinds, reader = known.meaning
        path = reader.source.path
        if metric.absent:
            return Remark("left out", path, "null, transient, or not of good quality")
        try:
            value = value_of(metric.written, metric.datatype or known.datatype or 0)
            low, high = reader.plainly
            if type(value) is not float or not low <= value <= high:
                value = reader.read(value)
        except Refused as error:
            raise Refused(error.reason, f"{path} is {error}") from None
        except LeftOut as error:
            raise Refused("range", f"{path}: {error}") from None
        kind = kinds[0] if len(kinds) == 1 else self.kind
        if kind is None:
            raise Refused("unsupported", f"{path} may be of several measurements: set the option kind")
        if not own_time:
            if metric.historical:
                return Remark("left out", path, "a stored value, whose time does not count: the option time")
            return Reading(None, kind, name, value)
        return _dated(Reading(None, kind, name, value), known, metric, sent)

    def _find(self, metric: Metric, meanings: Meanings) -> Known | None:
        if metric.name is None:
            if metric.alias not in self.aliases:
                raise Unborn(f"no birth says what alias {metric.alias} is")
            return self.aliases[metric.alias]
        meaning = meanings.get(metric.name)
        if meaning is None:
            return None
        known = self.known.get(metric.name) or self.known.setdefault(metric.name, Known(meaning))
        if metric.datatype is None and known.datatype is None:
            raise Unborn(f"no birth says the datatype of {metric.name}")
        return known


def _dated(reading: Reading, known: Known, metric: Metric, sent: int | None) -> Reading | Remark:
    """Return a reading with its own time, or the remark that it was said before; raises `Refused`."""
    time = moment(sent if metric.time is None else metric.time, "ms")
    if time is None:
        raise Refused("range", f"{known.meaning.reader.source.path} has no time that can be")
    if not metric.historical:
        if known.last == (time, reading.value):
            return _REPEATED
        known.last = (time, reading.value)
    return reading._replace(time=time)


def _name_of(metric: Metric) -> str:
    return f"alias {metric.alias}" if metric.name is None else metric.name[:64]


def _is_of_the_protocol(metric: Metric) -> bool:
    return metric.name is not None and metric.name.startswith(_OF_THE_PROTOCOL)
