"""SmartMeasure SM300D2: particles, formaldehyde, organic compounds, temperature and humidity; both of its dialects.

UART, 9600 8N1, once a second by itself, big endian. c CO2 in ppm; f formaldehyde, v organic compounds (TVOC),
p PM2.5, P PM10, all in ug/m3; t degrees, h per cent. Older modules send a whole number and tenths of each, t with its
highest bit set below zero, and the low byte of the sum of all before it; others hundredths, in what looks like an
answer of Modbus RTU without a question::

    3C 02 cc cc ff ff vv vv pp pp PP PP tt t. hh h. sum
    01 03 0E cc cc ff ff vv vv pp pp PP PP tt tt hh hh crc crc

    01 03 0E 01 93 00 00 00 02 00 00 00 00 08 BD 0C EC A4 EF      403 ppm, TVOC 2, 22.37 degrees, 33.08 %

No CO2 is measured: it is worked out from the organic compounds, and so is called ``co2_equivalent`` here. That t and
h are hundredths in the second dialect is inferred from captures; below zero it is taken for two's complement. Quirk:
in the first dialect the sum is sometimes 80 hex off, for negative temperatures and for no known reason: such a frame
is kept, and marked where the temperature does not explain it.

Sources: ESPHome's component sm300d2; a capture of the second dialect in esp-air.
"""

from collections.abc import Iterable
from typing import NamedTuple

from drivers.common.framing import Frames
from drivers.common.modbus_rtu import crc
from gateway.contract import Driver, Duration, Measurement, Options, Quality, Reject, SerialLink, field

PLAIN, MODBUS = b"\x3c\x02", b"\x01\x03\x0e"
LENGTHS = {PLAIN[0]: 17, MODBUS[0]: 19}
NAMES = ("co2_equivalent", "ch2o", "tvoc_mass", "pm25", "pm10")


class Sm300d2Options(Options):
    """``warm_up``: how long after the line opened values are marked doubtful."""

    warm_up: Duration = 30.0


class Report(NamedTuple):
    """One sound frame: the values of `NAMES`, degrees and a fraction; whether its sum is 80 hex off for no reason."""

    values: tuple[float, ...]
    temperature: float
    relative_humidity: float
    odd: bool = False


def parse(frame: bytes) -> Report | Reject:
    """Parse one whole frame of either dialect."""
    if len(frame) != LENGTHS.get(frame[0] if frame else -1):
        return Reject("length", frame, "no frame of this length")
    start = 3 if frame.startswith(MODBUS) else 2
    values = tuple(float(int.from_bytes(frame[at : at + 2], "big")) for at in range(start, start + 10, 2))
    if start == 3:
        if crc(frame[:-2]) != frame[-2:]:
            return Reject("checksum", frame, f"CRC {crc(frame[:-2]).hex(' ').upper()}")
        degrees = int.from_bytes(frame[13:15], "big", signed=True) / 100
        return Report(values, degrees, int.from_bytes(frame[15:17], "big") / 10000)
    off = (sum(frame[:-1]) - frame[-1]) & 0xFF
    if off not in (0, 0x80):
        return Reject("checksum", frame, f"sum {sum(frame[:-1]) & 0xFF:02X}, frame says {frame[-1]:02X}")
    below_zero = frame[12] & 0x80
    tenths = (frame[12] & 0x7F) * 10 + frame[13]
    humidity = (frame[14] * 10 + frame[15]) / 1000
    return Report(values, (-tenths if below_zero else tenths) / 10, humidity, bool(off and not below_zero))


class Decoder:
    """Listens to one module."""

    def __init__(self, options: Sm300d2Options) -> None:
        self._frames: Frames[Report] = Frames((PLAIN, MODBUS), 19, lambda head: LENGTHS[head[0]], parse)
        self._warm_up = int(options.warm_up * 1e9)
        self._warm_at: int | None = None

    def start(self) -> Iterable[bytes]:
        """Send nothing: it takes no commands."""
        return ()

    def poll(self) -> bytes:
        """Ask nothing: it reports by itself."""
        return b""

    def feed(self, data: bytes, now: int) -> Iterable[Measurement | Reject]:
        """See `gateway.contract.SerialDecoder`."""
        if self._warm_at is None:
            self._warm_at = now + self._warm_up
        warm = now >= self._warm_at
        return [one if isinstance(one, Reject) else _reading(one, warm=warm) for one in self._frames.feed(data)]

    def finish(self) -> Iterable[Reject]:
        """Return what is left of an unfinished frame."""
        return [found for found in self._frames.finish() if isinstance(found, Reject)]


def _reading(report: Report, *, warm: bool) -> Measurement:
    quality = Quality.GOOD if warm else Quality.WARM_UP
    fields = dict(zip(NAMES, report.values, strict=True))
    if report.odd or fields["pm10"] < fields["pm25"]:
        quality |= Quality.INCONSISTENT
    climate = {"temperature": report.temperature, "relative_humidity": report.relative_humidity}
    return Measurement("air_quality", {**fields, **climate}, quality=quality)


DRIVER = Driver(
    name="sm300d2",
    title="SmartMeasure SM300D2",
    link=SerialLink(baudrate=9600),
    fields=(*map(field, NAMES), field("temperature"), field("relative_humidity")),
    max_frame=19,
    decoder=Decoder,
    options=Sm300d2Options,
    kinds=("air_quality",),
)
