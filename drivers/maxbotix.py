"""MaxBotix MB7xxx and other MaxSonars: ultrasonic distance, weather resistant.

RS-232 or TTL, 9600 8N1. "RS232" variants use its polarity at 0 V and Vcc: they need an inverter, or a port that
inverts; TTL variants do not. It reports by itself, 6 to 10 times a second::

    R1234<CR>       HRXL: four digits, mm; some 10 m models four digits in cm
    R123<CR>        XL: three digits, cm;   LV: three digits, inches

    R1234           1234 mm

After power-up it sends a few lines of introduction (``HRXL-MaxSonar-WR``, ``PN:MB7360``, ...): no readings. Stray FF
bytes occur between lines, other bytes that are no text before one, and some models put a space before the end.

The nearest value stands for anything nearer (a blind zone), the furthest for nothing seen; both are states, not
distances. HRXL-WR of 5 m: 300 (others 500) and 5000; of 10 m: 9999; XL: 20 and 765 cm; LV: 6 and 254 inches. The
figures for XL and LV are from memory: set `nearest_mm` and `furthest_mm` by the data sheet of yours. Only models with
the external probe allow for the temperature of the air; without it, 20 K are 3.5 per cent.

Sources: MaxBotix PD11500 (HRXL-MaxSonar-WR); the form of the line also as ESPHome reads it.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Annotated, Literal, NamedTuple

from pydantic import Field as Bounded

from drivers.common.framing import Lines
from drivers.common.occupancy import Bay, BayOptions, State
from gateway.contract import Driver, Measurement, Reject, SerialLink, field

MAX_LINE = 64
_RANGE = re.compile(rb"R([0-9]+) ?")
_JUNK = re.compile(rb".*[^ -~]", re.DOTALL)
_PRINTED = re.compile(rb"[!-~]")
_TEXT = re.compile(rb"[ -~]{4,}")  # a line of the introduction


class Scale(NamedTuple):
    """How a model writes; in mm: one step, the blind zone's value, and the one for nothing seen."""

    digits: int
    millimetres: float
    nearest: float
    furthest: float


SCALES = {
    "mm": Scale(4, 1.0, 300, 5000),
    "cm": Scale(3, 10.0, 200, 7650),
    "inch": Scale(3, 25.4, 6 * 25.4, 254 * 25.4),
}


class MaxbotixOptions(BayOptions):
    """How it writes, and what its distance stands for."""

    unit: Literal["mm", "cm", "inch"] = "mm"
    """HRXL: mm; XL: cm; LV: inch."""
    digits: Literal[3, 4] | None = None
    """By default 4 for mm and 3 for the others; some 10 m models write cm with 4."""
    nearest_mm: Annotated[float, Bounded(ge=0)] | None = None
    """This, and less, is "nearer than I can measure"; by default 300, for cm 200, for inches 6 of them."""
    furthest_mm: Annotated[float, Bounded(gt=0)] | None = None
    """This, and more, is "nothing seen"; by default 5000, for cm 7650, for inches 254 of them."""

    def scale(self) -> Scale:
        """Return the scale that the options amount to."""
        usual = SCALES[self.unit]
        nearest = usual.nearest if self.nearest_mm is None else self.nearest_mm
        return Scale(self.digits or usual.digits, usual.millimetres, nearest, self.furthest_mm or usual.furthest)


def parse(line: bytes, scale: Scale) -> Iterator[float | Reject]:
    """Yield the number of one line in mm, nothing for a line of the introduction; and what stands before it."""
    line = line.rstrip(b"\xff")
    junk = _JUNK.match(line)
    text = line[junk.end() :] if junk else line
    match = _RANGE.fullmatch(text)
    if match is None:
        # What begins or ends as a reading, and is as long, was one; the introduction has "RoHS 1.8b".
        lost = text.rstrip()[-1 - scale.digits :]
        damaged = lost[:1] == b"R" and (lost == text.rstrip() or lost[1:].isdigit())
        if damaged or not _TEXT.fullmatch(text) or not text[1:2].isalpha():
            yield Reject("noise", line, "no R and digits")
        return
    if junk and _PRINTED.search(junk[0]):
        yield Reject("noise", junk[0], "a line that ran into the next")
    if len(match[1]) == scale.digits:
        yield int(match[1]) * scale.millimetres
    else:
        yield Reject("length", line, f"{len(match[1])} digits, not {scale.digits}")


class Decoder:
    """Listens to one sensor."""

    def __init__(self, options: MaxbotixOptions) -> None:
        self._lines = Lines(MAX_LINE)
        self._scale = options.scale()
        self._bay = Bay(options)

    def start(self) -> Iterable[bytes]:
        """Send nothing: it takes no commands."""
        return ()

    def poll(self) -> bytes:
        """Send nothing: it reports by itself."""
        return b""

    def feed(self, data: bytes, now: int) -> Iterable[Measurement | Reject]:
        """See `gateway.contract.SerialDecoder`."""
        said: list[Measurement | Reject] = []
        for line in self._lines.feed(data):
            for number in [line] if isinstance(line, Reject) else parse(line, self._scale):
                if isinstance(number, Reject):
                    said.append(number)
                else:
                    said += self._bay.see(self._state(number) or number, now)
        return said

    def finish(self) -> Iterable[Reject]:
        """Return what is left of a line without an end."""
        return self._lines.finish()

    def _state(self, number: float) -> State | None:
        if number >= self._scale.furthest:
            return "no_target"
        return "blind_zone" if number <= self._scale.nearest else None


DRIVER = Driver(
    name="maxbotix",
    title="MaxBotix HRXL-, XL- and LV-MaxSonar (MB7xxx)",
    link=SerialLink(baudrate=9600),
    fields=(field("distance", 0, 11000), field("occupied"), field("event")),
    max_frame=MAX_LINE,
    decoder=Decoder,
    options=MaxbotixOptions,
    kinds=("parking",),
    experimental=True,
)
