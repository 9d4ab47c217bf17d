"""Flat messages in which everything is as described: the frequent case, read without the ceremony of the others.

It gives the same as `drivers.common.described_reading`, or None for whatever is to be looked at more closely.
"""

from typing import Any

from drivers.common.described_reading import Parts
from drivers.common.message_places import PathReference, Place, is_of_topic, name_of
from drivers.common.text_values import LeftOut
from drivers.common.time_formats import EARLIEST
from drivers.common.times import LATEST
from gateway.contract import FieldValue, Measurement

MOST_TOPICS = 1000
"""Topics of which the sensor's name is remembered."""


class FlatReader:
    """Reads objects whose fields and time are keys at the top."""

    def __init__(self, parts: Parts) -> None:
        keys = [_key(where) or "" for _, where in parts.fields]
        self.fits = not parts.tags and "" not in keys and (parts.time is None or _key(parts.time) is not None)
        self._kind, self._sensor, self._times = parts.kind, parts.sensor, parts.times
        self._fields = [
            (reader.name, key, *reader.plainly, reader) for key, (reader, _) in zip(keys, parts.fields, strict=True)
        ]
        self._time = _key(parts.time)
        self._unit = parts.times.unit or 0
        self._names: dict[str, str] | None = {} if is_of_topic(parts.sensor) else None
        """By topic."""

    def read(self, topic: str, message: dict[str, Any]) -> Measurement | None:
        """Return the reading, None where something is missing, doubtful or wrong."""
        fields = self._read_fields(message)
        if not fields:
            return None
        time = None
        if self._time is not None:
            found = message.get(self._time)
            time = found * self._unit if type(found) is int else 0
            if not EARLIEST <= time <= LATEST and (time := self._read_time(found)) is None:
                return None
        sensor = None
        if self._sensor is not None:
            sensor = self._names.get(topic) if self._names is not None else None
            if sensor is None and (sensor := self._identify(topic, message)) is None:
                return None
        return Measurement(self._kind, fields, sensor, time)

    def _read_fields(self, message: dict[str, Any]) -> dict[str, FieldValue] | None:
        fields: dict[str, FieldValue] = {}
        for name, key, low, high, reader in self._fields:
            found = message.get(key)
            if type(found) is not float or not low <= found <= high:
                if found is None and reader.source.optional:
                    continue
                try:
                    found = reader.read(found)
                except LeftOut:
                    return None
                if reader.doubt(found):
                    return None
            fields[name] = found
        return fields

    def _read_time(self, found: object) -> int | None:
        try:
            moment = self._times.read(found)
        except LeftOut:
            return None
        return None if moment.doubt else moment.time

    def _identify(self, topic: str, message: dict[str, Any]) -> str | None:
        assert self._sensor is not None
        try:
            name = name_of(self._sensor.find(Place(message, message, topic)))
        except LeftOut:
            return None
        if self._names is not None and len(self._names) < MOST_TOPICS:
            self._names[topic] = name
        return name


def _key(where: object) -> str | None:
    return where.key if isinstance(where, PathReference) else None
