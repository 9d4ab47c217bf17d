"""LoRaWAN payloads without an envelope: what a bridge or a small network server publishes as hex, base64 or bytes.

Worked: the payload ``01 67 00 EB`` of the device ``bay-17``, sent on port 2, is 23.5 degrees to the codec
``cayenne_lpp``. It may come as any of these::

    lorawan/bay-17/2   016700eb                       the defaults: device and port from the topic, hex
    lorawan/bay-17/2   AWcA6w==                       encoding = "base64"
    lorawan/bay-17/2   <01 67 00 EB>                  encoding = "bytes"
    up                 {"data": "AWcA6w==", "port": 2, "meta": {"eui": "70B3D57ED0001234"}}
                                                      encoding = "base64", payload = "data",
                                                      port = "port", sensor = "meta.eui"

With ``codec`` every device of the source has that one. Without, each has its own in the configuration, under
``[sensors."bay-17"]``, and a device without any is refused with the setting that is missing.

Quirks: hex may be in capitals, with spaces, colons or hyphens between bytes, or ``0x`` before them. An identity of 16
hex digits is an EUI, and is written in lower case. There is no counter in it, so a message that a bridge sends twice
is two readings.
"""

from binascii import a2b_base64
from collections.abc import Callable, Iterable
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

import drivers
from drivers.common.json_messages import MAX_MESSAGE, parse, refuse
from drivers.common.message_places import Place, reference
from drivers.common.text_values import LeftOut
from gateway.contract import Codec, Driver, Measurement, MqttLink, Options, Reject, Remark, Uplink, field

LONGEST_PAYLOAD = 255
"""Bytes of the longest LoRaWAN payload."""
HIGHEST_PORT = 255


class LorawanOptions(Options):
    """Where device, port and payload are; see the module."""

    encoding: Literal["hex", "base64", "bytes"] = "hex"
    """How the payload is written."""
    sensor: str = "topic:-2"
    """The device: ``topic:N``, ``const:NAME``, or a path in a JSON message."""
    port: int | str = "topic:-1"
    """The LoRaWAN port: a number, ``topic:N``, or a path in a JSON message."""
    payload: str | None = None
    """The path of the payload in a JSON message; left out, the whole message is the payload."""
    codec: str | None = None
    """The codec of all devices; left out, ``[sensors.NAME]`` says it for each."""
    codec_options: dict[str, Any] = Field(default_factory=dict)
    """That codec's own options."""

    @field_validator("codec")
    @classmethod
    def _codec_is_known(cls, codec: str | None) -> str | None:
        if codec is not None:
            try:
                drivers.load_codec(codec)
            except LookupError as error:
                raise ValueError(str(error)) from None
        return codec

    @model_validator(mode="after")
    def _places_fit(self) -> "LorawanOptions":
        for where in self.sensor, self.port, self.payload:
            if isinstance(where, str):
                reference(where)
                if self.payload is None and not where.startswith(("topic:", "const:")):
                    raise ValueError('a path needs payload = "...", the path of the payload; a level is "topic:2"')
        if self.payload is not None and self.encoding == "bytes":
            raise ValueError("JSON holds no bytes: the encoding is hex or base64")
        if isinstance(self.port, int) and not 0 <= self.port <= HIGHEST_PORT:
            raise ValueError(f"a port is a number from 0 to {HIGHEST_PORT}")
        if self.codec_options and self.codec is None:
            raise ValueError("codec_options are a codec's, and no codec is set")
        if self.codec is not None:
            try:
                self.options_of_codec()
            except ValidationError as error:
                raise ValueError(f"codec_options: {error.errors()[0]['msg']}") from None
        return self

    def options_of_codec(self) -> tuple[Codec, Options] | None:
        """Return the codec of all devices, with its options."""
        if self.codec is None:
            return None
        codec = drivers.load_codec(self.codec)
        return codec, codec.options.model_validate(self.codec_options)


def _from_base64(text: bytes) -> bytes:
    text = text.strip()
    return a2b_base64(text + b"=" * (-len(text) % 4), strict_mode=True)  # some leave the padding out


def _from_hex(text: bytes) -> bytes:
    return bytes.fromhex(text.decode("ascii").replace("0x", " ").replace(":", " ").replace("-", " "))


_DECODE: dict[str, Callable[[bytes], bytes]] = {
    "hex": _from_hex,
    "base64": _from_base64,
    "bytes": bytes,
}


class _Refused(Exception):
    """A part of the message is not there, or makes no sense; the arguments are a `Reject`'s reason and detail."""


class Decoder:
    """Takes payloads out of messages, and has a codec read them; keeps no state."""

    def __init__(self, options: LorawanOptions) -> None:
        self._encoding = options.encoding
        self._options = options
        self._payload = None if options.payload is None else reference(options.payload)
        self._sensor = reference(options.sensor)
        self._port = options.port if isinstance(options.port, int) else reference(options.port)
        self._codec = options.options_of_codec()

    def decode(self, topic: str, payload: bytes) -> Iterable[Measurement | Reject | Remark | Uplink]:
        """See `gateway.contract.MessageDecoder`."""
        if len(payload) > MAX_MESSAGE:
            return [refuse("length", payload, f"{len(payload)} bytes, {MAX_MESSAGE} allowed")]
        message: Any = None if self._payload is None else parse(payload)
        if isinstance(message, Reject):
            return [message]
        place = Place(message, message, topic)
        try:
            data = self._data(place, payload)
            uplink = Uplink(self._name(place), self._port_of(place), data, None, None, None, {})
        except _Refused as error:
            return [refuse(error.args[0], payload, error.args[1])]
        except LeftOut as error:
            return [refuse("unsupported", payload, str(error))]
        if self._codec is None:
            return [uplink]
        codec, options = self._codec
        said = codec.decode(uplink.port or 0, data, options)
        return [one._replace(sensor=uplink.sensor) if isinstance(one, Measurement) else one for one in said]

    def _data(self, place: Place, payload: bytes) -> bytes:
        if self._payload is not None:
            found = self._payload.find(place)
            if not isinstance(found, str):
                raise _Refused("noise", f"no payload at {self._options.payload}")
            payload = found.encode()
        try:
            data = _DECODE[self._encoding](payload)
        except ValueError as error:
            raise _Refused("noise", f"no {self._encoding}: {error}") from None
        if not 0 < len(data) <= LONGEST_PAYLOAD:
            reason = "length" if data else "noise"
            raise _Refused(reason, f"a payload of {len(data)} bytes, 1 to {LONGEST_PAYLOAD} allowed")
        return data

    def _name(self, place: Place) -> str:
        name = self._sensor.find(place)
        if not isinstance(name, str) or not 0 < len(name) <= 128 or not name.isprintable():
            raise _Refused("unsupported", f"no device at {self._options.sensor}")
        return name.lower() if len(name) == 16 and all(digit in "0123456789abcdefABCDEF" for digit in name) else name

    def _port_of(self, place: Place) -> int:
        if isinstance(self._port, int):
            return self._port
        port = self._port.find(place)
        if isinstance(port, str) and port.isascii() and port.isdecimal() and len(port) <= 3:
            port = int(port)
        if type(port) is not int or not 0 <= port <= HIGHEST_PORT:
            raise _Refused("unsupported", f"no port from 0 to {HIGHEST_PORT} at {self._options.port}")
        return port


DRIVER = Driver(
    name="lorawan",
    title="LoRaWAN payloads in hex, base64 or bytes",
    link=MqttLink(("lorawan/+/+",)),
    fields=(field("rssi"), field("snr"), field("frame_counter")),
    max_frame=MAX_MESSAGE,
    decoder=Decoder,
    options=LorawanOptions,
)
