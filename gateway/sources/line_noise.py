"""Tells a line that only makes noise from one that has something to say; pure.

A wrong baud rate, a loose wire or a missing terminator turns a device into a source of random bytes. Looking for
frames in all of them costs more than anything else on the board, and finds nothing. So after `BUDGET` bytes without
any sense only samples are looked at, until one makes sense.
"""

from collections.abc import Sequence

from gateway.contract import Measurement, Reject

BUDGET = 16 * 1024
"""Bytes without sense after which a line is taken to make noise only."""
SAMPLE = 2048
"""Bytes looked at in each sample: more than two of any device's frames."""
QUIET_RUN = 2048
"""Bytes in a row without a complaint: the decoder knows what they are, even if it has nothing to report yet."""

_SENSELESS = ("noise", "length", "checksum")


def makes_sense(results: Sequence[Measurement | Reject]) -> bool:
    """Tell whether a sound frame was among what a decoder returned, wanted or not."""
    return any(not isinstance(result, Reject) or result.reason not in _SENSELESS for result in results)


class Noise:
    """Follows one line; ``only`` while nothing on it makes sense."""

    def __init__(self) -> None:
        self.only = False
        self._senseless = 0
        self._quiet = 0

    def heard(self, size: int, results: Sequence[Measurement | Reject]) -> bool:
        """Take what a decoder made of ``size`` bytes; return whether ``only`` has changed."""
        self._senseless += size
        self._quiet = 0 if results else self._quiet + size
        if makes_sense(results) or self._quiet >= QUIET_RUN:
            self._senseless = self._quiet = 0
        before = self.only
        # Once it is noise, less than the whole budget does not make it sense.
        self.only = self._senseless >= BUDGET or (before and self._senseless > 0)
        return self.only != before
