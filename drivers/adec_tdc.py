"""ADEC TDC1, TDC3, TDC4: detectors over one lane by radar, ultrasound and infrared, each vehicle by itself.

RS-485, addresses 1 to 255, speed and parity as set there (9600 8N1 unless the line says otherwise; FT1.2 by the book
has even parity). `drivers.common.ft12` draws the frames; numbers are big endian::

    40        reset: the next frame count bit is a new one; answered by E5
    58 or 78  vehicles: E5 for nothing to report, or 08 (in SiTOS mode 00) with up to four vehicles
    49        status: 0B with one byte

    ee [nn nn nn nn, then one to four vehicles, the oldest first]         data of an answer
    vv kk oo oo gg gg [ll] [.. tt tt ..]    a vehicle of 6, 7 or 11 bytes; the size of the answer tells which

    e status: bits 7 hardware, 6 synchronization, 5 queue, 4 wrong way, 3 ultrasound, 2 and 1 infrared, 0 radar (in a
      TDC1-PIR 2 low voltage, 1 thermal, 0 infrared)
    n vehicles in the detector's life, up to the last one in the answer
    v km/h, k class and lane (its layout is not public), o time over it and g gap in front of it, in 10 ms, l length
      in dm, t for synchronization; a speed, a length or a gap of 0 is none

    10 78 01 79 16  ->  68 0E 0E 68 08 01 00 00 00 01 F4 32 11 00 48 00 FA 2D B0 16
                        the 500th vehicle: 50 km/h, 0.72 s, 2.5 s behind another, 4.5 m

Each answer is a reading of what passed since the one before. A lost or damaged one is asked for again with the same
frame count bit, and one that comes twice is told by its life's count. Where that goes on by more than what was said,
vehicles were lost on the way: they count, but have no speed; ``sample_count`` is how many are known better.

Quirks: a single E5 names no address, so it counts only behind a question. It holds no status: that is asked for each
minute. With four vehicles an answer and 5 s between questions, 2880 vehicles an hour are kept up with.

Source: ADEC's protocol as in the Minnesota DOT's IRIS (tms.server.comm.adectdc).
"""

from collections.abc import Iterable, Iterator
from struct import unpack_from

from pydantic import Field

from drivers.common.ft12 import AROUND, Answer, frames, question
from drivers.common.lanes import Tally, Vehicle
from gateway.contract import Driver, FieldValue, Measurement, Options, Reject, SerialLink, field

FAULTS, QUEUE, WRONG_WAY = 0b11001111, 0b00100000, 0b00010000
SIZES = {count * size: size for size in (6, 7, 11) for count in (1, 2, 3, 4)}
"""Bytes of vehicles -> bytes of one of them; no number stands for two."""
HEAD = 5
MOST_DATA = HEAD + max(SIZES)
RESET, VEHICLES, STATUS, STATUS_ANSWER = 0, 8, 9, 0x0B
STATUS_EVERY = 12
MOST_LOST = 1000
"""A longer jump of the count is another detector, or one that began again."""


def vehicles(data: bytes) -> list[Vehicle] | None:
    """Return the vehicles of an answer, which may be none; None where its size is no answer's."""
    records = data[HEAD:]
    if len(data) == 1:
        return []
    if len(records) not in SIZES:
        return None
    found = []
    for at in range(0, len(records), SIZES[len(records)]):
        speed, _, occupied, gap = unpack_from(">BBHH", records, at)
        length = records[at + 6] if SIZES[len(records)] > 6 else 0
        found.append(Vehicle(float(speed) or None, length / 10 or None, gap / 100 or None, occupied / 100))
    return found


def state(status: int) -> dict[str, FieldValue]:
    """Return the fields of the status byte."""
    event = "wrong_way" if status & WRONG_WAY else "queue" if status & QUEUE else ""
    return {"device_error": status & FAULTS, **({"event": event} if event else {})}


class AdecTdcOptions(Options):
    """Where it is on the line."""

    address: int = Field(ge=1, le=255)


class Decoder:
    """Asks one detector."""

    def __init__(self, options: AdecTdcOptions) -> None:
        self._address = options.address
        self._frames = frames(options.address, MOST_DATA)
        self._asked: int | None = None
        self._turn = 0
        self._count_bit = True
        self._count: int | None = None
        self._since: int | None = None

    def start(self) -> Iterable[bytes]:
        """Send nothing: on a bus each question has its turn."""
        return ()

    def poll(self) -> bytes:
        """Ask for a reset until it is done, then for vehicles, and now and then for the status."""
        if self._turn == 0:
            self._asked = RESET
            return question(self._address, RESET)
        self._turn += 1
        if self._turn % STATUS_EVERY == 0:
            self._asked = STATUS
            return question(self._address, STATUS)
        self._asked = VEHICLES
        return question(self._address, VEHICLES, self._count_bit)

    def feed(self, data: bytes, now: int) -> Iterable[Measurement | Reject]:
        """See `gateway.contract.SerialDecoder`."""
        said: list[Measurement | Reject] = []
        for found in self._frames.feed(data):
            said += self._understand(found, now) if isinstance(found, Answer) else [found]
        return said

    def finish(self) -> Iterable[Reject]:
        """Return what is left of an unfinished answer."""
        return [found for found in self._frames.finish() if isinstance(found, Reject)]

    def _understand(self, answer: Answer, now: int) -> Iterator[Measurement | Reject]:
        asked = self._asked
        if answer.function == -1:
            if asked == RESET:
                self._asked = None
                self._turn = 1
                self._count_bit = True
            elif asked == VEHICLES:
                self._asked = None
                self._count_bit = not self._count_bit
                yield from self._reading([], 0, {}, now)
        elif answer.function == STATUS_ANSWER and len(answer.data) == 1:
            yield Measurement("traffic", state(answer.data[0]))
        elif answer.function not in (VEHICLES, RESET) or (found := vehicles(answer.data)) is None:
            yield Reject("unsupported", answer.frame, f"function {answer.function}, {len(answer.data)} bytes")
        else:
            if asked == VEHICLES:
                self._asked = None
                self._count_bit = not self._count_bit
            yield from self._counted(found, answer.data, now)

    def _counted(self, found: list[Vehicle], data: bytes, now: int) -> Iterator[Measurement]:
        about = state(data[0])
        if not found:
            yield from self._reading([], 0, about, now)
            return
        count = int.from_bytes(data[1:HEAD], "big")
        more = len(found) if self._count is None else (count - self._count) % 2**32
        self._count = count
        if more:  # else the answer was received before
            lost = more - len(found)
            yield from self._reading(found[-more:], lost if 0 < lost <= MOST_LOST else 0, about, now)

    def _reading(
        self, found: list[Vehicle], lost: int, about: dict[str, FieldValue], now: int
    ) -> Iterator[Measurement]:
        period = 0.0 if self._since is None else (now - self._since) / 1e9
        self._since = now
        tally = Tally()
        for vehicle in found:
            tally.add(vehicle)
        tally.lose(lost)
        fields = about | (tally.fields(period) if found or period > 0 else {})
        if fields:
            yield Measurement("traffic", fields)


DRIVER = Driver(
    name="adec_tdc",
    title="ADEC TDC1/TDC3/TDC4",
    link=SerialLink(baudrate=9600, interval=5.0, timeout=0.5, bus=True),
    fields=(
        field("intensity"),
        field("average_vehicle_speed", 0, 255),
        field("max_vehicle_speed", 0, 255),
        field("average_vehicle_length", 0, 25.5),
        field("average_gap_time", 0, 655.35),
        field("occupancy"),
        field("period"),
        field("sample_count", 0, 4),
        field("device_error", 0, 255),
        field("event"),
    ),
    max_frame=MOST_DATA + 2 + AROUND,
    decoder=Decoder,
    options=AdecTdcOptions,
    kinds=("traffic",),
    experimental=True,
)
