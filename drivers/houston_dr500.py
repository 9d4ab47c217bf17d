"""Houston Radar DR-500: average speed by Doppler radar, asked in its binary protocol.

RS-232, 115200 or 9600 8N1 as set at the radar. Packets, numbers little endian::

    F3 cc dd .. dd rr rr FC     c code, d data, r CRC over c and d, low byte first: polynomial 1021 from 0, not
                                reflected ("XMODEM"); F3, FA and FC within are written FA 03, FA 0A and FA 0C
    F3 32 FA 0C 64 4D FC        code 32 with the byte FC

    31                          average speed? answered by 32 ss: s in the radar's unit, 0 where there is no target
    0E                          about? answered by 0E and lines BRD=.., MOD=.., REV=.., TYPE=..
    18 oo nn nn                 variable n (two letters; o domain, 0)? answered by 19 oo nn nn vv vv
    17 oo nn nn vv vv           set it; answered by 13 vv vv, int16, negative for an error

    F3 31 72 26 FC  ->  F3 32 2D 38 96 FC       45; with UN = 0 that is 72.42 km/h

Variables: UN unit (0 mph, 1 km/h, 2 ft/s, 3 m/s), TA seconds that are averaged over. A radar may also drive a sign,
so its unit is read and never set: asked for at the start and now and then, as it may be changed. A speed that comes
before its unit is refused. An empty road is the event "no_target", which tells it from a radar that is silent.

Quirks: it counts no vehicles. The other messages (2B voltage, 2D temperature) are known by name only, and refused. A
radar whose console output is on also sends its speeds as text, ``045``: noise here; turn it off.

Sources: the packets as in the Minnesota DOT's IRIS (tms.server.comm.dr500); DR500 manual (line settings).
"""

from binascii import crc_hqx
from collections.abc import Iterable, Iterator
from enum import IntEnum
from typing import Annotated, NamedTuple

from pydantic import Field as Bounded

from drivers.common.agenda import Agenda
from drivers.common.framing import Frames
from gateway.contract import Driver, Duration, FieldValue, Measurement, Options, Reject, SerialLink, field

BEGIN, ESCAPE, END = 0xF3, 0xFA, 0xFC
LONGEST = 512
ESCAPED = {byte & 0x0F: byte for byte in (BEGIN, ESCAPE, END)}
KNOWN = {b"\0UN": "UN", b"\0TA": "TA"}
TO_KMH = {0: 1.609344, 1: 1.0, 2: 1.09728, 3: 3.6}


class Code(IntEnum):
    """What a packet is about."""

    ABOUT = 0x0E
    STATUS = 0x13
    SET = 0x17
    ASK = 0x18
    VARIABLE = 0x19
    ASK_SPEED = 0x31
    SPEED = 0x32


class Packet(NamedTuple):
    """One sound packet, as it was before it was packed."""

    code: int
    data: bytes
    frame: bytes


def crc(body: bytes) -> int:
    """Return the check of code and data."""
    return crc_hqx(body, 0)


def packet(code: int, data: bytes = b"") -> bytes:
    """Return ``code`` and ``data`` as they go over the line."""
    body = bytes((code,)) + data
    packed = bytearray()
    for byte in body + crc(body).to_bytes(2, "little"):
        packed += bytes((ESCAPE, byte & 0x0F)) if byte in (BEGIN, ESCAPE, END) else bytes((byte,))
    return bytes((BEGIN, *packed, END))


def parse(frame: bytes) -> Packet | Reject:
    """Parse one whole frame."""
    plain = bytearray()
    inside = iter(frame[1:-1])
    for byte in inside:
        meant = byte if byte != ESCAPE else ESCAPED.get(next(inside, 0))
        if meant is None:
            return Reject("length", frame, "FA in front of what is not escaped")
        plain.append(meant)
    if len(plain) < 3:
        return Reject("length", frame, f"{len(plain)} bytes")
    body, check = bytes(plain[:-2]), int.from_bytes(plain[-2:], "little")
    if crc(body) != check:
        return Reject("checksum", frame, f"CRC {crc(body):04X}")
    return Packet(body[0], body[1:], frame)


def frames() -> Frames[Packet]:
    """Return a finder of packets in a stream."""
    return Frames((bytes((BEGIN,)),), LONGEST, _length, parse)


def _length(head: bytes) -> int:
    end = head.find(END, 1)
    within = head[1:] if end < 0 else head[1:end]
    return -1 if BEGIN in within else end + 1


class HoustonDr500Options(Options):
    """``average`` is the time that the radar averages over; left out, it stays as it is set."""

    average: Annotated[Duration, Bounded(ge=1, le=3600)] | None = None


def variable(name: str, value: int | None = None) -> bytes:
    """Return the question for a variable, or the order to set it."""
    data = b"\0" + name.encode("ascii")
    return packet(Code.ASK, data) if value is None else packet(Code.SET, data + value.to_bytes(2, "little"))


class Decoder:
    """Asks one radar."""

    def __init__(self, options: HoustonDr500Options) -> None:
        self._frames = frames()
        self._wishes = {"UN": variable("UN"), "TA": variable("TA"), "": packet(Code.ABOUT)}
        self._agenda = Agenda(packet(Code.ASK_SPEED), self._wishes)
        self._average = options.average
        self._known: dict[str, int] = {}

    def start(self) -> Iterable[bytes]:
        """Return the order to average as the options have it, and the questions for what must be known."""
        order = [variable("TA", round(self._average))] if self._average is not None else []
        return [*order, *self._wishes.values()]

    def poll(self) -> bytes:
        """Ask for the speed; now and then for the unit, which may have changed."""
        return self._agenda.question()

    def feed(self, data: bytes, now: int) -> Iterable[Measurement | Reject]:  # noqa: ARG002 -- time decides nothing here
        """See `gateway.contract.SerialDecoder`."""
        said: list[Measurement | Reject] = []
        for found in self._frames.feed(data):
            said += self._understand(found) if isinstance(found, Packet) else [found]
        return said

    def finish(self) -> Iterable[Reject]:
        """Return what is left of an unfinished packet."""
        return [found for found in self._frames.finish() if isinstance(found, Reject)]

    def _understand(self, said: Packet) -> Iterator[Measurement | Reject]:
        match said.code, len(said.data):
            case Code.SPEED, 1:
                yield self._speed(said)
            case Code.VARIABLE, 5:
                if (name := said.data[:3]) in KNOWN:
                    self._known[KNOWN[name]] = int.from_bytes(said.data[3:], "little")
            case Code.ABOUT, _:
                self._agenda.granted("")
                if fields := about(said.data):
                    yield Measurement("traffic", fields)
            case Code.STATUS, 2:
                if (status := int.from_bytes(said.data, "little", signed=True)) < 0:
                    yield Reject("unsupported", said.frame, f"the radar refuses with {status}")
            case _:
                yield Reject("unsupported", said.frame, f"code {said.code:02X} with {len(said.data)} bytes")

    def _speed(self, said: Packet) -> Measurement | Reject:
        factor = TO_KMH.get(self._known.get("UN", -1))
        if not said.data[0]:
            return Measurement("traffic", {"event": "no_target"})
        if factor is None:
            return Reject("unsupported", said.frame, "the unit of this speed is not known")
        fields: dict[str, FieldValue] = {"average_vehicle_speed": round(said.data[0] * factor, 2)}
        if "TA" in self._known:
            fields["period"] = float(self._known["TA"])
        return Measurement("traffic", fields)


def about(data: bytes) -> dict[str, FieldValue]:
    """Return firmware and hardware from lines TAG=value."""
    lines = (line.partition("=") for line in data.decode("ascii", "replace").splitlines())
    said = {tag.strip(): value.strip() for tag, _, value in lines if value.strip("\0 \t")}
    hardware = " ".join(said[tag] for tag in ("MOD", "BRD", "TYPE") if tag in said)
    fields = {"firmware_version": said.get("REV", ""), "hardware_version": hardware}
    return {name: value for name, value in fields.items() if value}


DRIVER = Driver(
    name="houston_dr500",
    title="Houston Radar DR-500 (average speed)",
    link=SerialLink(baudrate=115200, interval=30.0),
    fields=(
        field("average_vehicle_speed", 0, 411),
        field("period"),
        field("firmware_version"),
        field("hardware_version"),
        field("event"),
    ),
    max_frame=LONGEST,
    decoder=Decoder,
    options=HoustonDr500Options,
    kinds=("traffic",),
    experimental=True,
)
