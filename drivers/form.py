"""Forms: ``name=value`` pairs joined by ``&`` and percent-encoded, as weather stations and trackers upload them.

``application/x-www-form-urlencoded``, over HTTP or published as a message. Worked: with these options
``station=roof&temp=21.5&hum=55&dateutc=1700000000`` is 21.5 degrees and a humidity of 0.55, measured by ``roof`` at
that time::

    kind = "air_quality"
    sensor = "station"
    time = "dateutc"
    fields = { temperature = "temp", relative_humidity = { path = "hum", unit = "%" } }

Quirks: ``+`` is a space and ``%2B`` a plus. Of a name that comes twice, the first counts. A leading ``?`` or a whole
address before it, as of a GET request, is passed over. For the uploads of Ecowitt's stations there is ``ecowitt``.
"""

from collections.abc import Iterable
from urllib.parse import parse_qsl

from pydantic import Field

from drivers.common.described import DescribedOptions, DescribedReader
from drivers.common.field_sources import Sources
from drivers.common.json_messages import MAX_MESSAGE, Output, refuse
from drivers.common.records import text_of
from gateway.contract import DEVICE_KINDS, VOCABULARY, Driver, MqttLink, SerialLink

MOST_NAMES = 500


class FormOptions(DescribedOptions):
    """What the names in a form mean."""

    fields: Sources = Field(examples=[{"temperature": "temp"}])
    """A name in the form for each field, or a table with it as ``path``, and ``unit``, ``scale`` and so on."""


class Decoder:
    """Reads forms; keeps no state between them."""

    def __init__(self, options: FormOptions) -> None:
        self._reader = DescribedReader(options)

    def decode(self, topic: str, payload: bytes) -> Iterable[Output]:
        """See `gateway.contract.MessageDecoder`."""
        if len(payload) > MAX_MESSAGE:
            return [refuse("length", payload, f"{len(payload)} bytes, {MAX_MESSAGE} allowed")]
        found = text_of(payload)
        if found is None or "=" not in found.text:
            return [refuse("noise", payload, "no form: it has no name=value")]
        text = found.text.strip()
        try:
            pairs = parse_qsl(text.partition("?")[2] or text, keep_blank_values=True, max_num_fields=MOST_NAMES)
        except ValueError:
            return [refuse("length", payload, f"more than {MOST_NAMES} names")]
        return found.said(self._reader.read(topic, {name: value.strip() for name, value in reversed(pairs)}, payload))


DRIVER = Driver(
    name="form",
    title="Forms (application/x-www-form-urlencoded)",
    link=MqttLink(("sensors/#",)),
    fields=tuple(VOCABULARY.values()),
    max_frame=MAX_MESSAGE,
    decoder=Decoder,
    options=FormOptions,
    kinds=DEVICE_KINDS,
    lines=SerialLink(9600),
)
