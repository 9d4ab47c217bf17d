"""Batches, a directory for a spool, and a disk that fails."""

from tests.support.spool import batches, disk, disk_type, read_all, root

__all__ = ["batches", "disk", "disk_type", "read_all", "root"]
