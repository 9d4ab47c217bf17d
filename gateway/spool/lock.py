"""One owner of a spool directory at a time, held by the kernel: a killed owner leaves nothing to clean up."""

import fcntl
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from gateway.errors import SpoolLocked


def lock_directory(path: Path) -> Callable[[], None]:
    """Take the lock file ``path``, write our pid into it, and return what releases it.

    Raises `SpoolLocked`, with the owner's pid where the file tells it, if another process has it.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o640)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        pid = _owner(os.pread(descriptor, 32, 0))
        os.close(descriptor)
        who = f"process {pid}" if pid else "another process"
        raise SpoolLocked(
            f"{path.parent} is in use by {who}: stop it, or give this one another data_dir", pid
        ) from error
    except OSError:
        os.close(descriptor)
        raise
    with suppress(OSError):  # a full disk must not keep the daemon from starting; the pid is only for people
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
    return lambda: os.close(descriptor)


def _owner(content: bytes) -> int | None:
    text = content.strip()
    return int(text) if text.isdigit() else None
