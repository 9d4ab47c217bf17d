"""When a refusal is worth a word: each reason once, and again when its rate has changed tenfold. Pure."""

import re
from collections import OrderedDict
from dataclasses import dataclass

MOST_REASONS = 200
"""Reasons of one source that are told apart; the one that was quiet for longest is forgotten for another."""

MINUTE = 60.0
"""Seconds over which a rate is taken."""

TENFOLD = 10.0

WINDOW = 600.0
"""Seconds over which the share of what is refused is taken."""

ENOUGH = 20
"""Readings and refused messages without which a share means nothing."""

JUMP = 0.3
"""A share that has grown by this is worth a finding."""

_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")


def without_numbers(words: str) -> str:
    """Return words as they are for every value: numbers in them are what differs from one message to the next."""
    return _NUMBER.sub("#", words)


@dataclass(slots=True)
class _Rate:
    since: float
    count: int = 0
    told: float = 0.0
    """Times a second when it was told last, 0 before it was ever measured."""


class Reasons:
    """The reasons of one source, and how often each comes; times are seconds on a clock that never steps."""

    def __init__(self) -> None:
        self._rates: OrderedDict[tuple[str, str], _Rate] = OrderedDict()

    def note(self, kind: str, words: str, now: float) -> str:
        """Note one more; return "new" or how its rate has changed, "" where it is not worth a word."""
        key = kind, without_numbers(words)
        rate = self._rates.get(key)
        if rate is None:
            if len(self._rates) >= MOST_REASONS:
                self._rates.popitem(last=False)
            self._rates[key] = _Rate(now)
            return "new"
        self._rates.move_to_end(key)
        rate.count += 1
        if now - rate.since < MINUTE:
            return ""
        measured, before = rate.count / (now - rate.since), rate.told
        rate.since = now
        rate.count = 0
        if not before:
            rate.told = measured
            return ""
        if before / TENFOLD < measured < before * TENFOLD:
            return ""
        rate.told = measured
        return f"{'ten times as often' if measured > before else 'a tenth as often'} as before"


@dataclass(slots=True)
class Share:
    """How much of what a source says is refused, and whether that has jumped."""

    since: float
    refused: int = 0
    readings: int = 0
    usual: float | None = None
    """The share of the last window in which it had not jumped."""
    now: float = 0.0
    jumped: bool = False

    def sample(self, now: float, refused: int, readings: int) -> None:
        """Take the totals so far."""
        came = refused - self.refused + readings - self.readings
        if now - self.since < WINDOW or came < ENOUGH:
            return
        self.now = (refused - self.refused) / came
        self.jumped = self.usual is not None and self.now >= self.usual + JUMP
        if not self.jumped:
            self.usual = self.now
        self.since = now
        self.refused = refused
        self.readings = readings


@dataclass(slots=True)
class Barren:
    """Whether a source hears messages and makes no reading of any; see `words`."""

    since: float
    readings: int = 0
    refused: int = 0
    fertile: bool = False
    """Whether it ever made a reading."""
    heard: int = 0

    def sample(self, now: float, refused: int, readings: int) -> None:
        """Take the totals so far."""
        if readings != self.readings or refused == self.refused:
            # The time counts from the first that was refused.
            self.since = now
            self.refused = refused if readings != self.readings else self.refused
            self.fertile = self.fertile or readings > 0
            self.readings = readings
        self.heard = refused - self.refused

    def is_barren(self, now: float, messages: int, seconds: float) -> bool:
        """Tell whether so many were refused for so long without a reading; ten times that where some came before."""
        times = 10 if self.fertile else 1
        return self.heard >= messages * times and now - self.since >= seconds * times
