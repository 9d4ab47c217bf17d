"""How the run before this one ended: a kernel that kills for want of memory tells nobody else."""

from contextlib import suppress
from pathlib import Path

from gateway.spool.filesystem import OsFilesystem, replace_file

KILLED = "it was killed, by the kernel for want of memory perhaps, or it crashed"
POWER_CUT = "a power cut"


class LastRun:
    """How the last run ended, told by a file that is there while the daemon runs, with the boot's id in it."""

    def __init__(self, path: Path, boot: bytes) -> None:
        self._path, self._boot = path, boot.hex()

    def begin(self) -> str:
        """Note that we run; return what befell the last run, in words, or "" if it stopped in good order."""
        befell = ""
        with suppress(OSError):
            same = self._path.read_text(encoding="ascii", errors="replace").strip() == self._boot
            befell = KILLED if same else POWER_CUT
        with suppress(OSError):  # a full disk: the next start does not hear of it
            replace_file(OsFilesystem(), self._path, self._boot.encode() + b"\n", durable=True)
        return befell

    def end(self) -> None:
        """Note that we stopped in good order."""
        with suppress(OSError):
            self._path.unlink()
            OsFilesystem().sync_directory(self._path.parent)
