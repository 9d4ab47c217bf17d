"""Benewake TFmini, TFmini-S, TFmini Plus, TF-Luna and TF02: distance by the flight time of infrared light.

UART, 115200 8N1. A hundred reports a second by itself, little endian; sum is the low byte of all before it::

    59 59 dd DD ss SS xx XX sum     d distance in cm, s strength of the echo
    59 59 CF 00 0B 23 D0 09 88      0x00CF = 207 cm, strength 8971, 0x09D0 / 8 - 256 = 58.0 degC

x is the chip's temperature (Plus, S, Luna), the mode and 0 (TFmini: 02 near, 07 far), or other things (TF02).

Commands and their answers (not TFmini, TF02) are ``5A length code .. sum``: 01 version, answered by
``5A 07 01 cc bb aa sum`` (aa.bb.cc); 03 reports a second; 05 format (01 cm, 02 text "x.xx", 06 mm); 07 output on.
Nothing is saved, so a power cut undoes it; the settings are sent again when frames stay away.

Range 0.1 to 12 m (TF02 22 m). Quirks: some come in the text format ("Pixhawk") and show no frame until told to. A
strength below 100 (TFmini 20), or 65535 (a mirror, the sun), makes the distance worthless, whatever it is: "unclear".
So do the distances 0 and, below zero, -1 (too little strength), -2 (too much) and -4 (blinded by ambient light): a
dazzled sensor above a parked car must not say that the bay is free. 1200 cm or more, with an echo that is strong
enough, is "no_target". An eight-bit sum lets a damaged frame in 256 pass.

Sources: TFmini Plus manual A04 and A06, TFmini-S manual A01 (Benewake); captured frames.
"""

from collections.abc import Iterable, Iterator
from typing import Annotated, Literal, NamedTuple

from pydantic import Field as Bounded

from drivers.common.framing import Frames
from drivers.common.occupancy import Bay, BayOptions, State
from gateway.contract import Driver, Measurement, Reject, SerialLink, field

FRAME, HEADERS = 9, (b"\x59\x59", b"\x5a")
VERSION, RATE, FORMAT, OUTPUT = 1, 3, 5, 7
CENTIMETRES = b"\x01"
ON = b"\x01"
BLINDED = 0xFFFF
CODES = 0x8000
"""Distances from here on are below zero, and say why there is none."""


class TfminiOptions(BayOptions):
    """Which one it is, and what its distance stands for."""

    model: Literal["plus", "tfmini", "tf02"] = "plus"
    """"plus" is also the TFmini-S and TF-Luna: they take commands and tell their temperature."""
    rate: Annotated[int, Bounded(ge=1, le=250)] = 10
    """Reports a second, where the model can be told."""


class Report(NamedTuple):
    """A measurement frame; ``extra`` are its bytes x."""

    centimetres: int
    strength: int
    extra: bytes

    @property
    def temperature(self) -> float:
        """The chip's temperature in degC, for the models that tell it."""
        return int.from_bytes(self.extra, "little") / 8 - 256


class Reply(NamedTuple):
    """An answer to the command ``code``."""

    code: int
    data: bytes


def command(code: int, data: bytes = b"") -> bytes:
    """Return the frame of one command."""
    body = bytes((0x5A, len(data) + 4, code)) + data
    return body + bytes((sum(body) & 0xFF,))


def parse(frame: bytes) -> Report | Reply | Reject:
    """Parse one frame, sound or damaged."""
    if not frame.startswith(HEADERS):
        return Reject("noise", frame, "no header")
    if len(frame) != _length(frame):
        return Reject("length", frame, f"{len(frame)} bytes")
    if sum(frame[:-1]) & 0xFF != frame[-1]:
        return Reject("checksum", frame, f"sum {sum(frame[:-1]) & 0xFF:02X}, frame says {frame[-1]:02X}")
    if frame[0] == HEADERS[1][0]:
        return Reply(frame[2], frame[3:-1])
    return Report(frame[2] | frame[3] << 8, frame[4] | frame[5] << 8, frame[6:8])


def _length(begin: bytes) -> int:
    if begin[0] == HEADERS[0][0]:
        return FRAME
    return 0 if len(begin) < 2 else begin[1] if 4 <= begin[1] <= 8 else -1


class Decoder:
    """Follows one sensor."""

    def __init__(self, options: TfminiOptions) -> None:
        self._frames: Frames[Report | Reply] = Frames(HEADERS, FRAME, _length, parse)
        self._bay = Bay(options)
        self._temperature = options.model == "plus"
        self._weakest = 20 if options.model == "tfmini" else 100
        self._furthest = 2200 if options.model == "tf02" else 1200
        wishes = ((FORMAT, CENTIMETRES), (RATE, options.rate.to_bytes(2, "little")), (OUTPUT, ON))
        self._settings = [command(*wish) for wish in wishes] if self._temperature else []
        self._heard = True
        self._turn = 0

    def start(self) -> Iterable[bytes]:
        """Make it report in centimetres, at a modest rate; ask its version."""
        return (*self._settings, command(VERSION)) if self._settings else ()

    def poll(self) -> bytes:
        """Where no frame came since the last time, repeat the settings, one at a time."""
        heard, self._heard = self._heard, False
        self._turn += not heard
        return self._settings[self._turn % len(self._settings)] if self._settings and not heard else b""

    def feed(self, data: bytes, now: int) -> Iterable[Measurement | Reject]:
        """See `gateway.contract.SerialDecoder`."""
        return [said for found in self._frames.feed(data) for said in self._understand(found, now)]

    def finish(self) -> Iterable[Reject]:
        """Return what is left of an unfinished frame."""
        return (found for found in self._frames.finish() if isinstance(found, Reject))

    def _understand(self, found: Report | Reply | Reject, now: int) -> Iterator[Measurement | Reject]:
        if isinstance(found, Reject):
            yield found
        elif isinstance(found, Report):
            self._heard = True
            warmth = {"device_temperature": found.temperature} if self._temperature else {}
            yield from self._bay.see(self._seen(found), now, {"signal_strength": found.strength, **warmth})
        elif found.code == VERSION and len(found.data) == 3:
            yield Measurement("parking", {"firmware_version": ".".join(map(str, reversed(found.data)))})

    def _seen(self, report: Report) -> float | State:
        if not (self._weakest <= report.strength < BLINDED and 0 < report.centimetres < CODES):
            return "unclear"
        return "no_target" if report.centimetres >= self._furthest else report.centimetres * 10


DRIVER = Driver(
    name="tfmini",
    title="Benewake TFmini, TFmini-S, TFmini Plus, TF-Luna, TF02",
    link=SerialLink(baudrate=115200, interval=2.0),
    fields=(
        field("distance", 100, 22000),
        *map(field, ("occupied", "event", "signal_strength", "device_temperature", "firmware_version")),
    ),
    max_frame=FRAME,
    decoder=Decoder,
    options=TfminiOptions,
    kinds=("parking",),
)
