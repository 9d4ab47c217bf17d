"""Batches, and a directory for a spool."""

from tests.support.spool import batches, read_all, root

__all__ = ["batches", "read_all", "root"]
