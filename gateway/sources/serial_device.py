"""One device on a serial line: its decoder, when it is asked next, and how long it has been silent."""

from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.contract import SerialDecoder
from gateway.ingest.intake import Origin

MISSED = 3
"""Questions in a row without an answer, after which a device on a bus is taken to be missing."""
SHARE = 40
"""A missing device gets one part in so many of its line's time: the others keep their schedule."""


@dataclass(slots=True)
class SerialDevice:
    """Schedule and silence of one device; times are seconds, ``interval`` and ``timeout`` as in `SerialLink`.

    ``patience`` is how long it may be silent before its start-up commands are sent again, 0 for ever: a device that
    lost power has forgotten its mode.
    """

    make_decoder: Callable[[], SerialDecoder]
    origin: Origin
    interval: float
    timeout: float
    patience: float = 0.0
    decoder: SerialDecoder = field(init=False, repr=False)
    due: float = field(init=False, default=0.0)
    heard_at: float = field(init=False, default=0.0)
    unanswered: int = field(init=False, default=0)

    @property
    def name(self) -> str:
        """The sensor that it is."""
        return self.origin.sensor or self.origin.source

    @property
    def is_missing(self) -> bool:
        """Tell whether it has stopped answering."""
        return self.unanswered >= MISSED

    def restart_decoder(self, now: float) -> None:
        """Begin with a new decoder: the line has just been opened, or the device has been silent for too long."""
        self.decoder = self.make_decoder()
        self.due = now
        self.heard_at = now

    def is_silent(self, now: float) -> bool:
        """Tell whether it has been silent for longer than ``patience``."""
        return 0 < self.patience < now - self.heard_at

    def note_answer(self, now: float) -> None:
        """Note that a sound frame came from it."""
        self.heard_at = now
        self.unanswered = 0

    def schedule_next(self, at: float) -> None:
        """Set the next turn: on the old schedule, or, where a whole turn was lost, on a new one."""
        due = self.due + self.interval
        self.due = due if due > at else at + self.interval
        if self.is_missing:
            self.due = max(self.due, at + SHARE * self.timeout)
