"""Messages that the configuration describes: what is where in them, and the readings that they hold.

A driver that turns its payload into objects, lists, texts and numbers needs nothing else: see `drivers.json`.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Annotated, Any

from pydantic import Field, model_validator

from drivers.common.described_plain import PlainReader
from drivers.common.described_reading import Parts, ReadingReader
from drivers.common.field_sources import Sources
from drivers.common.field_values import FieldReader, check_sources
from drivers.common.json_messages import Output, refuse
from drivers.common.message_elements import MOST_ELEMENTS, Elements, first_of
from drivers.common.message_places import Inexact, Place, reference
from drivers.common.text_values import LeftOut, NoValue
from drivers.common.time_formats import TimeReader
from gateway.contract import Duration, Kind, Measurement, Options, Reject, Remark

RESERVED_TAGS = frozenset({"city", "gateway", "sensor", "time"})


class DescribedOptions(Options):
    """The description of one kind of message."""

    kind: Kind = Field(examples=["air_quality"])
    """air_quality, parking, position, traffic, or a measurement of the configuration's own."""
    fields: Sources = Field(examples=[{"pm25": "values.0.pm2_5"}])
    """Where each field is: a path, or a table with ``path`` and, as needed, ``unit``, ``scale``, ``offset``,
    ``equals``, ``true_values``, ``false_values``, ``values``, ``no_value``, ``decimal_comma``, ``thousands``,
    ``optional``."""
    sensor: str | None = None
    """Where the sensor's name is: a path, ``topic:1``, ``const:NAME``, or several: ``{model}-{topic:1}-{id}``; left
    out where the configuration names the sensor."""
    time: str | None = None
    """Where the time is; left out, it is that of arrival."""
    time_format: str = "auto"
    """auto, rfc3339, the unit of a number since 1970 (s, ms, us, ns), or a pattern: ``%d.%m.%Y %H:%M:%S``."""
    time_zone: str | None = None
    """The zone of times that name none: ``Europe/Ljubljana``, ``UTC``, ``+01:00``."""
    each: str | None = None
    """The path to the elements that are a reading each, in a list or a map; "" for the message itself."""
    step: Annotated[Duration, Field(gt=0)] | None = None
    """The time from one element to the next, where ``time`` is that of the first."""
    tags: dict[str, str] = Field(default_factory=dict)
    """Tags that tell series apart, and where each is: ``{ lane = "lane", direction = "topic:2" }``."""

    @property
    def readable_topics(self) -> tuple[str, ...]:
        """Topics with as many levels as the sensor's name needs."""
        level = (self.sensor or "").removeprefix("topic:")
        if level == self.sensor or not level.removeprefix("-").isdecimal():
            return ()
        number = int(level)
        return ("/".join(["+"] * (number + 1 if number >= 0 else -number)) + "/#",)

    @model_validator(mode="after")
    def _can_work(self) -> "DescribedOptions":
        check_sources(self.kind, self.fields, self.vocabulary)
        DescribedReader(self)
        return self


class DescribedReader:
    """Reads messages of one description; raises ``ValueError``, with the option's name, for one that cannot work."""

    def __init__(self, options: DescribedOptions) -> None:
        self._elements: Elements | None = None if options.each is None else _made("each", Elements, options.each)
        names = self._elements.names if self._elements else frozenset[str]()

        def place(option: str, text: str | None, *, is_name: bool = False) -> Any:  # noqa: ANN401 -- a reference, or None
            return None if text is None else _made(option, partial(reference, is_name=is_name), text, names)

        fields = [
            (FieldReader(options.vocabulary[name], source), place(f"fields.{name}", source.path))
            for name, source in options.fields.items()
        ]
        tags = {name: place(f"tags.{name}", where, is_name=True) for name, where in options.tags.items()}
        for name in tags.keys() & {*RESERVED_TAGS, *options.fields}:
            raise ValueError(f"tags.{name}: {'a field' if name in options.fields else 'the gateway'} has this name")
        sensor, time = place("sensor", options.sensor, is_name=True), place("time", options.time)
        parts = Parts(options.kind, fields, sensor, time, _made_times(options), _step(options), tags)
        self._reading = ReadingReader(parts)
        self._first_of = first_of([source.path for source in options.fields.values()]) if not self._elements else None
        plain = PlainReader(parts, alone=self._first_of is not None)
        self._plain = plain if plain.fits and self._elements is None else None

    def read(
        self,
        topic: str,
        message: Any,  # noqa: ANN401 -- JSON may hold anything
        payload: bytes,
        exact: Callable[[bytes], Any] | None = None,
    ) -> list[Output]:
        """Return the readings of a message and what is to be said of it, or why there is none.

        ``exact`` parses the payload again where a parser has rounded the number that names the sensor.
        """
        if self._plain is not None and type(message) is dict:
            found = self._plain.read(topic, message)
            if found is not None:
                return [found]
        place = Place(message, message, topic)
        try:
            if self._elements is not None:
                return self._all(self._elements, place, payload)
            remarks, measurement = self._reading.read(place, 0)
        except LeftOut as error:
            if isinstance(error, Inexact) and exact is not None:
                return self.read(topic, exact(payload), payload)
            is_list = self._elements is None and isinstance(message, list)
            return [_refused(error, payload, '; the message is a list: set each = ""' if is_list else "")]
        if self._first_of is not None:
            remarks += self._others(message)
        return [*remarks, measurement] if remarks else [measurement]

    def _all(self, elements: Elements, top: Place, payload: bytes) -> list[Output]:
        remarks: dict[tuple[str, str], Remark] = {}
        measurements: list[Output] = []
        left: list[LeftOut] = []
        for said, one in self._each(elements, top):
            if isinstance(one, LeftOut):
                left.append(one)
            else:
                measurements.append(one)
                for remark in said:
                    remarks.setdefault(remark[:2], remark)
        where, number = elements.each or "the top", len(measurements) + len(left)
        if not measurements:
            more = f" (the first of {number} elements)" if number > 1 else ""
            return [_refused(left[0] if left else NoValue(f"no element at {where}"), payload, more)]
        if left:
            detail = f"{len(left)} of {number}; the first: {left[0]}"
            remarks["left out", where] = Remark("left out", f"elements of {where}", detail)
        return [*remarks.values(), *measurements]

    def _each(self, elements: Elements, top: Place) -> Iterator[tuple[list[Remark], Measurement | LeftOut]]:
        try:
            for number, found in enumerate(elements.of(top.message, top.topic)):
                if isinstance(found, LeftOut):
                    yield [], found
                elif number >= MOST_ELEMENTS:
                    yield [], LeftOut(f"more than {MOST_ELEMENTS} elements in one message")
                else:
                    place = top._replace(element=found.value, keys=found.keys)
                    try:
                        yield self._reading.read(place, found.position)
                    except Inexact:
                        raise
                    except LeftOut as error:
                        yield [], error
        except Inexact:
            raise
        except LeftOut as error:  # the expression itself
            yield [], error

    def _others(self, message: Any) -> Iterator[Remark]:  # noqa: ANN401 -- JSON may hold anything
        """Say so where all fields are of the first element of a list that has more such elements."""
        assert self._first_of is not None
        where, path, next_path = self._first_of
        whole = Place(message, message, "")
        if next_path.find(whole) is not None and isinstance(found := path.find(whole), list):
            detail = f'{len(found) - 1} of {len(found)} are not read: set each = "{where}"'
            yield Remark("left out", f"elements of {where or 'the top'}", detail)


def _made(option: str, make: Any, *arguments: Any) -> Any:  # noqa: ANN401 -- what is made
    try:
        return make(*arguments)
    except ValueError as error:
        raise ValueError(f"{option}: {error}") from None


def _made_times(options: DescribedOptions) -> TimeReader:
    _made("time_zone", TimeReader, "auto", options.time_zone)
    times: TimeReader = _made("time_format", TimeReader, options.time_format, options.time_zone)
    if options.time is None and (options.time_zone is not None or options.step is not None):
        raise ValueError(f"time: say where it is, as {'step' if options.step else 'time_zone'} is set")
    return times


def _step(options: DescribedOptions) -> int:
    if options.step is None:
        return 0
    if options.each is None:
        raise ValueError("step: it is between the elements of a list: set each")
    return round(options.step * 1e9)


def _refused(error: LeftOut, payload: bytes, more: str = "") -> Reject:
    return refuse("unsupported" if isinstance(error, NoValue) else "range", payload, f"{error}{more}")
