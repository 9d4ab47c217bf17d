"""Messages in which everything is as described: the frequent case, read without the ceremony of the others.

It gives the same as `drivers.common.described_reading`, or None for whatever is to be looked at more closely.
"""

from collections.abc import Sequence
from itertools import groupby
from math import nan
from typing import Any, NamedTuple

from drivers.common.described_reading import Parts
from drivers.common.field_values import FieldReader
from drivers.common.message_paths import position_of
from drivers.common.message_places import PathReference, Place, is_of_topic, name_of
from drivers.common.text_values import LeftOut
from drivers.common.time_formats import EARLIEST
from drivers.common.times import LATEST
from gateway.contract import FieldValue, Measurement

MOST_TOPICS = 1000
"""Topics of which the sensor's name is remembered."""
MOST_WORDS = 64
"""Words of which the meaning is remembered for a field, and the letters of the longest of them."""
EXACT = 2**53
"""Beyond this, whole numbers are left to the others."""

Step = tuple[str, int | None]
"""A key, and the position that it is in a list, None where it can be none."""
_ELSEWHERE = object()
"""What stands where a path leads into something that is neither list nor object: a text may hold JSON."""


class _Field(NamedTuple):
    name: str
    last: Step
    low: float
    high: float
    scaling: tuple[float, float] | None
    optional: bool
    words: dict[object, FieldValue] | None
    reader: FieldReader


class PlainReader:
    """Reads objects whose fields, time and sensor are at paths without alternatives.

    ``alone`` has it leave messages with further elements in their lists to the others, which say so.
    """

    def __init__(self, parts: Parts, *, alone: bool) -> None:
        paths = [_steps(where) for _, where in parts.fields]
        self._time = _steps(parts.time)
        self.fits = not parts.tags and all(paths) and (parts.time is None or bool(self._time))
        self._kind, self._sensor, self._times = parts.kind, parts.sensor, parts.times
        self._alone = alone
        fields = [
            (path[:-1], _field(reader, path[-1]))
            for path, (reader, _) in zip(paths, parts.fields, strict=True)
            if path
        ]
        self._groups = [
            (steps, [field for _, field in found]) for steps, found in groupby(fields, key=lambda one: one[0])
        ]
        self._unit = parts.times.unit or 0
        self._names: dict[str, str] = {}
        """By topic, where that alone decides."""
        self._name_at = _steps(parts.sensor)

    def read(self, topic: str, message: dict[str, Any]) -> Measurement | None:
        """Return the reading, None where something is missing, doubtful or wrong."""
        fields = self._read_fields(message)
        if not fields:
            return None
        time = None
        if self._time:
            found = self._follow(message, self._time)
            time = found * self._unit if type(found) is int else 0
            if not EARLIEST <= time <= LATEST and (time := self._read_time(found)) is None:
                return None
        sensor = None
        if self._sensor is not None:
            sensor = self._names.get(topic)
            if sensor is None and (sensor := self._identify(topic, message)) is None:
                return None
        return Measurement(self._kind, fields, sensor, time)

    def _read_fields(self, message: dict[str, Any]) -> dict[str, FieldValue] | None:
        fields: dict[str, FieldValue] = {}
        for steps, group in self._groups:
            part = self._follow(message, steps) if steps else message
            is_object = type(part) is dict
            for name, last, low, high, scaling, optional, words, reader in group:
                found: Any = part.get(last[0]) if is_object else self._follow(part, (last,))
                kind = type(found)
                if kind is float or kind is int:
                    said = found
                    if scaling is not None:
                        said = round(found * scaling[0] + scaling[1], 9) if -EXACT < found < EXACT else nan
                    if low <= said <= high:
                        fields[name] = float(said) if kind is int else said
                        continue
                elif found is None and optional:
                    continue
                elif words is not None and (kind is str or kind is bool) and (known := words.get(found)) is not None:
                    fields[name] = known
                    continue
                value = _read_closely(found, reader, words)
                if value is None:
                    return None
                fields[name] = value
        return fields

    def _follow(self, message: Any, steps: Sequence[Step]) -> Any:  # noqa: ANN401 -- JSON may hold anything
        """Return what stands at a path, None for nothing."""
        for key, position in steps:
            if type(message) is dict:
                message = message.get(key)
            elif type(message) is list:
                if self._alone and len(message) > 1:
                    return _ELSEWHERE
                if position is None or not -len(message) <= position < len(message):
                    return None
                message = message[position]
            elif message is None:
                return None
            else:
                return _ELSEWHERE
        return message

    def _read_time(self, found: object) -> int | None:
        try:
            moment = self._times.read(found)
        except LeftOut:
            return None
        return None if moment.doubt else moment.time

    def _identify(self, topic: str, message: dict[str, Any]) -> str | None:
        assert self._sensor is not None
        try:
            if self._name_at:
                return name_of(self._follow(message, self._name_at))
            if not is_of_topic(self._sensor):
                return name_of(self._sensor.find(Place(message, message, topic)))
            name = name_of(self._sensor.find_in_topic(topic))
        except LeftOut:
            return None
        if len(self._names) < MOST_TOPICS:
            self._names[topic] = name
        return name


def _steps(where: object) -> tuple[Step, ...]:
    """Return the steps of a path that is plain; none where it is not."""
    keys = where.keys if isinstance(where, PathReference) else ()
    return tuple((key, position_of(key)) for key in keys)


def _field(reader: FieldReader, last: Step) -> _Field:
    words = dict(reader.words) if reader.words is not None else None
    low, high = reader.plainly if reader.scaling is None else reader.bounds
    return _Field(reader.name, last, low, high, reader.scaling, reader.source.optional, words, reader)


def _read_closely(
    found: Any,  # noqa: ANN401 -- JSON may hold anything
    reader: FieldReader,
    words: dict[object, FieldValue] | None,
) -> FieldValue | None:
    """Return the value of a field, None where something is missing or doubtful; words are remembered."""
    try:
        value = reader.read(found)
    except LeftOut:
        return None
    if reader.doubt(value):
        return None
    short = type(found) is bool or (type(found) is str and len(found) <= MOST_WORDS)
    if words is not None and short and len(words) < MOST_WORDS:
        words[found] = value
    return value
