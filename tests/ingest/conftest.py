"""The program logs here, and its log stays out of the output."""

from tests.support.quiet import quiet_log

__all__ = ["quiet_log"]
