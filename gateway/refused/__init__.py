"""Refused messages: what did not become a reading is kept, durably, until a person has mended the cause.

`store` says how; `record` what is kept of a message; `block` how that stands on the disk; `view` is for everybody
else; `budget` bounds what one source may write.
"""

from gateway.refused.budget import Budget, Counts
from gateway.refused.record import MAX_RAW, MAX_WORDS, Counted, Entry, Kept, Refusal, Resolved, digest
from gateway.refused.settings import RefusedSettings
from gateway.refused.store import RefusedLevels, RefusedStore, Seen
from gateway.refused.view import RefusedView

__all__ = [
    "MAX_RAW",
    "MAX_WORDS",
    "Budget",
    "Counted",
    "Counts",
    "Entry",
    "Kept",
    "Refusal",
    "RefusedLevels",
    "RefusedSettings",
    "RefusedStore",
    "RefusedView",
    "Resolved",
    "Seen",
    "digest",
]
