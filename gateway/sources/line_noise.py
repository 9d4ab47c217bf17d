"""Noise budget of a serial line: after so many bytes without a sound frame only samples are decoded. Pure.

A wrong baud rate, a loose wire or a missing terminator turns a device into a source of random bytes. Looking for
frames in all of them costs more than anything else on the board, and finds nothing. So after `BUDGET` bytes without
a sound frame only samples are decoded, until one has a sound frame again.
"""

from collections.abc import Sequence

from gateway.contract import Measurement, Reject, Remark

BUDGET = 16 * 1024
"""Bytes without a sound frame after which a line is taken to carry noise only."""
SAMPLE = 2048
"""Bytes decoded in each sample: more than two of any device's frames."""
QUIET_RUN = 2048
"""Bytes in a row without a reject: the decoder recognises them, even if it has nothing to report yet."""

_UNSOUND = ("noise", "length", "checksum")


def has_sound_frame(results: Sequence[Measurement | Reject | Remark]) -> bool:
    """Tell whether a sound frame was among what a decoder returned, wanted or not."""
    return any(not isinstance(result, Reject) or result.reason not in _UNSOUND for result in results)


class NoiseBudget:
    """Counts one line's bytes against the budget; ``exceeded`` while the line carries noise only."""

    def __init__(self) -> None:
        self.exceeded = False
        self._unsound = 0
        self._quiet = 0

    def count(self, size: int, results: Sequence[Measurement | Reject | Remark]) -> bool:
        """Count ``size`` bytes and what a decoder made of them; return whether ``exceeded`` has changed."""
        self._unsound += size
        self._quiet = 0 if results else self._quiet + size
        if has_sound_frame(results) or self._quiet >= QUIET_RUN:
            self._unsound = 0
            self._quiet = 0
        before = self.exceeded
        # Only a sound frame ends it: fewer bytes than the budget, all of them noise, do not.
        self.exceeded = self._unsound >= BUDGET or (before and self._unsound > 0)
        return self.exceeded != before
