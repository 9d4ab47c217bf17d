"""JSN-SR04T and AJ-SR04M: ultrasonic distance with a probe on a cable, asked.

UART, 9600 8N1, 5 V; the resistor for the mode that is asked over the serial line must be fitted (JSN-SR04T "mode 2",
120 kOhm or the pad closed; some boards print it otherwise). One byte asks, four answer, big endian, in mm::

    55                  question; of some AJ-SR04M 01
    FF hh ll sum        answer; sum = low byte of FF + hh + ll (JSN-SR04T) or of hh + ll (AJ-SR04M)

    FF 13 88 9A         JSN-SR04T: 0x1388 = 5000 mm
    FF 00 DE DE         AJ-SR04M:  0x00DE = 222 mm

The two sums are one apart and no frame shows which is meant: the option `checksum` does, and a wrong choice gives
nothing but "checksum". Boards of both names exist with either. Some AJ-SR04M answer the question 01 alone, with the
FF in the sum: a board that answers none of five questions is asked in both ways in turn, until it answers.

Range 200 to 6000 mm, AJ-SR04M 8000. 0 is no echo, and below 200 the probe hears itself ring: both are "unclear".
A board whose mode reports by itself, every 100 ms, is understood as well.

Sources: data sheets of JSN-SR04T V3.0 and AJ-SR04M; sum and question as others found them on their boards (2025).
"""

from collections.abc import Iterable
from typing import Literal

from drivers.common.occupancy import Bay, BayOptions, State
from drivers.common.sonar import FRAME, Echo, frames
from gateway.contract import Driver, Duration, Measurement, Reject, SerialLink, field

ASK, ASK_OTHER = b"\x55", b"\x01"
UNHEARD = 5
"""Questions without an answer after which the other one is tried."""
NEAREST, FURTHEST = 200, 8000


class JsnSr04tOptions(BayOptions):
    """Which sum it uses, and what its distance stands for."""

    interval: Duration = 0.0
    """As for the others; each answer is a reading, since it is asked no more often than wanted."""
    checksum: Literal["with_header", "without_header"] = "with_header"
    """Whether the FF is in the sum: JSN-SR04T with, AJ-SR04M without."""


def understand(echo: Echo) -> float | State | Reject:
    """Return the distance in mm, or the state that stands for none."""
    if echo.millimetres > FURTHEST:
        return echo.beyond(FURTHEST)
    return "unclear" if echo.millimetres < NEAREST else echo.millimetres


class Decoder:
    """Asks one sensor."""

    def __init__(self, options: JsnSr04tOptions) -> None:
        self._frames = frames(header=options.checksum == "with_header")
        self._bay = Bay(options)
        self._question = ASK
        self._unanswered = 0

    def start(self) -> Iterable[bytes]:
        """Send nothing: there is nothing to set."""
        return ()

    def poll(self) -> bytes:
        """Ask for one measurement; in the other way where that was not answered."""
        self._unanswered += 1
        if self._unanswered > UNHEARD:
            self._question = ASK_OTHER if self._question == ASK else ASK
        return self._question

    def feed(self, data: bytes, now: int) -> Iterable[Measurement | Reject]:
        """See `gateway.contract.SerialDecoder`."""
        said: list[Measurement | Reject] = []
        for found in self._frames.feed(data):
            if isinstance(found, Echo):
                self._unanswered = 0
            one = understand(found) if isinstance(found, Echo) else found
            said += [one] if isinstance(one, Reject) else self._bay.see(one, now)
        return said

    def finish(self) -> Iterable[Reject]:
        """Return what is left of an unfinished frame."""
        return [found for found in self._frames.finish() if isinstance(found, Reject)]


DRIVER = Driver(
    name="jsn_sr04t",
    title="JSN-SR04T, AJ-SR04M",
    link=SerialLink(baudrate=9600, harmless="poll"),
    fields=(field("distance", NEAREST, FURTHEST), field("occupied"), field("event")),
    max_frame=FRAME,
    decoder=Decoder,
    options=JsnSr04tOptions,
    kinds=("parking",),
)
