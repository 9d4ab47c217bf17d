"""What may be set about a spool: `SpoolSettings` by the configuration, `SpoolTuning` by the program alone."""

from dataclasses import dataclass
from typing import Literal

from gateway.settings import Duration, Settings, Size
from gateway.spool.member import LEVEL
from gateway.spool.recovery import IDENTITIES

Policy = Literal["drop_oldest", "refuse_new"]


class SpoolSettings(Settings):
    """How much the spool may hold; ``keep`` counts for delivered readings only."""

    max_bytes: Size = 2 * 1024**3
    min_free_bytes: Size = 64 * 1024**2
    keep: Duration = 7 * 86400.0
    on_full: Policy = "drop_oldest"


@dataclass(frozen=True, slots=True)
class SpoolTuning:
    """Sizes of the files, how hard to compress (gzip's levels), and how many message identities to remember."""

    segment_bytes: int = 4 * 1024**2
    quarantine_bytes: int = 64 * 1024**2
    level: int = LEVEL
    identities: int = IDENTITIES
