"""A disk that fails as disks do: it tears, forgets what was not synced, and refuses."""

import errno
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(slots=True)
class _Change:
    """A write (``data``) or a cut (``data`` is None) at ``offset``, on the disk once ``durable``."""

    offset: int
    data: bytes | None
    durable: bool = False
    trusted: bool = True  # False: a sync failed over it; no later one brings it to the disk

    def apply(self, content: bytearray) -> None:
        if self.data is None:
            del content[self.offset :]
            return
        content.extend(bytes(max(0, self.offset - len(content))))
        content[self.offset : self.offset + len(self.data)] = self.data


@dataclass(slots=True)
class _Inode:
    base: bytes = b""
    changes: list[_Change] = field(default_factory=list)
    content: bytearray = field(default_factory=bytearray)

    def change(self, change: _Change) -> None:
        self.changes.append(change)
        change.apply(self.content)

    def settle(self) -> None:
        """Fold what is durable and has nothing undecided before it into ``base``."""
        settled = bytearray(self.base)
        while self.changes and self.changes[0].durable:
            self.changes.pop(0).apply(settled)
        self.base = bytes(settled)

    def crash(self, chance: random.Random) -> None:
        """Keep what is durable, and of the rest whatever chance wants: all, nothing, a part, zeros, garbage."""
        content = bytearray(self.base)
        for change in self.changes:
            if change.durable or chance.random() < 0.3:
                change.apply(content)
            elif change.data is None:
                continue
            elif (fate := chance.randrange(4)) == 1:
                _Change(change.offset, change.data[: chance.randrange(len(change.data) + 1)]).apply(content)
            elif fate > 1:  # the size made it to the disk, the bytes behind some point did not
                kept = chance.randrange(len(change.data) + 1)
                lost = len(change.data) - kept
                rest = bytes(lost) if fate == 2 else chance.randbytes(lost)
                old = bytes(content[change.offset + kept : change.offset + len(change.data)])
                rest = old + rest[len(old) :]
                _Change(change.offset, change.data[:kept] + rest).apply(content)
        self.base, self.changes, self.content = bytes(content), [], content


class _SimulatedFile:
    def __init__(self, disk: "SimulatedDisk", inode: _Inode) -> None:
        self._disk, self._inode = disk, inode

    def write(self, data: bytes, offset: int) -> None:
        try:
            self._disk.step("write")
        except OSError:
            part = data[: self._disk.chance.randrange(len(data) + 1)]
            self._inode.change(_Change(offset, part))
            raise
        self._inode.change(_Change(offset, data))

    def truncate(self, size: int) -> None:
        self._disk.step("truncate")
        self._inode.change(_Change(size, None))

    def sync(self) -> None:
        try:
            self._disk.step("sync")
        except OSError:
            for change in self._inode.changes:
                change.trusted = False
            raise
        for change in self._inode.changes:
            change.durable |= change.trusted
        self._inode.settle()

    def close(self) -> None:
        pass


class SimulatedDisk:
    """A filesystem in memory that promises no more than `gateway.spool.filesystem` says.

    `fail` makes one of the next calls raise; `power_cut` loses or tears what was not synced, each name and each write
    by itself, but a rename never loses both names. Directories are there from the start and stay.
    """

    def __init__(self, seed: int = 0) -> None:
        self.chance = random.Random(seed)  # noqa: S311 - repeatable
        self.calls: list[str] = []
        self.free = 1 << 40
        self._names: dict[Path, _Inode] = {}
        self._histories: dict[Path, list[_Inode | None]] = {}  # what a name may mean after a power cut
        self._renames: list[tuple[Path, _Inode]] = []
        self._failures: dict[int, int] = {}

    def fail(self, after: int = 0, code: int = errno.EIO, times: int = 1) -> None:
        """Let ``times`` calls raise OSError(code), once ``after`` more have gone well."""
        first = len(self.calls) + after
        self._failures = dict.fromkeys(range(first, first + times), code)

    def heal(self) -> None:
        self._failures = {}

    @property
    def failing(self) -> bool:
        """Tell whether some call to come will fail."""
        return bool(self._failures)

    def power_cut(self) -> None:
        self.heal()
        for path, history in self._histories.items():
            inode = self.chance.choice(history)
            if inode is None:
                self._names.pop(path, None)
            else:
                self._names[path] = inode
        for old, inode in self._renames:  # it may not have happened; then the old name is there
            if old not in self._names and not any(other is inode for other in self._names.values()):
                self._names[old] = inode
        self._histories, self._renames = {}, []
        for inode in {id(inode): inode for inode in self._names.values()}.values():
            inode.crash(self.chance)

    def step(self, call: str) -> None:
        number = len(self.calls)
        self.calls.append(call)
        if number in self._failures:
            code = self._failures.pop(number)
            raise OSError(code, errno.errorcode[code])

    def content(self, path: Path) -> bytearray:
        """The bytes of a file, to be looked at or tampered with."""
        return self._inode(path).content

    def put(self, path: Path, data: bytes) -> None:
        """Place a file that is safe on the disk."""
        self._names[path] = _Inode(data, [], bytearray(data))
        self._histories.pop(path, None)

    def files(self) -> list[Path]:
        return sorted(self._names)

    def create(self, path: Path) -> _SimulatedFile:
        self.step("create")
        if path in self._names:
            raise FileExistsError(errno.EEXIST, "exists")
        inode = _Inode()
        self._name(path, inode)
        return _SimulatedFile(self, inode)

    def open(self, path: Path) -> _SimulatedFile:
        self.step("open")
        return _SimulatedFile(self, self._inode(path))

    def read(self, path: Path, offset: int = 0, length: int | None = None) -> bytes:
        content = self._inode(path).content
        return bytes(content[offset : None if length is None else offset + length])

    def size(self, path: Path) -> int:
        return len(self._inode(path).content)

    def names(self, directory: Path) -> list[str]:
        return [path.name for path in self._names if path.parent == directory]

    def make_directory(self, path: Path) -> None:
        pass

    def rename(self, old: Path, new: Path) -> None:
        self.step("rename")
        inode = self._inode(old)
        self._renames.append((old, inode))
        self._name(new, inode)
        self._name(old, None)

    def unlink(self, path: Path) -> None:
        self.step("unlink")
        self._inode(path)
        self._name(path, None)

    def sync_directory(self, path: Path) -> None:
        self.step("sync_directory")
        self._histories = {name: states for name, states in self._histories.items() if name.parent != path}
        self._renames = [(old, inode) for old, inode in self._renames if old.parent != path]

    def free_bytes(self, path: Path) -> int:
        del path
        return self.free

    def lock(self, path: Path) -> Callable[[], None]:
        del path
        return lambda: None

    def _inode(self, path: Path) -> _Inode:
        if path not in self._names:
            raise FileNotFoundError(errno.ENOENT, "no such file")
        return self._names[path]

    def _name(self, path: Path, inode: _Inode | None) -> None:
        self._histories.setdefault(path, [self._names.get(path)]).append(inode)
        if inode is None:
            self._names.pop(path, None)
        else:
            self._names[path] = inode
