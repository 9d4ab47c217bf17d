"""Sensirion SPS30: dust by laser scattering, as masses, as particle counts, and their typical size.

UART 115200 8N1, 5 V supply, pin SEL open. The host asks, the sensor answers within 20 ms; frames, checks and states
are those of `drivers.common.shdlc`, numbers big endian::

    7E 00 03 00 FC 7E                                    read
    7E 00 03 ss 28  ff ff ff ff  .. ten times  kk 7E     floats; or 14 in place of 28, and ten times two bytes

    7E 00 03 00 28  40 A7 83 20  41 17 77 BB  .. 9E 7E   PM1 5.234756, PM2.5 9.466731, ..

The ten: PM1, PM2.5, PM4, PM10 in ug/m3; particles up to 0.5, 1, 2.5, 4, 10 um in a cm3; their typical size in um, or
in nm as a whole number. Range 1000 ug/m3, 3000 particles in a cm3; PM4 and PM10 are extrapolated. Commands: 00 start
(01 03 floats, 01 05 whole numbers), 01 stop, 03 read, 10 sleep, 11 wake up, 56 clean the fan, 80 cleaning interval,
D0 serial number (03), D1 version, D2 status (00; bit 4 fan, 5 laser, 21 fan speed, a warning only), D3 reset.

Quirks: power brings it up idle. A read answered without data means no new sample yet, one a second. To start it while
it runs is refused with 43: harmless. Asleep it needs an FF before the wake-up. Stable 30 s after start. It cleans its
fan weekly (10 s, in which values stand still), but counts from power-up: one that loses power in between never does,
unless it is told (56). Zeros alone, before any other reading, are none for as long as it warms up. Firmware below 2.2
does not know D2.

Source: SPS30 datasheet v2.0 D1, June 2023 (Sensirion).
"""

from collections.abc import Iterable
from struct import unpack
from typing import Literal

from drivers.common.agenda import Agenda
from drivers.common.framing import Frames
from drivers.common.shdlc import HEADER, NOT_NOW, UNKNOWN_COMMAND, Reply, command, length, longest, parse
from drivers.common.zeros import Zeros
from gateway.contract import Driver, Duration, FieldValue, Measurement, Options, Quality, Reject, SerialLink, field

START, READ, WAKE_UP, CLEAN, SERIAL, VERSION, STATUS = 0x00, 0x03, 0x11, 0x56, 0xD0, 0xD1, 0xD2
VALUES = (
    *("pm1", "pm25", "pm4", "pm10"),
    *(f"particles_up_to_{size}" for size in ("05", "1", "25", "4", "10")),
    "typical_particle_size",
)
DIGITS = 6
"""A float of four bytes carries no more behind the point; what seems to follow is an artefact of its base."""
OUTPUT = {"float": b"\x01\x03", "integer": b"\x01\x05"}
WAKE = b"\xff" + command(WAKE_UP)
LONGEST = longest(data=40)
CLEANING, CLEAN_AGAIN = 10.0, 60.0


def values(data: bytes) -> list[float]:
    """Return a reading as `VALUES`, in vocabulary units; empty for data of another size, or that is no such ten."""
    if len(data) == 40:
        ten = [round(value, DIGITS) for value in unpack(">10f", data)]
    elif len(data) == 20:
        *nine, nanometres = unpack(">10H", data)
        ten = [*map(float, nine), nanometres / 1000]
    else:
        return []
    return ten if all(0 <= value < 1e6 for value in ten) else []  # NaN is within no bounds


def about(command: int, data: bytes) -> dict[str, FieldValue]:
    """Return serial number, version or status as fields; nothing for a mere confirmation."""
    match command:
        case 0xD0:
            return {"serial_number": data.rstrip(b"\0").decode("ascii", "replace")}
        case 0xD1:
            return {"firmware_version": ".".join(map(str, data[:2]))}
        case 0xD2:
            return {"device_error": int.from_bytes(data[:4], "big")}
    return {}


class Sps30Options(Options):
    """How it is to measure.

    ``output``          "float", or "integer" for whole ug/m3
    ``warm_up``         how long its values are marked doubtful after it was started
    ``cleaning``        how often its fan is cleaned, as long as it goes on answering; "0s" leaves it to the sensor
    ``clean_at_start``  clean it whenever it had to be started: for one that loses its power more often than that
    """

    output: Literal["float", "integer"] = "float"
    warm_up: Duration = 30.0
    cleaning: Duration = 604800.0
    clean_at_start: bool = False


class Decoder:
    """Keeps one sensor measuring, and asks it."""

    def __init__(self, options: Sps30Options) -> None:
        self._frames: Frames[Reply] = Frames((HEADER,), LONGEST, length, parse)
        # The status is never granted: it is asked for again and again.
        wishes = {VERSION: b"", SERIAL: b"\x03", STATUS: b"\0"}
        self._agenda = Agenda(command(READ), {code: command(code, data) for code, data in wishes.items()})
        self._options = options
        self._starting = (WAKE, command(START, OUTPUT[options.output]))
        self._measures = False
        self._zeros = Zeros(options.warm_up)
        self._counts = False
        self._turn = 0
        self._now = 0
        self._warm_at = 0
        self._still_until = 0
        self._clean_at = 0

    def start(self) -> Iterable[bytes]:
        """Wake it and make it measure."""
        return self._starting

    def poll(self) -> bytes:
        """Ask for a reading, now and then for how it is; start it again where it lost its power."""
        if not self._measures:
            self._turn += 1
            return self._starting[self._turn % 2]
        if self._clean_at and self._now >= self._clean_at:
            self._clean_at = self._after(CLEAN_AGAIN)
            return command(CLEAN)
        return self._agenda.question()

    def feed(self, data: bytes, now: int) -> Iterable[Measurement | Reject]:
        """See `gateway.contract.SerialDecoder`."""
        self._now = now
        if self._options.cleaning and not self._clean_at:
            self._clean_at = self._after(self._options.cleaning)
        return [said for found in self._frames.feed(data) if (said := self._understand(found)) is not None]

    def finish(self) -> Iterable[Reject]:
        """Return what is left of an unfinished answer."""
        return [found for found in self._frames.finish() if isinstance(found, Reject)]

    def _understand(self, found: Reply | Reject) -> Measurement | Reject | None:
        if isinstance(found, Reject):
            return found
        if found.state:
            return self._refused(found.command, found.state, found.frame)
        code, options = found.command, self._options
        if code == READ:
            self._measures = True
            return self._reading(found) if found.data else None
        if code == START:
            self._measures = True
            self._warm_at = self._after(options.warm_up)
            self._clean_at = self._now if options.clean_at_start else self._clean_at
        elif code == CLEAN:
            self._clean_at = 0
            self._still_until = self._after(CLEANING)
        elif code != STATUS:
            self._agenda.granted(code)
        said = about(code, found.data)
        return Measurement("air_quality", said) if said else None

    def _refused(self, code: int, state: int, frame: bytes) -> Reject | None:
        if state == UNKNOWN_COMMAND:
            self._agenda.granted(code)  # its firmware does not know the command
        if state == NOT_NOW and code in (START, WAKE_UP):
            self._measures = self._measures or code == START
            return None
        self._measures = self._measures and state != NOT_NOW
        return Reject("unsupported", frame, f"command {code:02X} refused with {state:02X}")

    def _reading(self, found: Reply) -> Measurement | Reject:
        if not (ten := values(found.data)):
            return Reject("range", found.frame, "no ten numbers that could be")
        if any(ten):
            self._counts, self._zeros.since = True, None
        elif self._zeros.starting(self._now) and not self._counts:
            return Reject("unsupported", found.frame, "all zero: it is starting")
        quality = Quality.INCONSISTENT if found.flagged else Quality.GOOD
        if self._now < self._warm_at:
            quality |= Quality.WARM_UP
        if self._now < self._still_until:
            quality |= Quality.STUCK
        return Measurement("air_quality", dict(zip(VALUES, ten, strict=True)), quality=quality)

    def _after(self, seconds: float) -> int:
        return self._now + int(seconds * 1e9)


DRIVER = Driver(
    name="sps30",
    title="Sensirion SPS30",
    link=SerialLink(baudrate=115200, interval=10.0, timeout=0.2, harmless="start"),
    fields=(
        *(field(name, 0, 1000) for name in VALUES[:4]),
        *(field(name, 0, 3000) for name in VALUES[4:9]),
        *map(field, (VALUES[9], "device_error", "firmware_version", "serial_number")),
    ),
    max_frame=LONGEST,
    decoder=Decoder,
    options=Sps30Options,
    kinds=("air_quality",),
)
