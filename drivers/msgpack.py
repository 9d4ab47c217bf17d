"""MessagePack: messages as JSON would have them, packed into fewer bytes, and described in the same way.

Worked: with these options ``81 A1 74 CB 40 35 80 00 00 00 00 00`` on the topic ``air/roof`` is 21.5 degrees, measured
by ``roof``::

    kind = "air_quality"
    sensor = "topic:1"
    fields = { temperature = "t" }

The options are those of the driver ``json``, which docs/json.md explains: ``each`` for lists of readings, units,
words for yes and no, times and tags.

Quirks: bytes and extensions are hexadecimal text, a time is seconds since 1970, and keys that are numbers are steps
of a path as they are written. Numbers of 32 bits are the shortest decimal that has these bits.

Source: MessagePack specification, github.com/msgpack/msgpack, of 2017.
"""

from collections.abc import Iterable

from drivers.common import msgpack
from drivers.common.binary_json import Malformed
from drivers.common.described import DescribedOptions, DescribedReader
from drivers.common.json_messages import MAX_MESSAGE, Output, refuse
from gateway.contract import DEVICE_KINDS, VOCABULARY, Driver, MqttLink


class MsgpackOptions(DescribedOptions):
    """What is where in the messages."""


class Decoder:
    """Reads messages of one description."""

    def __init__(self, options: MsgpackOptions) -> None:
        self._reader = DescribedReader(options)

    def decode(self, topic: str, payload: bytes) -> Iterable[Output]:
        """See `gateway.contract.MessageDecoder`."""
        if len(payload) > MAX_MESSAGE:
            return [refuse("length", payload, f"{len(payload)} bytes, {MAX_MESSAGE} allowed")]
        try:
            message = msgpack.read(payload)
        except Malformed as error:
            return [refuse("noise", payload, f"no MessagePack: {error}")]
        if not isinstance(message, dict | list):
            return [refuse("noise", payload, "a single value, which any byte may be, and no map or list")]
        return self._reader.read(topic, message, payload)


DRIVER = Driver(
    name="msgpack",
    title="MessagePack",
    link=MqttLink(("sensors/#",)),
    fields=tuple(VOCABULARY.values()),
    max_frame=MAX_MESSAGE,
    decoder=Decoder,
    options=MsgpackOptions,
    kinds=DEVICE_KINDS,
)
