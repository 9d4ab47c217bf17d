"""How the run before this one ended: a kernel that kills for want of memory leaves no other word."""

from contextlib import suppress
from pathlib import Path

import structlog

from gateway.spool.filesystem import OsFilesystem, replace_file

KILLED = "it was killed, by the kernel for want of memory perhaps, or it crashed"
POWER_CUT = "a power cut"


class PreviousExit:
    """A marker that is there while the daemon runs, with the boot's id in it: one that is found tells of the exit."""

    def __init__(self, path: Path, boot: bytes) -> None:
        self._path = path
        self._boot = boot.hex()

    def start(self) -> str:
        """Place the marker; return how the last run ended, in words, or "" if it stopped in good order."""
        how = ""
        with suppress(OSError):
            same = self._path.read_text(encoding="ascii", errors="replace").strip() == self._boot
            how = KILLED if same else POWER_CUT
        with suppress(OSError):  # a full disk: the next start does not hear of it
            replace_file(OsFilesystem(), self._path, self._boot.encode() + b"\n", durable=True)
        if how:
            structlog.get_logger().warning("the last run did not stop in good order", what=how)
        return how

    def mark_clean_stop(self) -> None:
        """Remove the marker: the daemon stopped in good order."""
        with suppress(OSError):
            self._path.unlink()
            OsFilesystem().sync_directory(self._path.parent)
