"""One reading out of a message: its fields, sensor, time and tags, each found and read as the configuration says."""

from collections.abc import Mapping
from typing import NamedTuple

from drivers.common.field_values import FieldReader, left_out
from drivers.common.message_places import Inexact, Place, Reference, name_of
from drivers.common.text_values import LeftOut, NoValue
from drivers.common.time_formats import TimeReader
from gateway.contract import FieldValue, Measurement, Quality, Remark

MOST_TAG_VALUES = 200
"""Values of one tag; a database keeps a series for each, for ever."""


_NO_TAGS: Mapping[str, str] = {}
_GOOD, _ESTIMATED = Quality.GOOD, Quality.ESTIMATED_TIME


class Parts(NamedTuple):
    """Where the parts of a reading are; ``step`` in nanoseconds."""

    kind: str
    fields: list[tuple[FieldReader, Reference]]
    sensor: Reference | None
    time: Reference | None
    times: TimeReader
    step: int
    tags: dict[str, Reference]


class ReadingReader:
    """Reads one element of a message; remembers the values of its tags, to tell when there are too many."""

    def __init__(self, parts: Parts) -> None:
        self._kind, fields, self._sensor, self._time, self._times, self._step, self._tags = parts
        self._fields = [
            (reader.name, getattr(where, "key", None), *reader.plainly, reader, where) for reader, where in fields
        ]
        self._seen: dict[str, set[str]] = {name: set() for name in self._tags}

    def read(self, place: Place, position: int) -> tuple[list[Remark], Measurement]:
        """Return the reading of one element, and what is to be said of it; raises `LeftOut`."""
        fields: dict[str, FieldValue] = {}
        remarks: list[Remark] = []
        errors: list[LeftOut] = []
        keys = place.element if type(place.element) is dict else None
        for name, key, low, high, reader, where in self._fields:
            try:
                found = where.find(place) if keys is None or key is None else keys.get(key)
                if type(found) is float and low <= found <= high:
                    fields[name] = found  # by far the most frequent case; the same as below
                elif found is not None:
                    fields[name] = value = reader.read(found)
                    if doubt := reader.doubt(value):
                        remarks.append(Remark("doubtful", name, doubt))
                elif not reader.source.optional:
                    raise NoValue(f"nothing at {reader.source.path}")
            except LeftOut as error:
                remarks.append(left_out(name, error))
                errors.append(error)
        if not fields:
            raise _none_left(remarks, errors)
        time, quality = self._moment(place, position, remarks) if self._time is not None else (None, _GOOD)
        tags = self._read_tags(place, remarks) if self._tags else _NO_TAGS
        sensor = self._identify(self._sensor, place) if self._sensor is not None else None
        return remarks, Measurement(self._kind, fields, sensor, time, None, quality, tags)

    def _moment(self, place: Place, position: int, remarks: list[Remark]) -> tuple[int, Quality]:
        assert self._time is not None
        found = self._time.find(place)
        if found is None:
            raise NoValue("no time in it")
        try:
            time, doubt, estimated = self._times.read(found)
        except LeftOut as error:
            raise LeftOut(f"time: {error}") from None
        if doubt:
            remarks.append(Remark("doubtful", "time", doubt))
        return time + position * self._step, _ESTIMATED if estimated else _GOOD

    @staticmethod
    def _identify(where: Reference, place: Place) -> str:
        try:
            return name_of(where.find(place))
        except (NoValue, Inexact):
            raise
        except LeftOut as error:
            raise LeftOut(f"sensor: {error}") from None

    def _read_tags(self, place: Place, remarks: list[Remark]) -> dict[str, str]:
        tags = {}
        for name, where in self._tags.items():
            value = where.find(place)
            if value is None:
                raise NoValue(f"the tag {name} is not in it, without which two series would be one")
            try:
                tags[name] = str(value).lower() if isinstance(value, bool) else name_of(value)
            except LeftOut as error:
                raise LeftOut(f"the tag {name}: {error}") from None
            seen = self._seen[name]
            if tags[name] not in seen:
                if len(seen) >= MOST_TAG_VALUES:
                    remarks.append(Remark("doubtful", f"tag {name}", f"more than {MOST_TAG_VALUES} values"))
                else:
                    seen.add(tags[name])
        return tags


def _none_left(remarks: list[Remark], errors: list[LeftOut]) -> LeftOut:
    if not errors:
        return NoValue("none of the fields is in it")
    kind = NoValue if all(isinstance(error, NoValue) for error in errors) else LeftOut
    return kind("; ".join(f"{remark.what}: {remark.detail}" for remark in remarks[:5]))
