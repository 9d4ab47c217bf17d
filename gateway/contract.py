"""What drivers and the daemon share, and all that a driver may import of us. No I/O, no clock.

A driver turns bytes into `Measurement`, `Reject` and `Remark` values; it is *sans I/O*: it never reads, waits, sleeps
or looks at a clock. There are three shapes, told apart by what they are fed:

=====================  =========================================  =========================
`SerialDecoder`        a stream of bytes, cut anywhere            `Driver` with `SerialLink`
`MessageDecoder`       whole MQTT messages                         `Driver` with `MqttLink`
`Codec`                one LoRaWAN payload and its port            under any envelope driver
=====================  =========================================  =========================

An envelope driver (ChirpStack, The Things Stack) does not know what a payload means; it returns an `Uplink`, and the
gateway applies the codec that the configuration names for that device.

Laws that the tests hold over every driver: no bytes raise; any chunking gives the same output; memory stays within
``max_frame`` plus the chunk; good frames after garbage are found again;
no driver takes another's recordings for its own.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from enum import IntFlag
from typing import Annotated, Any, Literal, NamedTuple, Protocol

from pydantic import AfterValidator, BaseModel, ConfigDict, PrivateAttr, ValidationInfo

from gateway.settings import Duration
from gateway.units import Conversion, conversion, units_like
from gateway.vocabulary import DEVICE_KINDS, KINDS, VOCABULARY, Field, FieldValue, Vocabulary, field

__all__ = [
    "DEVICE_KINDS",
    "KINDS",
    "VOCABULARY",
    "Codec",
    "Command",
    "Conversion",
    "Driver",
    "Duration",
    "Field",
    "FieldValue",
    "Kind",
    "Measurement",
    "MessageDecoder",
    "MqttLink",
    "Options",
    "Quality",
    "Reason",
    "Reject",
    "Remark",
    "SerialDecoder",
    "SerialLink",
    "Uplink",
    "Vocabulary",
    "conversion",
    "field",
    "units_like",
]


def _known_kind(name: str, info: ValidationInfo) -> str:
    vocabulary = info.context if isinstance(info.context, Vocabulary) else VOCABULARY
    if name not in vocabulary.kinds:
        known = ", ".join(vocabulary.kinds)
        raise ValueError(
            f"there are {known}; one of your own comes with a field of your own: [fields.NAME] kinds = [{name!r}]"
        )
    return name


Kind = Annotated[str, AfterValidator(_known_kind)]
"""The type of an option that names a measurement: one of the vocabulary's, or of the configuration's own."""

Reason = Literal["noise", "length", "checksum", "range", "unsupported"]
"""Why bytes were refused: not mine (noise), mine but damaged (length, checksum), mine but impossible (range),
mine and sound but not something this driver turns into a measurement (unsupported)."""


class Quality(IntFlag):
    """What is doubtful about a reading; 0 is good. Doubtful readings are marked and stored, not dropped."""

    GOOD = 0
    OUT_OF_RANGE = 1
    STUCK = 2
    WARM_UP = 4
    ESTIMATED_TIME = 8
    INCONSISTENT = 16
    """Values of one reading contradict each other, as PM10 below PM2.5."""


class Measurement(NamedTuple):
    """What one device said at one moment.

    kind     one of `KINDS`
    fields   vocabulary name -> value, in the vocabulary's units
    sensor   the identity that the device or its network states; None where the configuration names it (serial)
    time     the device's own time, nanoseconds UTC, only where the driver can vouch for it; None: time of arrival
    key      an idempotency key within `sensor`: the same key again is the same reading repeated
    quality  doubts that the driver itself has
    tags     extra low-cardinality tags (a direction, a lane)
    """

    kind: str
    fields: Mapping[str, FieldValue]
    sensor: str | None = None
    time: int | None = None
    key: str | None = None
    quality: Quality = Quality.GOOD
    tags: Mapping[str, str] = {}


class Reject(NamedTuple):
    """Bytes that gave no measurement; counted by reason, and kept for somebody to look at."""

    reason: Reason
    raw: bytes
    detail: str = ""


class Remark(NamedTuple):
    """Something that a person should know of a message or frame which was read all the same; counted, and said once.

    kind     "left out": a part had no sense, and the rest was read without it; "mended": it was not quite in its
             format, and no value depended on that; "doubtful": a value looks like another unit or meaning than set;
             "empty": it was understood to the end, and holds nothing to store: a comment, a birth, a value repeated
    what     the part, in words that stay the same from one message to the next: a field's name, a kind of mending
    detail   what was found this time
    """

    kind: Literal["left out", "mended", "doubtful", "empty"]
    what: str
    detail: str = ""


class Uplink(NamedTuple):
    """A LoRaWAN payload in its envelope, before a codec gives it meaning.

    sensor   the device's EUI, 16 lower-case hex digits
    port     the LoRaWAN FPort, None where the envelope had none
    payload  the application payload; b"" where the envelope had none
    object   what the network server's own codec made of it, None where it has no codec
    time     when the network received it, nanoseconds UTC
    key      the network's own id of this uplink, for de-duplication
    fields   health fields: rssi, snr, frame_counter; or, without port and payload, what the network says: battery
    readings what the server itself understood of the payload, in our words; taken where no codec is configured
    """

    sensor: str
    port: int | None
    payload: bytes
    object: Mapping[str, Any] | None
    time: int | None
    key: str | None
    fields: Mapping[str, FieldValue]
    readings: tuple[Measurement | Remark, ...] = ()


class Command(NamedTuple):
    """What a message decoder wants published on the broker its messages come from: a request to a device.

    It goes out with QoS 0, if at all: the gateway sends seldom to one topic, and a broker may not let us. So a
    decoder asks again with every message that shows the need, and is right without an answer as well.
    """

    topic: str
    payload: bytes


class Options(BaseModel):
    """What the configuration may set for a driver or a codec; subclass it with documented fields.

    An unknown option is an error that names the nearest known one. ``vocabulary`` are the fields that this gateway
    knows: those of `VOCABULARY`, and those that its configuration adds.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    _vocabulary: Vocabulary = PrivateAttr(default_factory=lambda: VOCABULARY)

    def model_post_init(self, context: Any, /) -> None:  # noqa: ANN401 -- pydantic's: whatever validation was given
        """Take the vocabulary that was given with the options."""
        if isinstance(context, Vocabulary):
            self._vocabulary = context

    @property
    def vocabulary(self) -> Vocabulary:
        """The fields that may be named."""
        return self._vocabulary

    @property
    def silence(self) -> float:
        """Seconds for which the device is silent on purpose: the option ``working_period``, where it has that."""
        return float(getattr(self, "working_period", 0.0))

    @property
    def names_sensor(self) -> bool:
        """Whether a message can say whose it is: by the option ``sensor``, where there is one, else by itself."""
        return getattr(self, "sensor", "") is not None

    @property
    def readable_topics(self) -> tuple[str, ...]:
        """The topic filters beyond which nothing is read; empty where any topic will do."""
        return ()


class SerialDecoder(Protocol):
    """One per open serial line; created anew each time the line opens.

    A decoder of lines that others print as well, bare numbers above all, has an attribute ``proven``: whether
    something came that only its own device says. `prehod probe` believes none of its readings before.
    """

    def start(self) -> Iterable[bytes]:
        """Return the commands that put the device into the wanted mode, sent one by one when the line opens."""

    def poll(self) -> bytes:
        """Return what to send now; called every interval. b"" when there is nothing to ask."""

    def feed(self, data: bytes, now: int) -> Iterable[Measurement | Reject | Remark]:
        """Take the next bytes and return what is complete; never raise, never wait.

        ``now`` is the monotonic time of the bytes' arrival in nanoseconds, an input like the bytes themselves.
        ``data`` is empty when nothing came within an interval: time passed, and that may complete something.
        """

    def finish(self) -> Iterable[Measurement | Reject | Remark]:
        """Return what is still held when the line closes in good order (an unfinished counting interval)."""


class MessageDecoder(Protocol):
    """One per MQTT source."""

    def decode(self, topic: str, payload: bytes) -> Iterable[Measurement | Reject | Remark | Uplink | Command]:
        """Return what one whole message says; never raise, and never return nothing: see `Remark` for "empty"."""


@dataclass(frozen=True, slots=True)
class SerialLink:
    """How the device's serial line is set by default, and how often it is asked.

    ``interval`` is the seconds between calls of `SerialDecoder.poll`; ``timeout`` the seconds within which an asked
    device answers. ``bus`` is true for devices that have an address and can share one line.

    ``harmless`` is how much may be sent to a device that is only suspected on a line: nothing (""), the first
    ``poll`` of a new decoder ("poll"), or ``start`` and every ``poll`` ("start"). Harmless is what changes neither
    anything that a device keeps without power nor when it reports; nor does it take away what somebody else has yet
    to read. ``modbus`` is true for what speaks Modbus RTU, one question at a time: Modbus TCP reaches it as well.
    """

    baudrate: int
    parity: Literal["N", "E", "O"] = "N"
    stopbits: Literal[1, 2] = 1
    interval: float = 1.0
    timeout: float = 1.0
    bus: bool = False
    harmless: Literal["", "poll", "start"] = ""
    modbus: bool = False


@dataclass(frozen=True, slots=True)
class MqttLink:
    """The topic filters on which such messages usually come."""

    topics: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Driver:
    """Everything the gateway knows of a kind of device or message."""

    name: str
    """The module's name, and ``driver = "..."`` in the configuration."""
    title: str
    """Maker and model as printed on the device."""
    link: SerialLink | MqttLink
    fields: tuple[Field, ...]
    """What it may yield, with the device's own ranges: checked centrally."""
    max_frame: int
    """Bytes of the longest frame or message: bounds the decoder's memory."""
    decoder: Callable[[Any], SerialDecoder] | Callable[[Any], MessageDecoder]
    """Makes a decoder from an instance of ``options``."""
    options: type[Options] = Options
    kinds: tuple[str, ...] = dataclass_field(default=())
    """The measurements it yields; empty for envelopes, where the codec decides."""
    lines: SerialLink | None = None
    """Of a driver of messages that are text: the serial line on which they come too, one a line."""
    experimental: bool = False
    """True where no recording of a real device backs it yet."""

    @property
    def serial(self) -> SerialLink | None:
        """The serial line that it can be read from; None for what comes in messages alone."""
        return self.link if isinstance(self.link, SerialLink) else self.lines


@dataclass(frozen=True, slots=True)
class Codec:
    """The meaning of one device type's LoRaWAN payload.

    ``decode(port, payload, options)`` never raises. ``from_object(object, options)`` reads what the network server's
    own codec for this device gives, for servers that send no payload; None where no such codec is known.
    """

    name: str
    title: str
    fields: tuple[Field, ...]
    decode: Callable[[int, bytes, Any], Iterable[Measurement | Reject | Remark]]
    from_object: Callable[[Mapping[str, Any], Any], Iterable[Measurement | Reject | Remark]] | None = None
    options: type[Options] = Options
    kinds: tuple[str, ...] = dataclass_field(default=())
    experimental: bool = False
