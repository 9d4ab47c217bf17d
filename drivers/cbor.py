"""CBOR (RFC 8949): messages as JSON would have them, packed into fewer bytes, and described in the same way.

Worked: with these options ``A1 61 74 F9 4D 60`` on the topic ``air/roof`` is 21.5 degrees measured by ``roof``::

    kind = "air_quality"
    sensor = "topic:1"
    fields = { temperature = "t" }

The options are those of the driver ``json``, which docs/json.md explains: ``each`` for lists of readings, units,
words for yes and no, times and tags.

Quirks: byte strings are hexadecimal text, and keys that are numbers are steps of a path as they are written, as
those of SenML are: ``-2`` is a name, ``2`` a value. Numbers of 32 bits are the shortest decimal that has these bits.
Tags (a time, a big number, a decimal fraction) are passed over, but that the number they make is taken.

Source: RFC 8949, Concise Binary Object Representation, December 2020.
"""

from collections.abc import Iterable

from drivers.common import cbor
from drivers.common.binary_json import Malformed
from drivers.common.described import DescribedOptions, DescribedReader
from drivers.common.json_messages import MAX_MESSAGE, Output, refuse
from gateway.contract import DEVICE_KINDS, VOCABULARY, Driver, MqttLink


class CborOptions(DescribedOptions):
    """What is where in the messages."""


class Decoder:
    """Reads messages of one description."""

    def __init__(self, options: CborOptions) -> None:
        self._reader = DescribedReader(options)

    def decode(self, topic: str, payload: bytes) -> Iterable[Output]:
        """See `gateway.contract.MessageDecoder`."""
        if len(payload) > MAX_MESSAGE:
            return [refuse("length", payload, f"{len(payload)} bytes, {MAX_MESSAGE} allowed")]
        try:
            message = cbor.read(payload)
        except Malformed as error:
            return [refuse("noise", payload, f"no CBOR: {error}")]
        if not isinstance(message, dict | list):
            return [refuse("noise", payload, "a single value, which any byte may be, and no map or list")]
        return self._reader.read(topic, message, payload)


DRIVER = Driver(
    name="cbor",
    title="CBOR (RFC 8949)",
    link=MqttLink(("sensors/#",)),
    fields=tuple(VOCABULARY.values()),
    max_frame=MAX_MESSAGE,
    decoder=Decoder,
    options=CborOptions,
    kinds=DEVICE_KINDS,
)
