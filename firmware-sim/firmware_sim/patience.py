"""How long whatever is waited for may take before it counts as failed.

Deadlines are generous: a loaded machine is slow, and a wait that succeeds ends at once. PREHOD_PATIENCE multiplies
them all; on a machine that does much else beside, PREHOD_PATIENCE=4.
"""

import os

FACTOR = float(os.environ.get("PREHOD_PATIENCE", "1"))


def patience(seconds: float = 60.0) -> float:
    """Return the deadline of a wait that should take far less than ``seconds``."""
    return seconds * FACTOR
