"""Raw words and structures: bytes of a fixed layout, as small devices send what stands in their memory.

Worked: with these options the seven bytes ``00 00 AC 41 2C 03 01`` are 21.5 degrees, CO2 812 ppm and a battery level
of 0.01::

    kind = "air_quality"
    sensor = "topic:1"
    layout = "<fHB"
    names = ["t", "co2", "battery"]
    fields = { temperature = "t", battery_level = { path = "battery", unit = "%" } }

``layout`` is that of Python's module struct: ``<`` little or ``>`` big end first, then a letter for each value:
``b B`` 8 bits, ``h H`` 16, ``i I`` 32, ``q Q`` 64 (capitals without a sign), ``e f d`` numbers with a fraction in 16,
32 and 64 bits, ``?`` true or false, ``8s`` a text of 8 bytes, ``x`` a byte that means nothing. ``names`` has one name
for each value, "" for what is passed over. A message of another length is refused; with ``more`` bytes may follow.

Quirks: a number with a fraction that is NaN says that there is none, and one of 32 bits is the shortest decimal that
has these bits. ``encoding`` is how the bytes are written.
"""

import math
import re
import struct
from binascii import a2b_base64
from collections.abc import Callable, Iterable
from typing import Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from drivers.common.described import DescribedOptions, DescribedReader
from drivers.common.field_sources import Sources
from drivers.common.floats import shortest
from drivers.common.json_messages import MAX_MESSAGE, Output, refuse
from drivers.common.records import Name, name_of, path_to, with_named_fields
from gateway.contract import DEVICE_KINDS, VOCABULARY, Driver, MqttLink

_LETTER = re.compile(r"([0-9]*)([a-zA-Z?])")
_LAYOUT = re.compile(r"[<>](?:[0-9]{0,3}[xbBhHiIqQefd?]|[0-9]{1,3}s)+")


class StructOptions(DescribedOptions):
    """What the bytes are; see the module."""

    layout: str = Field(examples=["<fHB"])
    """The bytes' order and a letter for each value."""
    names: tuple[str, ...] = Field(examples=[["temperature", "co2", "battery_level"]])
    """A name for each value; one of the vocabulary's is that field, with its unit behind a colon."""
    fields: Sources = Field(default_factory=dict)
    """A name for each field that is called otherwise, or a table with it as ``path``, and ``unit``, ``scale`` ..."""
    encoding: Literal["bytes", "hex", "base64"] = "bytes"
    """How a message is written."""
    more: bool = False
    """Whether bytes may follow, which are passed over."""

    @model_validator(mode="before")
    @classmethod
    def _names_are_fields(cls, data: Any, info: ValidationInfo) -> Any:  # noqa: ANN401 -- pydantic's
        named = data.get("names", ()) if isinstance(data, dict) else ()
        return with_named_fields(data, map(name_of, filter(_is_text, named)), info.context) if named else data

    @field_validator("layout")
    @classmethod
    def _layout_has_an_order(cls, layout: str) -> str:
        if not _LAYOUT.fullmatch(layout):
            raise ValueError('a layout begins with < or >, and has a letter for each value: "<fHB"')
        return layout

    @model_validator(mode="after")
    def _each_value_has_a_name(self) -> "StructOptions":
        count = len(struct.unpack(self.layout, bytes(struct.calcsize(self.layout))))
        if count != len(self.names):
            raise ValueError(f"the layout has {count} values, and names has {len(self.names)}")
        known = {path_to(one.name) for one in self.all_names()}
        if missing := {one.path for one in self.fields.values() if one.path.isidentifier()} - known:
            raise ValueError(
                f"no value is called {min(missing)!r}; there are {', '.join(sorted(filter(None, known)))}"
            )
        return self

    def all_names(self) -> list[Name]:
        """Return the name of each value."""
        return [name_of(one) for one in self.names]


_DECODE: dict[str, Callable[[bytes], bytes]] = {
    "bytes": bytes,
    "hex": lambda text: bytes.fromhex(text.decode("ascii")),
    "base64": lambda text: a2b_base64(text.strip(), strict_mode=True),
}


class Decoder:
    """Reads bytes of one layout; keeps no state between messages."""

    def __init__(self, options: StructOptions) -> None:
        self._layout = struct.Struct(options.layout)
        self._names = [one.name for one in options.all_names()]
        self._types = [
            letter for count, letter in _LETTER.findall(options.layout) for _ in range(_values(count, letter))
        ]
        self._decode = _DECODE[options.encoding]
        self._encoding = options.encoding
        self._more = options.more
        self._reader = DescribedReader(options)

    def decode(self, topic: str, payload: bytes) -> Iterable[Output]:
        """See `gateway.contract.MessageDecoder`."""
        if len(payload) > MAX_MESSAGE:
            return [refuse("length", payload, f"{len(payload)} bytes, {MAX_MESSAGE} allowed")]
        try:
            data = self._decode(payload)
        except ValueError as error:
            return [refuse("noise", payload, f"no {self._encoding}: {error}")]
        size = self._layout.size
        if len(data) < size or (len(data) > size and not self._more):
            return [refuse("noise", payload, f"{len(data)} bytes, and the layout has {size}")]
        values = self._layout.unpack_from(data)
        named = zip(self._names, self._types, values, strict=True)
        record = {name: _plain(value, letter) for name, letter, value in named if name}
        return self._reader.read(topic, record, payload)


def _is_text(said: object) -> bool:
    return isinstance(said, str)


def _values(count: str, letter: str) -> int:
    """Return how many values a letter of the layout gives."""
    return {"s": 1, "x": 0}.get(letter, int(count or 1))


def _plain(value: object, letter: str) -> object:
    if isinstance(value, bytes):
        return value.rstrip(b"\0").decode("ascii", errors="replace")
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return shortest(value) if letter == "f" and isinstance(value, float) else value


DRIVER = Driver(
    name="struct",
    title="Raw words and structures by a layout",
    link=MqttLink(("sensors/#",)),
    fields=tuple(VOCABULARY.values()),
    max_frame=MAX_MESSAGE,
    decoder=Decoder,
    options=StructOptions,
    kinds=DEVICE_KINDS,
)
