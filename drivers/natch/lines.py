"""Lines of the Natch protocol: parsing, polls and acknowledgements; the sheet is in `drivers.natch`."""

import re
from collections import deque
from typing import NamedTuple

from drivers.common.times import nanoseconds
from gateway.contract import FieldValue, Reject

CODES = frozenset(("cs", "dc", "ds", "mc", "ms", "mt", "ps", "sa", "sc", "v."))
DETECTORS = 32
AT_ONCE = 32
"""More vehicles than a controller sends before it waits for an acknowledgement."""
SECOND = 10**9
DAY = 86400 * SECOND
AHEAD = 30 * SECOND
"""An event that is further ahead of the clock than this is yesterday's."""

_ID = re.compile("[0-9A-Fa-f]{4}")
_NUMBER = re.compile("[0-9]{1,9}")
_TIME = re.compile("([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9])")


class Line(NamedTuple):
    """A sound line: the code, the message id as it came, and what follows."""

    code: str
    message_id: str
    words: tuple[str, ...]
    raw: bytes


class Event(NamedTuple):
    """A vehicle that left a detector: milliseconds, None where not known, and nanoseconds of the local day."""

    number: int
    detector: int
    duration: int | None
    headway: int | None
    time_of_day: int

    def fields(self) -> dict[str, FieldValue]:
        """Return it in vocabulary units."""
        said: dict[str, FieldValue] = {"intensity": 1}
        if self.duration is not None:
            said["presence_time"] = self.duration / 1000
        if self.headway is not None:
            said["average_headway_time"] = self.headway / 1000
        return said


class Clock(NamedTuple):
    """The controller's clock at one moment, in nanoseconds: UTC, local time of day, the gateway's monotonic time."""

    utc: int
    time_of_day: int
    heard: int

    def age(self, event: Event, now: int) -> int:
        """Return how long ago it was, by the controller's clock: from a little in the future to almost a day."""
        passed = self.time_of_day + now - self.heard - event.time_of_day
        return (passed + AHEAD) % DAY - AHEAD

    def time(self, event: Event, now: int) -> int:
        """Return when it was, by the controller's clock; its number as nanoseconds tells those of a second apart."""
        return self.utc + now - self.heard - self.age(event, now) + event.number


def parse(raw: bytes) -> Line | Reject:
    """Parse one line; polls, in capitals, are none of the controller's."""
    code, *words = raw.decode("utf-8", "replace").strip().split(",")
    if code not in CODES:
        return Reject("noise", raw, "no code of an answer")
    if not words or not _ID.fullmatch(words[0]):
        return Reject("length", raw, "no message id")
    return Line(code, words[0], tuple(words[1:]), raw)


def event(line: Line) -> Event | str:
    """Return the vehicle of a ``ds``, or what is wrong with it."""
    if len(line.words) != 4:
        return f"{len(line.words) + 2} words"
    detector, duration, headway, time = line.words
    if not _NUMBER.fullmatch(detector) or int(detector) >= DETECTORS:
        return f"detector {detector!r}"
    for milliseconds in (duration, headway):
        if milliseconds and not _NUMBER.fullmatch(milliseconds):
            return f"{milliseconds!r} ms"
    if (at := time_of_day(time)) is None:
        return f"time {time!r}"
    known = [int(milliseconds) if milliseconds else None for milliseconds in (duration, headway)]
    return Event(int(line.message_id, 16), int(detector), known[0], known[1], at)


def clock(line: Line, heard: int) -> Clock | None:
    """Return the clock of a ``cs``, None where it holds no time."""
    text = ",".join(line.words)
    utc, local = nanoseconds(text), time_of_day(text[11:19])
    return None if utc is None or local is None else Clock(utc, local, heard)


def time_of_day(text: str) -> int | None:
    """Return nanoseconds for ``HH:MM:SS``."""
    if (match := _TIME.fullmatch(text)) is None:
        return None
    hour, minute, second = map(int, match.groups())
    return (hour * 3600 + minute * 60 + second) * SECOND


def poll(code: str, message_id: str, *words: object) -> bytes:
    """Return a poll or an acknowledgement as it goes over the line."""
    return (",".join((code, message_id, *map(str, words))) + "\n").encode()


class Acknowledgements:
    """What is to be acknowledged, each ``settle`` seconds after it came."""

    def __init__(self, settle: float) -> None:
        self._settle = int(settle * SECOND)
        self._waiting: deque[tuple[str, int]] = deque(maxlen=AT_ONCE)

    def add(self, message_id: str, now: int) -> None:
        """Acknowledge this before long."""
        if all(message_id != waiting for waiting, _ in self._waiting):
            self._waiting.append((message_id, now + self._settle))

    def due(self, now: int) -> bytes:
        """Return those whose time has come, oldest first, and forget them."""
        said = b""
        while self._waiting and self._waiting[0][1] <= now:
            said += poll("DS", self._waiting.popleft()[0])
        return said
