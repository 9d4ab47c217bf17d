"""The seam between the spool and the disk: what is asked of a filesystem, and the real one.

Everything raises `OSError` as the system does. What the spool relies on, and no more:

- bytes written to a file are safe after its ``sync``; before that any part of them may be lost, in any order
- a name created, renamed or removed is safe after ``sync_directory``; before that each may or may not have happened
- ``rename`` replaces in one step
- after a failed ``sync`` nothing is known of that file's unsynced bytes, and a later success proves nothing
"""

import errno
import fcntl
import json
import os
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from gateway.errors import SpoolError, SpoolLocked

_BLOCK = 4096


class File(Protocol):
    """A file open for writing."""

    def write(self, data: bytes, offset: int) -> None:
        """Write all of ``data`` at ``offset``; on an error any part of it may have been written."""

    def truncate(self, size: int) -> None:
        """Cut the file to ``size`` bytes."""

    def sync(self) -> None:
        """Return once the content is on the disk."""

    def close(self) -> None:
        """Close; nothing is synced by that."""


class Filesystem(Protocol):
    """What the spool asks of a disk."""

    def create(self, path: Path) -> File:
        """Create a file that does not exist yet."""

    def open(self, path: Path) -> File:
        """Open an existing file for writing."""

    def read(self, path: Path, offset: int = 0, length: int | None = None) -> bytes:
        """Return up to ``length`` bytes from ``offset``; fewer only at the file's end."""

    def size(self, path: Path) -> int:
        """Return a file's size in bytes."""

    def names(self, directory: Path) -> list[str]:
        """Return the names in a directory, in no order."""

    def make_directory(self, path: Path) -> None:
        """Create a directory and its parents durably; fine if it exists."""

    def rename(self, old: Path, new: Path) -> None:
        """Move ``old`` to ``new``, replacing what is there."""

    def unlink(self, path: Path) -> None:
        """Remove a file."""

    def sync_directory(self, path: Path) -> None:
        """Return once the names in a directory are on the disk."""

    def free_bytes(self, path: Path) -> int:
        """Return the bytes an ordinary user may still write on that disk."""

    def lock(self, path: Path) -> Callable[[], None]:
        """Take the lock file ``path`` and return what releases it; raise `SpoolLocked` if another process has it."""


class OsFile:
    """A file descriptor; writes are positioned, so that what lies beyond the good end is overwritten."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write(self, data: bytes, offset: int) -> None:
        """Write on until all of it is taken."""
        rest = memoryview(data)
        while rest:
            written = os.pwrite(self._descriptor, rest, offset)
            rest, offset = rest[written:], offset + written

    def truncate(self, size: int) -> None:
        """Cut the file."""
        os.ftruncate(self._descriptor, size)

    def sync(self) -> None:
        """Sync content and size; other metadata does not matter here."""
        os.fdatasync(self._descriptor)

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self._descriptor)


class OsFilesystem:
    """The real one."""

    def create(self, path: Path) -> OsFile:
        """Create ``path``, readable for the group, so that people in it can look."""
        return OsFile(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640))

    def open(self, path: Path) -> OsFile:
        """Open ``path``."""
        return OsFile(os.open(path, os.O_WRONLY))

    def read(self, path: Path, offset: int = 0, length: int | None = None) -> bytes:
        """Read; sectors that the disk cannot give come as zeros, so that only what lay there counts as damaged."""
        descriptor = os.open(path, os.O_RDONLY)
        try:
            if length is None:
                length = max(0, os.fstat(descriptor).st_size - offset)
            try:
                return _read_range(descriptor, offset, length)
            except OSError as error:
                if error.errno != errno.EIO:
                    raise
                return _read_around_bad_sectors(descriptor, offset, length)
        finally:
            os.close(descriptor)

    def size(self, path: Path) -> int:
        """Return what stat says."""
        return path.stat().st_size

    def names(self, directory: Path) -> list[str]:
        """List the directory."""
        return [path.name for path in directory.iterdir()]

    def make_directory(self, path: Path) -> None:
        """Create what is missing, each level synced into the one above."""
        missing = [directory for directory in (path, *path.parents) if not directory.is_dir()]
        for directory in reversed(missing):
            directory.mkdir(mode=0o750, exist_ok=True)
            self.sync_directory(directory.parent)

    def rename(self, old: Path, new: Path) -> None:
        """Rename; both must be on one filesystem."""
        old.replace(new)

    def unlink(self, path: Path) -> None:
        """Remove ``path``."""
        path.unlink()

    def sync_directory(self, path: Path) -> None:
        """Sync the directory itself."""
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def free_bytes(self, path: Path) -> int:
        """Return what is left without the part reserved for root."""
        state = os.statvfs(path)
        return state.f_bavail * state.f_frsize

    def lock(self, path: Path) -> Callable[[], None]:
        """Take the lock; the kernel holds it, so a killed owner leaves nothing to clean up."""
        return lock_directory(path)


def _read_range(descriptor: int, offset: int, length: int) -> bytes:
    data = os.pread(descriptor, length, offset)
    while len(data) < length and (more := os.pread(descriptor, length - len(data), offset + len(data))):
        data += more
    return data


def _read_around_bad_sectors(descriptor: int, offset: int, length: int) -> bytes:
    parts = []
    end = min(offset + length, os.fstat(descriptor).st_size)
    while offset < end:
        size = min(_BLOCK - offset % _BLOCK, end - offset)
        try:
            parts.append(_read_range(descriptor, offset, size))
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            parts.append(bytes(size))
        offset += size
    return b"".join(parts)


def replace_file(filesystem: Filesystem, path: Path, data: bytes, *, durable: bool) -> None:
    """Give ``path`` the content ``data`` in one step: at every moment it has the old content or the new.

    With ``durable`` the new content is on the disk on return; without, a power cut may leave either, or neither.
    """
    temporary = path.with_name(path.name + ".tmp")
    try:
        file = filesystem.create(temporary)
    except FileExistsError:
        filesystem.unlink(temporary)
        file = filesystem.create(temporary)
    try:
        file.write(data, 0)
        if durable:
            file.sync()
    finally:
        file.close()
    filesystem.rename(temporary, path)
    if durable:
        filesystem.sync_directory(path.parent)


def save_checked(filesystem: Filesystem, path: Path, state: Mapping[str, Any], *, durable: bool) -> None:
    """Give ``path`` a JSON object with its check, in one step.

    Only a ``durable`` one is certain to survive a power cut, and only that raises `SpoolError` when the disk fails;
    else the content is overwritten in place, which takes no room: should a power cut tear it, the check tells.
    """
    data = json.dumps({**state, "check": _check(state)}).encode()
    try:
        replace_file(filesystem, path, data + b"\n", durable=durable)
    except OSError as error:
        if durable:
            raise SpoolError(f"cannot write {path}: {error.strerror}") from error
        with suppress(OSError):
            file = filesystem.open(path)
            try:
                file.write(data.ljust(filesystem.size(path) - 1) + b"\n", 0)
            finally:
                file.close()


def read_checked(filesystem: Filesystem, path: Path) -> dict[str, Any]:
    """Return the JSON object in ``path``; raises `OSError`, and `ValueError` where it or its check is wrong."""
    state = json.loads(filesystem.read(path))
    if not isinstance(state, dict):
        raise ValueError("not an object")  # noqa: TRY004 - the caller sorts out good from bad, not types
    check = state.pop("check", None)
    if check is not None and check != _check(state):
        raise ValueError("the check does not match")
    return state


def _check(state: Mapping[str, Any]) -> str:
    return f"{zlib.crc32(json.dumps(state, sort_keys=True, separators=(',', ':')).encode()):08x}"


def append_to_file(filesystem: Filesystem, path: Path, data: bytes, end: int | None = None) -> int:
    """Add ``data`` to the end of ``path``, durably, creating it if needed; return where it ends now.

    ``end`` is where the good content ends, by default with the file: what an earlier attempt left beyond is cut off.
    A last line that has lost its newline (to a power cut) gets one first.
    """
    try:
        size = filesystem.size(path)
        file = filesystem.open(path)
    except FileNotFoundError:
        size = 0
        file = filesystem.create(path)
    end = size if end is None else min(end, size)
    try:
        if size > end:
            file.truncate(end)
        if end and filesystem.read(path, end - 1, 1) != b"\n":
            data = b"\n" + data
        try:
            file.write(data, end)
            file.sync()
        except OSError:
            with suppress(OSError):
                file.truncate(end)
            raise
    finally:
        file.close()
    filesystem.sync_directory(path.parent)  # also when it was there: whoever created it may have failed at this step
    return end + len(data)


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
