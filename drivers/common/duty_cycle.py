"""Duty cycle of a sensor whose laser wears out: when it is to be awake, and from when on its values are stable.

A dust sensor lasts one to three years when it runs all the time, and ten when it sleeps most of the time. A driver
calls `Cycle` at each poll and for each report; commands and frames stay in the driver.
"""

from enum import Enum

from pydantic import model_validator

from gateway.contract import Duration, Options, Quality

MEASURING = 10.0
"""Seconds of stable values in each working period."""
SILENCE = 10 * 10**9
"""Nanoseconds after which a sensor that reports by itself has been asleep or away."""


class Sleeping(Options):
    """How it is to measure.

    ``working_period``  it wakes up once in each, for ``warm_up`` and 10 s; "0s" keeps it awake
    ``warm_up``         how long its values are marked doubtful after it woke up
    """

    working_period: Duration = 0.0
    warm_up: Duration = 30.0

    @model_validator(mode="after")
    def _some_sleep(self) -> "Sleeping":
        if 0 < self.working_period <= self.warm_up + MEASURING:
            raise ValueError('the working period is "0s", or longer than the warm-up and 10 s of measuring')
        return self


class Turn(Enum):
    """The command that is due."""

    NOTHING = 0
    WAKE_UP = 1
    GO_TO_SLEEP = 2


class Cycle:
    """Follows one sensor through its working periods; times are monotonic nanoseconds."""

    def __init__(self, options: Sleeping) -> None:
        self._period = int(options.working_period * 1e9)
        self._run = int((options.warm_up + MEASURING) * 1e9)
        self._warm_up = int(options.warm_up * 1e9)
        self._began: int | None = None
        self._heard_at = 0
        self._warm_at = 0
        self._talks = False
        self._to_be_awake = True

    def passed(self, now: int) -> None:
        """Take note of the time; called first whenever the decoder is fed."""
        if self._began is None:
            self._began = now
        if now - self._heard_at > SILENCE:
            self._talks = False
        self._to_be_awake = not self._period or (now - self._began) % self._period < self._run

    def heard(self, now: int) -> Quality:
        """Take note of a report, and return how good its values are."""
        if not self._talks:
            self._talks = True
            self._warm_at = now + self._warm_up
        self._heard_at = now
        return Quality.WARM_UP if now < self._warm_at else Quality.GOOD

    def turn(self) -> Turn:
        """Return the command that is due; a sensor that still reports after the command to sleep gets it again."""
        if self._to_be_awake:
            return Turn.NOTHING if self._talks else Turn.WAKE_UP
        was_talking, self._talks = self._talks, False
        return Turn.GO_TO_SLEEP if was_talking else Turn.NOTHING
