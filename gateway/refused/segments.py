"""The files of refused messages: their names, and the walk over one from block to block."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from gateway.refused.block import HEADER_SIZE, MAGIC, Block, LaterBlock, is_sound, parse_header
from gateway.spool.filesystem import Filesystem

_NAME = re.compile(r"(\d{20})\.refused")


def segment_name(block: int) -> str:
    """Return the name of the file that begins with this block."""
    return f"{block:020}.refused"


def segments_in(filesystem: Filesystem, root: Path) -> list[int]:
    """Return the numbers that the files are named by, in order. Raises `OSError`."""
    return sorted(int(match[1]) for name in filesystem.names(root) if (match := _NAME.fullmatch(name)))


class SoundBlock(NamedTuple):
    """A sound block of a file: where it begins, what it is, and its body."""

    offset: int
    block: Block
    body: bytes

    @property
    def stop(self) -> int:
        """The offset after it."""
        return self.offset + self.block.size


@dataclass(slots=True)
class BlockFile:
    """What is known of one file: a few numbers, for there may be thousands of blocks in it."""

    name: int
    """The number of its first block."""
    ceiling: int | None = None
    """Blocks with this number and above do not count: they were written again in the next file."""
    size: int = 0
    """Where its last good block ends."""
    last: Block | None = None
    first: int = 0
    """The number of its first kept message."""
    count: int = 0
    counted: int = 0
    t_min: int | None = None
    t_max: int | None = None
    resolves: bool = False
    gaps: list[tuple[int, int]] = field(default_factory=list)
    """Where kept messages are missing, and how many."""
    newer: int = 0
    """The version of blocks that a later version of Prehod wrote; 0 where there are none."""

    @property
    def end(self) -> int:
        """The number after its last kept message."""
        return self.first if self.last is None else self.last.end

    @property
    def fingerprint(self) -> str:
        """The name of its file, with what tells it from another of the same name."""
        check = 0 if self.last is None else self.last.body_check
        return f"{self.file}#{check ^ self.size:08x}"

    @property
    def file(self) -> str:
        """The name of its file."""
        return segment_name(self.name)

    def add(self, offset: int, block: Block) -> None:
        """Take note of a block behind the others."""
        if self.last is None:
            self.first = block.first
        elif block.first > self.last.end:
            self.gaps.append((offset, block.first - self.last.end))
        self.last = block
        self.size = offset + block.size
        self.count += block.count
        self.counted += block.counted
        self.resolves = self.resolves or block.resolves
        if block.t_max:
            self.t_min = block.t_min if self.t_min is None else min(self.t_min, block.t_min)
            self.t_max = block.t_max if self.t_max is None else max(self.t_max, block.t_max)


def scan(filesystem: Filesystem, root: Path, name: int, ceiling: int | None) -> BlockFile:
    """Return what is known of a file. Raises `OSError`."""
    found = BlockFile(name, ceiling)
    for one in _walk(filesystem.read(root / found.file), name, ceiling):
        if isinstance(one, LaterBlock):
            found.newer = one.version
        else:
            found.add(one.offset, one.block)
    return found


def walk(filesystem: Filesystem, root: Path, segment: BlockFile) -> Iterator[SoundBlock]:
    """Yield the blocks of a file that count. Raises `OSError`."""
    for one in _walk(filesystem.read(root / segment.file, 0, segment.size), segment.name, segment.ceiling):
        if isinstance(one, SoundBlock):
            yield one


def _walk(data: bytes, name: int, ceiling: int | None) -> Iterator[SoundBlock | LaterBlock]:
    expected = name
    for offset, block in _blocks(data):
        if isinstance(block, LaterBlock):
            yield block
        elif expected <= block.number and (ceiling is None or block.number < ceiling):
            expected = block.number + 1
            yield SoundBlock(offset, block, data[offset + HEADER_SIZE : offset + block.size])


def _blocks(data: bytes) -> Iterator[tuple[int, Block | LaterBlock]]:
    """Yield the sound blocks of a file, each with its offset."""
    offset = 0
    while offset >= 0:
        block = parse_header(data, offset)
        if isinstance(block, LaterBlock):
            yield offset, block
            return
        if block is not None and is_sound(block, data[offset + HEADER_SIZE : offset + block.size]):
            yield offset, block
            offset += block.size
            if parse_header(data, offset) is not None:
                continue
            offset -= 1
        offset = data.find(MAGIC, offset + 1)
