"""Estimate of a broker's in-flight window: how many messages it sends before it waits for acknowledgements. Pure.

A broker sends only so many unacknowledged messages (Mosquitto: 20 unless configured otherwise) and then waits.
Committing once a second would then mean 20 messages a second; committing every message would wear the disk out. MQTT
has no field for the size of a broker's window, so `AckWindow` learns it from what happens:

- more messages than the estimate are outstanding: the window is larger, the estimate grows;
- a burst, then silence until the acknowledgements, then at once the next burst: the window was full at this size;
- the estimate was reached again and again: it may be too small, so a larger one is tried. Where that stalls, the next
  try comes after twice as many commits.
"""

START = 20
"""Mosquitto's default window: a good first guess, and harmless where it is wrong."""

PATIENCE = 64
MOST_PATIENCE = 4096
"""Commits that the estimate asks for before a larger one is tried: at first, and when all tries stalled."""


class AckWindow:
    """Counts unacknowledged messages and tells when the broker is probably waiting. Times are in nanoseconds."""

    def __init__(self, maximum: int) -> None:
        self.maximum = maximum
        self.estimate = min(START, maximum)
        self.outstanding = 0
        self._last_arrival = 0
        self._stalled_at = 0
        self._stalled_until = 0
        self._reached = 0
        self._patience = PATIENCE

    def note_arrival(self, now: int) -> bool:
        """Count a message; return whether the window looks full, so that a commit should not wait any longer."""
        self.outstanding += 1
        if self._stalled_at and now < self._stalled_until:
            # The silence ended with the acknowledgements: the window was full.
            self.estimate = self._stalled_at
            self._reached = 0
            self._patience = min(2 * self._patience, MOST_PATIENCE)
        self._stalled_at = 0
        self._last_arrival = now
        if self.outstanding > self.estimate:
            self._grow()
            self._patience = PATIENCE
        elif self.outstanding == self.estimate:
            self._reached += 1
            if self._reached > self._patience:
                self._grow()
        return self.outstanding >= self.estimate

    def note_acknowledged(self, count: int, now: int, interval: int) -> None:
        """Count acknowledgements; ``interval`` is the commit interval, the longest that a message waits."""
        silent = now - self._last_arrival > interval // 2
        self._stalled_at = self.outstanding if silent and self.outstanding < self.estimate else 0
        # Not tighter: the answer to an acknowledgement may travel over a mobile network.
        self._stalled_until = now + interval // 4
        self.outstanding = max(0, self.outstanding - count)

    def reset(self) -> None:
        """Forget what is outstanding: the connection ended, and no acknowledgement reaches it any more."""
        self.outstanding = 0
        self._stalled_at = 0

    def _grow(self) -> None:
        self.estimate = min(self.maximum, self.outstanding + max(1, self.outstanding // 2))
        self._reached = 0
