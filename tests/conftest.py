"""What tests of several rooms share: a clock, a store, a committer, and deadlines."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import settings

from firmware_sim.patience import FACTOR, patience
from gateway.clock import Timekeeper
from gateway.health import Health
from gateway.ingest.committer import Committer
from gateway.ingest.settings import CommitSettings
from tests.support.certificates import Certificates, make_certificates
from tests.support.clock import BOOT, FakeClock
from tests.support.requirements import require_program
from tests.support.store import FakeKeeper, FakeStore

settings.register_profile("prehod", deadline=None)  # timing is measured by make bench, never asserted
settings.load_profile("prehod")

_LEGIBLE = 16
"""Bytes of a parameter that a test's name shows."""


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Look whether what the mark ``requires`` names is there, before fixtures start anything."""
    for mark in item.iter_markers("requires"):
        require_program(*mark.args)


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Name long bytes by their parameter: packed ones hold the second of their making, and workers compare names."""
    del config
    return argname if isinstance(val, bytes) and len(val) > _LEGIBLE else None


def pytest_itemcollected(item: pytest.Item) -> None:
    """Let a test's own deadline grow with those of what it waits for; see `firmware_sim.patience`."""
    if FACTOR != 1.0:
        mark = item.get_closest_marker("timeout")
        seconds = float(mark.args[0] if mark else item.config.getini("timeout"))
        item.add_marker(pytest.mark.timeout(patience(seconds)), append=False)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def timekeeper(clock: FakeClock, tmp_path: Path) -> Timekeeper:
    return Timekeeper(clock, tmp_path / "clock")


@pytest.fixture
def health(clock: FakeClock) -> Health:
    return Health("koper-01", "Koper", clock)


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


@pytest.fixture
def keeper() -> FakeKeeper:
    return FakeKeeper()


@pytest.fixture
async def committer(store: FakeStore, keeper: FakeKeeper, health: Health) -> AsyncIterator[Committer]:
    """A committer that commits only when hurried: its interval is an hour."""
    committer = Committer(
        store, BOOT, health, CommitSettings(commit_interval="1h", commit_bytes=1 << 20), keeper=keeper
    )
    yield committer
    store.gate.set()
    committer.close()


@pytest.fixture
async def running(committer: Committer) -> AsyncIterator[Committer]:
    """The same, running."""
    task = asyncio.create_task(committer.run())
    yield committer
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))
