"""SenseAir S8: CO2 by infrared absorption, asked by Modbus RTU.

UART, 9600 8N1 (it sends two stop bits). It answers at its own address and at FE, "any sensor", which suits a line
with one of them. One question gets status and value, two bytes each; s MeterStatus, c CO2 in ppm, signed::

    FE 04 00 00 00 04 E5 C6                    question for input registers 0 to 3
    FE 04 08 ss ss .. .. .. .. cc cc crc crc   answer

    FE 04 08 00 00 00 00 00 00 01 90 16 E6     no error, 0190 = 400 ppm

MeterStatus bits (their names from memory, unchecked): 0 fatal, 1 offset regulation, 2 algorithm, 3 output, 4 self
diagnostics, 5 out of range, 6 memory.
Input registers 25 to 30 name it once: type (2), memory map, firmware major and minor, serial number (2). Holding
register 31 is the period of the automatic baseline correction (ABC) in hours, 0 for none, 180 as delivered. ABC takes
the lowest value of a period for fresh air: switch it off in garages and tunnels, which never see any.

Range 400 to 2000 ppm, extended to 10000; a new value every 2 s, 0 until the first. Quirks: the bytes 44 02, read
as a value, are 17410 ppm: where the CRC is not checked, a byte lost from a K30's answer gives that. A value with an
error bit is kept and marked. Answers come up to 180 ms late. Some swallow the first byte after a pause: where two
questions had no answer, every second one goes out behind a zero, which such a sensor swallows and others pass over.

Sources: Modbus on SenseAir S8 (SenseAir); SenseAir S8 product specification PSP103.
"""

from collections.abc import Hashable, Iterable

from pydantic import Field, field_validator

from drivers.common.agenda import Agenda
from drivers.common.modbus_rtu import INPUT, WRITE, Answer, Exchange, longest, question, words
from gateway.contract import Driver, Duration, Measurement, Options, Quality, Reject, SerialLink, field

ANY = 0xFE
ABC_PERIOD = 31
OUT_OF_RANGE = 0x20
VALUE, READING, ABOUT = 2, 8, 12
UNHEARD, SWALLOWED = 2, b"\0"
SIZES = {INPUT: (VALUE, READING, ABOUT), WRITE: ()}


class SenseairS8Options(Options):
    """Where it is, and how it calibrates itself.

    ``address``  1 to 247, or 254 for the only sensor on the line
    ``abc``      the period of the automatic baseline correction, whole hours up to "4800h", "0h" for none; left as it
                 is where it is not set
    """

    address: int = Field(default=ANY, ge=1, le=ANY)
    abc: Duration | None = None

    @field_validator("abc")
    @classmethod
    def _whole_hours(cls, seconds: float | None) -> float | None:
        if seconds is not None and (seconds % 3600 or seconds > 4800 * 3600):
            raise ValueError('the ABC period is whole hours, from "0h" (none) to "4800h"')
        return seconds


def understand(answer: Answer) -> Measurement | Reject | None:
    """Interpret one answer; None where it only confirms a command."""
    if answer.function == WRITE:
        return None
    if len(answer.data) == ABOUT:
        major, minor = answer.data[6:8]
        about = {"firmware_version": f"{major}.{minor}", "serial_number": answer.data[8:12].hex()}
        return Measurement("air_quality", about)
    co2 = int.from_bytes(answer.data[-2:], "big", signed=True)
    if co2 <= 0:
        return Reject("range", answer.frame, f"{co2} ppm: it has not measured yet")
    if len(answer.data) == VALUE:
        return Measurement("air_quality", {"co2": float(co2)})
    status = answer.word(0)
    quality = Quality.GOOD
    if status & OUT_OF_RANGE:
        quality |= Quality.OUT_OF_RANGE
    if status & ~OUT_OF_RANGE:
        quality |= Quality.INCONSISTENT
    return Measurement("air_quality", {"co2": float(co2), "device_error": status}, quality=quality)


class Decoder:
    """Asks one sensor."""

    def __init__(self, options: SenseairS8Options) -> None:
        address = options.address
        self._exchange = Exchange(address, SIZES)
        wishes: dict[Hashable, bytes] = {ABOUT: question(address, INPUT, 25, ABOUT // 2)}
        if options.abc is not None:
            period = int(options.abc // 3600)
            wishes[words(ABC_PERIOD, period)] = question(address, WRITE, ABC_PERIOD, period)
        self._agenda = Agenda(question(address, INPUT, 0, READING // 2), wishes)
        self._unanswered = 0

    def start(self) -> Iterable[bytes]:
        """Send nothing: on a bus each question has its turn."""
        return ()

    def poll(self) -> bytes:
        """Ask for a reading; now and then for what is not known or not set yet."""
        self._unanswered += 1
        before = SWALLOWED if self._unanswered > UNHEARD and self._unanswered % 2 else b""
        return before + self._exchange.asking(self._agenda.question())

    def feed(self, data: bytes, now: int) -> Iterable[Measurement | Reject]:  # noqa: ARG002 -- time decides nothing here
        """See `gateway.contract.SerialDecoder`."""
        said = []
        for found in self._exchange.feed(data):
            if isinstance(found, Answer):
                self._unanswered = 0
                self._agenda.granted(found.data if found.function == WRITE else len(found.data))
            one = understand(found) if isinstance(found, Answer) else found
            if one is not None:
                said.append(one)
        return said

    def finish(self) -> Iterable[Reject]:
        """Return what is left of an unfinished answer."""
        return list(self._exchange.finish())


DRIVER = Driver(
    name="senseair_s8",
    title="SenseAir S8",
    link=SerialLink(baudrate=9600, interval=10.0, timeout=0.5, bus=True, harmless="poll", modbus=True),
    fields=(field("co2", 250, 10000), field("device_error"), field("firmware_version"), field("serial_number")),
    max_frame=longest(SIZES),
    decoder=Decoder,
    options=SenseairS8Options,
    kinds=("air_quality",),
    experimental=True,
)
