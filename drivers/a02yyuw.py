"""DYP / DFRobot A02YYUW and A01NYUB: ultrasonic distance, sealed, over a parking bay or a gutter.

UART, 9600 8N1, 3.3 to 5 V. It reports by itself, four bytes, big endian, in mm::

    FF hh ll sum        sum = low byte of FF + hh + ll

    FF 07 A1 A7         0x07A1 = 1953 mm

With its RX pin high or open it reports smoothed values every 100 to 500 ms; with RX low raw ones, every 100 ms. It
takes no commands.

Ranges: A02YYUW 30 to 4500 mm; A01NYUB 280 to 7500 mm, a narrower beam (from memory of its data sheet, unchecked).

States that are not distances: 0 is no echo, which may be nothing there or a surface that swallows sound: "unclear".
A value below the range is something in the blind zone. Newer modules of the family say FFFD for no target and FFFE
for interference (unchecked). Anything else beyond the range is impossible.

Sources: DFRobot wiki SEN0311 and SEN0313; a captured A01NYUB stream repeats FF 03 9D 9F (925 mm).
"""

from collections.abc import Iterable
from typing import Literal

from drivers.common.occupancy import Bay, BayOptions, State
from drivers.common.sonar import FRAME, Echo, frames
from gateway.contract import Driver, Measurement, Reject, SerialLink, field

RANGES = {"a02yyuw": (30, 4500), "a01nyub": (280, 7500)}
SENTINELS: dict[int, State] = {0: "unclear", 0xFFFD: "no_target", 0xFFFE: "unclear"}


class A02yyuwOptions(BayOptions):
    """Which one it is, and what its distance stands for."""

    model: Literal["a02yyuw", "a01nyub"] = "a02yyuw"
    """They speak alike, and differ in their ranges."""


class Decoder:
    """Listens to one sensor."""

    def __init__(self, options: A02yyuwOptions) -> None:
        self._frames = frames()
        self._bay = Bay(options)
        self._nearest, self._furthest = RANGES[options.model]

    def start(self) -> Iterable[bytes]:
        """Send nothing: it takes no commands."""
        return ()

    def poll(self) -> bytes:
        """Send nothing: it reports by itself."""
        return b""

    def feed(self, data: bytes, now: int) -> Iterable[Measurement | Reject]:
        """See `gateway.contract.SerialDecoder`."""
        said: list[Measurement | Reject] = []
        for found in self._frames.feed(data):
            one = self._understand(found) if isinstance(found, Echo) else found
            said += [one] if isinstance(one, Reject) else self._bay.see(one, now)
        return said

    def finish(self) -> Iterable[Reject]:
        """Return what is left of an unfinished frame."""
        return [found for found in self._frames.finish() if isinstance(found, Reject)]

    def _understand(self, echo: Echo) -> float | State | Reject:
        if (state := SENTINELS.get(echo.millimetres)) is not None:
            return state
        if echo.millimetres > self._furthest:
            return echo.beyond(self._furthest)
        return "blind_zone" if echo.millimetres < self._nearest else echo.millimetres


DRIVER = Driver(
    name="a02yyuw",
    title="DYP A02YYUW, A01NYUB (DFRobot SEN0311, SEN0313)",
    link=SerialLink(baudrate=9600),
    fields=(field("distance", 30, 7500), field("occupied"), field("event")),
    max_frame=FRAME,
    decoder=Decoder,
    options=A02yyuwOptions,
    kinds=("parking",),
)
