"""Sensirion SEN50, SEN54 and SEN55 on a serial line: dust, humidity, temperature, and indices of VOC and NOx.

UART 115200 8N1, 5 V supply, pin SEL open when power comes (to ground it speaks I2C). The host asks; frames, checks
and states are those of `drivers.common.shdlc`, numbers big endian::

    7E 00 00 01 02 FC 7E                             start; answered with state 43 where it measures already
    7E 00 03 01 0C EF 7E                             read
    7E 00 03 ss 10 aa aa bb bb cc cc dd dd rr rr tt tt vv vv nn nn kk 7E

    7E 00 03 00 10 00 52 00 58 00 5A 00 5B 7D 31 4C 12 A4 01 A4 00 0A CB 7E

Worked: PM1 8.2, PM2.5 8.8, PM4 9.0, PM10 9.1 ug/m3 (a to d, unsigned, tenths), 44.28 % (r, hundredths), 23.86
degrees (t, 1/200), VOC index 42, NOx index 1 (v and n, tenths). D0 with data 03 gives the serial number, D1 the
version, whose first two bytes are the firmware's.

Quirks: power brings it up idle, where a read is refused with 43. FFFF, and 7FFF of a signed number, are not known: so
are all in the first second, the NOx index for ten, and always what the model has no sensor for. An index is 1 to 500;
0 is that of a sensor that warms up. A read says the latest sample, new or not; there is one a second. Dust is stable
30 s after the start. It cleans its fan by itself, once a week, and says nothing of it on this line.

Source: Sensirion publishes no description of this line. The commands are those that M. Lazan found on a SEN55 with
firmware 2.0 (polluSensWeb's notes on SEN5x UART, September 2026); order, scales and unknown values are those of the
I2C command 03C4 in the SEN5x datasheet v2 D1, March 2022. Other firmware, SEN50 and SEN54 are not confirmed.
"""

from collections.abc import Iterable
from struct import unpack

from drivers.common.agenda import Agenda
from drivers.common.framing import Frames
from drivers.common.shdlc import HEADER, NOT_NOW, UNKNOWN_COMMAND, Reply, command, length, longest, parse
from gateway.contract import Driver, Duration, FieldValue, Measurement, Options, Quality, Reject, SerialLink, field

START, READ, SERIAL, VERSION = 0x00, 0x03, 0xD0, 0xD1
STARTING = command(START, b"\x02")
LONGEST = longest(data=94)
"""The dump that 03 with data FD gives; it is never asked for."""
NOT_KNOWN, NOT_KNOWN_SIGNED = 0xFFFF, 0x7FFF
DUST = ("pm1", "pm25", "pm4", "pm10")


def values(data: bytes) -> dict[str, FieldValue]:
    """Return what is known of a reading of 16 bytes, in vocabulary units."""
    *dust, humidity, temperature, voc, nox = unpack(">4H4h", data)
    said: dict[str, FieldValue] = {
        name: number / 10 for name, number in zip(DUST, dust, strict=True) if number != NOT_KNOWN
    }
    if humidity != NOT_KNOWN_SIGNED:
        said["relative_humidity"] = humidity / 10000
    if temperature != NOT_KNOWN_SIGNED:
        said["temperature"] = temperature / 200
    for name, index in (("tvoc_index", voc), ("nox_index", nox)):
        if index != NOT_KNOWN_SIGNED and index > 0:
            said[name] = index / 10
    return said


class Sen5xOptions(Options):
    """How it is to measure.

    ``warm_up``  how long its values are marked doubtful after it was started
    """

    warm_up: Duration = 30.0


class Decoder:
    """Keeps one sensor measuring, and asks it."""

    def __init__(self, options: Sen5xOptions) -> None:
        self._frames: Frames[Reply] = Frames((HEADER,), LONGEST, length, parse)
        wishes = {VERSION: command(VERSION), SERIAL: command(SERIAL, b"\x03")}
        self._agenda = Agenda(command(READ, b"\x0c"), wishes)
        self._options = options
        self._measures = False
        self._now = 0
        self._warm_at = 0
        self._about: dict[str, FieldValue] = {}

    def start(self) -> Iterable[bytes]:
        """Make it measure."""
        return (STARTING,)

    def poll(self) -> bytes:
        """Ask for a reading, now and then for what it is; start it again where it lost its power."""
        return self._agenda.question() if self._measures else STARTING

    def feed(self, data: bytes, now: int) -> Iterable[Measurement | Reject]:
        """See `gateway.contract.SerialDecoder`."""
        self._now = now
        return [said for found in self._frames.feed(data) if (said := self._understand(found)) is not None]

    def finish(self) -> Iterable[Reject]:
        """Return what is left of an unfinished answer."""
        return [found for found in self._frames.finish() if isinstance(found, Reject)]

    def _understand(self, found: Reply | Reject) -> Measurement | Reject | None:
        if isinstance(found, Reject):
            return found
        if found.state:
            return self._refused(found.command, found.state, found.frame)
        match found.command:
            case 0x00:
                self._measures = True
                self._warm_at = self._now + int(self._options.warm_up * 1e9)
            case 0x03:
                return self._reading(found)
            case 0xD0:
                self._agenda.granted(SERIAL)
                self._about["serial_number"] = found.data[:32].rstrip(b"\0").decode("ascii", "replace")
            case 0xD1:
                self._agenda.granted(VERSION)
                self._about["firmware_version"] = ".".join(map(str, found.data[:2]))
        return None

    def _refused(self, code: int, state: int, frame: bytes) -> Reject | None:
        if state == UNKNOWN_COMMAND:
            self._agenda.granted(code)  # its firmware does not know the command
        if state == NOT_NOW and code == START:
            self._measures = True
            return None
        self._measures = self._measures and state != NOT_NOW
        return Reject("unsupported", frame, f"command {code:02X} refused with {state:02X}")

    def _reading(self, found: Reply) -> Measurement | Reject:
        if len(found.data) != 16:
            return Reject("unsupported", found.frame, f"a reading of {len(found.data)} bytes, not of a SEN5x")
        self._measures = True
        if not (said := values(found.data)):
            return Reject("unsupported", found.frame, "no value is known yet: it is starting")
        # What it says of itself waits for a reading: an SPS30 answers the same questions in the same way.
        about, self._about = self._about, {}
        quality = Quality.INCONSISTENT if found.flagged else Quality.GOOD
        if self._now < self._warm_at:
            quality |= Quality.WARM_UP
        return Measurement("air_quality", {**said, **about}, quality=quality)


DRIVER = Driver(
    name="sen5x",
    title="Sensirion SEN50, SEN54, SEN55",
    link=SerialLink(baudrate=115200, interval=10.0, timeout=0.2, harmless="start"),
    fields=(
        *(field(name, 0, 1000) for name in DUST),
        field("relative_humidity"),
        field("temperature", -10, 60),
        field("tvoc_index", 1, 500),
        field("nox_index", 1, 500),
        field("firmware_version"),
        field("serial_number"),
    ),
    max_frame=LONGEST,
    decoder=Decoder,
    options=Sen5xOptions,
    kinds=("air_quality",),
    experimental=True,
)
