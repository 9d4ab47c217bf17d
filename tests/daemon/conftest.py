"""The program logs here, and its log stays out of the output."""

from tests.support.quiet import quiet_log
from tests.support.spool import disk

__all__ = ["disk", "quiet_log"]
