"""SenseAir K30: CO2 by infrared absorption, asked in SenseAir's dialect of Modbus RTU.

UART, 9600 8N1. Function 44h reads memory: h l place, n bytes; c CO2 in ppm, signed. It answers at its own address,
68 hex as delivered, and at FE, "any sensor", which suits a line with one of them::

    FE 44 00 08 02 9F 25     question: two bytes from 0008 on
    FE 44 02 cc cc crc crc   answer

    FE 44 02 01 90 B9 18     0190 = 400 ppm

Range 0 to 5000 ppm, to 10000 with a larger error; a new value every 2 s, none in the first seconds. Quirks: read
without a look at the CRC, an answer that lost a byte gives the bytes 44 02 as a value, 17410 ppm. Plain function 04
answers too, in the frames of the S8: this driver leaves those to `senseair_s8`.

Sources: CO2Meter application note AN-102; SenseAir CO2 Engine K30 product specification PSP110.
"""

from collections.abc import Iterable

from pydantic import Field

from drivers.common.modbus_rtu import Answer, Exchange, longest, with_crc, words
from gateway.contract import Driver, Measurement, Options, Reject, SerialLink, field

ANY = 0xFE
READ_MEMORY = 0x44
CO2 = 0x08
SIZES = {READ_MEMORY: (2,)}


class SenseairK30Options(Options):
    """Where it is.

    ``address``  1 to 247, or 254 for the only sensor on the line
    """

    address: int = Field(default=ANY, ge=1, le=ANY)


def question(address: int, place: int, count: int) -> bytes:
    """Return the question for ``count`` bytes of memory."""
    return with_crc(bytes((address, READ_MEMORY)) + words(place) + bytes((count,)))


def understand(answer: Answer) -> Measurement | Reject:
    """Return the value of one answer."""
    co2 = int.from_bytes(answer.data, "big", signed=True)
    if co2 <= 0:
        return Reject("range", answer.frame, f"{co2} ppm: it has not measured yet")
    return Measurement("air_quality", {"co2": float(co2)})


class Decoder:
    """Asks one sensor."""

    def __init__(self, options: SenseairK30Options) -> None:
        self._exchange = Exchange(options.address, SIZES)
        self._question = question(options.address, CO2, 2)

    def start(self) -> Iterable[bytes]:
        """Send nothing: on a bus each question has its turn."""
        return ()

    def poll(self) -> bytes:
        """Ask for a reading."""
        return self._exchange.asking(self._question)

    def feed(self, data: bytes, now: int) -> Iterable[Measurement | Reject]:  # noqa: ARG002 -- time decides nothing here
        """See `gateway.contract.SerialDecoder`."""
        return [understand(found) if isinstance(found, Answer) else found for found in self._exchange.feed(data)]

    def finish(self) -> Iterable[Reject]:
        """Return what is left of an unfinished answer."""
        return list(self._exchange.finish())


DRIVER = Driver(
    name="senseair_k30",
    title="SenseAir K30",
    link=SerialLink(baudrate=9600, interval=10.0, timeout=0.5, bus=True, harmless="poll", modbus=True),
    fields=(field("co2", 250, 10000),),
    max_frame=longest(SIZES),
    decoder=Decoder,
    options=SenseairK30Options,
    kinds=("air_quality",),
    experimental=True,
)
