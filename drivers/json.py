r"""Plain JSON over MQTT: any device whose messages are JSON, described in the configuration.

Worked: the message ``{"meta": {"ts": 1700000000123}, "values": [{"pm2_5": 12, "t": 215}]}`` on the topic
``city/air/box-7/state`` with these options is PM2.5 12.0 ug/m3 and 21.5 degrees, measured by ``box-7`` at that time::

    kind = "air_quality"
    sensor = "topic:2"
    time = "meta.ts"
    fields = { pm25 = "values.0.pm2_5", temperature = { path = "values.0.t", scale = 0.1 } }

Where something stands is a path of keys and positions, ``values.0.pm2_5`` (``PM2\.5`` is one key), a level of the
topic, ``topic:2``, a text, ``const:box``, a text of several, ``{model}-{topic:1}``, or ``jmespath:`` and an
expression. Texts that hold JSON are opened. A field is named as the vocabulary names it; a number may stand in
quotes, with its unit behind it. docs/json.md has an example of each.

With ``each`` every element that it leads to is a reading: paths begin at the element, ``$.`` at the top, and
``{key}`` is the element's key or position::

    each = "values"                     {"id": 7, "values": [{"at": 1796046725, "t": 21.5}, ...]}
    sensor = "$.id"
    time = "at"
    fields = { temperature = "t" }

A value that is null, "nan", "" or makes no sense is left out and named, and never costs the others; so is an element
that is no reading. A message of which nothing remains is refused, and so is a reading without the sensor, the time or
the tag that the options promise. What is nearly JSON is mended, and that is said.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

import orjson

from drivers.common.described import DescribedOptions, DescribedReader
from drivers.common.json_messages import MAX_MESSAGE, Output, of_json
from drivers.common.lenient_json import NAME_TWICE, NotMended, read
from gateway.contract import DEVICE_KINDS, VOCABULARY, Driver, MqttLink, Reject, Remark, SerialLink


class JsonOptions(DescribedOptions):
    """What is where in the messages."""


class Decoder:
    """Reads messages of one description."""

    def __init__(self, options: JsonOptions) -> None:
        self._reader = DescribedReader(options)

    @of_json
    def decode(self, topic: str, message: Any, payload: bytes) -> Iterable[Output]:  # noqa: ANN401 -- any JSON
        """See `gateway.contract.MessageDecoder`."""
        said = self._reader.read(topic, message, payload, _exact)
        names = payload.count(b'":')
        if type(message) is dict and len(message) == names:
            return said  # by far the most frequent case: no object within it, and no name twice
        if names + payload.count(b'" :') == _names(message) or isinstance(said[0], Reject):
            return said
        return [*_twice(payload), *said]


def _names(message: object) -> int:
    """Return how many names a message has, those of objects within objects included."""
    try:
        return orjson.dumps(message).count(b'":')
    except TypeError:  # nested too deeply for the writer, or a number too large
        pass
    count, parts = 0, [message]  # a list and no recursion: JSON may be nested deeper than Python calls
    while parts:
        part = parts.pop()
        if type(part) is dict:
            count += len(part)
            parts += part.values()
        elif type(part) is list:
            parts += part
    return count


def _twice(payload: bytes) -> Iterator[Remark]:
    """Say so where a name comes twice in one object, of which the strict reader silently keeps the last."""
    with suppress(NotMended):
        if (where := read(payload).mendings.get(NAME_TWICE)) is not None:
            yield Remark("doubtful", NAME_TWICE, where)


def _exact(payload: bytes) -> Any:  # noqa: ANN401 -- any JSON
    """Parse with whole numbers of any length, of which the strict reader makes fractions beyond 64 bits."""
    try:
        return read(payload).value
    except NotMended:
        return orjson.loads(payload)


DRIVER = Driver(
    name="json",
    title="JSON over MQTT",
    link=MqttLink(("sensors/#",)),
    fields=tuple(VOCABULARY.values()),
    max_frame=MAX_MESSAGE,
    decoder=Decoder,
    options=JsonOptions,
    kinds=DEVICE_KINDS,
    lines=SerialLink(9600),
)
