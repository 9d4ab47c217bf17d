"""Batches of readings, and what a spool has of them."""

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.spool import Batch, Identity, SpoolReader, decode_member
from tests.support.disk import SimulatedDisk

T0 = 1732281600000000000


class Batches:
    """Makes batches of readings that differ from each other."""

    def __init__(self) -> None:
        self._numbers = itertools.count()

    def __call__(self, count: int = 10, *, boot: bytes | None = None, mqtt: bool = False, time: int = T0) -> Batch:
        numbers = list(itertools.islice(self._numbers, count))
        lines = b"".join(
            b"air_quality,city=koper,sensor=aq-%d pm10=%d.5,quality=0i %d\n" % (n % 40, n, time + n * 10**9)
            for n in numbers
        )
        identities = [Identity.of("broker", n % 65535 + 1, "t", b"%d" % n) for n in numbers] if mqtt else []
        return Batch(lines, count, time + numbers[0] * 10**9, time + numbers[-1] * 10**9, boot, identities)


@pytest.fixture
def batches() -> Batches:
    return Batches()


@pytest.fixture
def disk_type() -> type[SimulatedDisk]:
    return SimulatedDisk


@pytest.fixture
def disk() -> SimulatedDisk:
    return SimulatedDisk()


ReadAll = Callable[..., bytes]


@pytest.fixture
def read_all() -> ReadAll:
    """Read everything from a sequence number on, in small portions, as a forwarder does."""

    def read(reader: SpoolReader, seq: int = 0, **limits: int) -> bytes:
        texts = []
        while members := reader.read(seq, **limits):
            texts += [decode_member(member.raw) for member in members]
            seq = members[-1].header.end
        return b"".join(texts)

    return read


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "spool"
