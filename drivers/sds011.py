"""Nova Fitness SDS011: PM2.5 and PM10 by laser scattering.

UART, 9600 8N1, 3.3 V. Sensor to host, ten bytes; p and P little endian, in tenths of ug/m3; ``sum`` is the low byte
of the sum of the six bytes before it::

    AA C0 pp pp PP PP ii ii sum AB      report   p PM2.5, P PM10, i device id
    AA C5 cc ss vv ww ii ii sum AB      reply    c command, s 0 asked or 1 set, v value

    AA C0 D4 04 3A 0A A1 60 1D AB       0x04D4 = 1236: PM2.5 123.6;  0x0A3A = 2618: PM10 261.8;  id A160

Host to sensor, nineteen bytes: ``AA B4 cc ss vv 00 .. 00 nn nn tt tt sum AB``, n a new id, t the id of the sensor
that is meant, FFFF for any. Commands: 2 report mode (0 active, 1 when asked), 4 read, 5 set id, 6 sleep 0 or work 1,
7 firmware (s v w are year, month, day), 8 working period (0 always; n: 30 s in every n minutes).

Range 0.0 to 999.9 ug/m3, one report a second. The laser lasts 8000 h: under a year, or nine at a period of 5 min.
Quirks: asleep it obeys nothing but 6, so the wake-up goes first, and again until it is answered. Replies come up to a
second late, among the reports. While it starts it sends zeros in sound frames: they are no data, under the id 0000
ever, and under its own for as long as the warm-up; those that go on are clean air. Values are stable 30 s after
waking. PM10 below PM2.5 occurs; such a pair is kept and marked.

Sources: SDS011 specification V1.3; Laser Dust Sensor Control Protocol V1.3 (Nova Fitness).
"""

from collections.abc import Iterable, Iterator
from typing import Annotated, NamedTuple

from pydantic import Field as Bounded

from drivers.common.framing import Frames
from drivers.common.zeros import Zeros
from gateway.contract import Driver, Duration, Measurement, Options, Quality, Reject, SerialLink, field

FRAME = 10
HEADERS = (b"\xaa\xc0", b"\xaa\xc5")
ANY = b"\xff\xff"
REPORT_MODE, READ, SET_ID, SLEEP_WORK, FIRMWARE, WORKING_PERIOD = 2, 4, 5, 6, 7, 8
ACTIVE, WORK = 0, 1


class Sds011Options(Options):
    """How it is to measure.

    ``working_period``  it measures 30 s in each; whole minutes up to "30min", or "0s" for always
    ``warm_up``         how long its values are marked doubtful after it woke up
    """

    working_period: Annotated[Duration, Bounded(multiple_of=60, le=1800)] = 0.0
    warm_up: Duration = 30.0


class Report(NamedTuple):
    """A measurement frame; ug/m3."""

    pm25: float
    pm10: float
    device: bytes


class Reply(NamedTuple):
    """An answer to the command ``code``; ``data`` are its bytes s, v and w."""

    code: int
    data: bytes
    device: bytes

    @property
    def value(self) -> int:
        """The value that was set or asked for."""
        return self.data[1]


def command(code: int, value: int | None = None, *, new_id: bytes = b"\0\0", target: bytes = ANY) -> bytes:
    """Return the frame that sets ``value``, or that asks for it when it is None."""
    wish = bytes([code, 0, 0]) if value is None else bytes([code, 1, value])
    body = wish + bytes(8) + new_id + target
    return b"\xaa\xb4" + body + bytes([sum(body) & 0xFF]) + b"\xab"


def parse(frame: bytes) -> Report | Reply | Reject:
    """Parse one frame, sound or damaged."""
    if not frame.startswith(HEADERS):
        return Reject("noise", frame, "no header")
    if len(frame) != FRAME or frame[9] != 0xAB:
        return Reject("length", frame, "no end mark at byte 9")
    if sum(frame[2:8]) & 0xFF != frame[8]:
        return Reject("checksum", frame, f"sum {sum(frame[2:8]) & 0xFF:02X}, frame says {frame[8]:02X}")
    if frame[1] == 0xC5:
        return Reply(frame[2], frame[3:6], frame[6:8])
    return Report(
        int.from_bytes(frame[2:4], "little") / 10, int.from_bytes(frame[4:6], "little") / 10, device=frame[6:8]
    )


class Decoder:
    """Follows one sensor from its wake-up on."""

    def __init__(self, options: Sds011Options) -> None:
        self._frames: Frames[Report | Reply] = Frames(HEADERS, FRAME, lambda _: FRAME, parse)
        self._warm_up = int(options.warm_up * 1e9)
        self._zeros = Zeros(options.warm_up)
        self._warm_at = 0  # the moment from which its values are stable
        self._unconfirmed = {SLEEP_WORK: WORK, REPORT_MODE: ACTIVE, WORKING_PERIOD: int(options.working_period // 60)}

    def start(self) -> Iterable[bytes]:
        """Wake it, make it report by itself; ask its firmware once, because asking again would wake it again."""
        return [*(command(code, value) for code, value in self._unconfirmed.items()), command(FIRMWARE)]

    def poll(self) -> bytes:
        """Repeat the first of the start commands that was not confirmed."""
        return next((command(code, value) for code, value in self._unconfirmed.items()), b"")

    def feed(self, data: bytes, now: int) -> Iterable[Measurement | Reject]:
        """See `gateway.contract.SerialDecoder`."""
        return [said for found in self._frames.feed(data) for said in self._understand(found, now)]

    def finish(self) -> Iterable[Reject]:
        """Return what is left of an unfinished frame."""
        return [found for found in self._frames.finish() if isinstance(found, Reject)]

    def _understand(self, found: Report | Reply | Reject, now: int) -> Iterator[Measurement | Reject]:
        if isinstance(found, Reply):
            if found.code == FIRMWARE:
                version = "-".join(str(number) for number in found.data)
                yield Measurement("air_quality", {"firmware_version": version})
            elif self._unconfirmed.get(found.code) == found.value:
                del self._unconfirmed[found.code]
                if found.code == SLEEP_WORK:
                    self._warm_at = now + self._warm_up
        elif isinstance(found, Reject):
            yield found
        elif found.pm25 == found.pm10 == 0 and (self._zeros.starting(now) or not any(found.device)):
            self._warm_at = now + self._warm_up
            sent = b"\xaa\xc0\0\0\0\0" + found.device + bytes([sum(found.device) & 0xFF]) + b"\xab"
            yield Reject("unsupported", sent, "both values are zero: it is starting")
        else:
            if found.pm25 or found.pm10:
                self._zeros.since = None
            quality = Quality.WARM_UP if now < self._warm_at else Quality.GOOD
            if found.pm10 < found.pm25:
                quality |= Quality.INCONSISTENT
            yield Measurement("air_quality", {"pm25": found.pm25, "pm10": found.pm10}, quality=quality)


DRIVER = Driver(
    name="sds011",
    title="Nova Fitness SDS011",
    link=SerialLink(baudrate=9600, interval=2.0),
    fields=(field("pm25", 0, 999.9), field("pm10", 0, 999.9), field("firmware_version")),
    max_frame=FRAME,
    decoder=Decoder,
    options=Sds011Options,
    kinds=("air_quality",),
)
