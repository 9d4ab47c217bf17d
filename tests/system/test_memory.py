"""Out of memory: the kernel kills the gateway at a moment of its own, as it does on a board with 512 MB."""

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware_sim.patience import patience
from firmware_sim.servers.readback import read_victoria_metrics
from firmware_sim.servers.servers import Mosquitto, VictoriaMetrics
from tests.system.conftest import Rig

pytestmark = pytest.mark.system

BACKLOG = 30_000
CGROUPS = Path("/sys/fs/cgroup")


class MemoryGroup:
    """A memory cgroup, of version 1 or 2, and how its kernel calls things."""

    def __init__(self, path: Path, *, unified: bool) -> None:
        self._path = path
        self._limit = path / ("memory.max" if unified else "memory.limit_in_bytes")
        self._usage = path / ("memory.current" if unified else "memory.usage_in_bytes")
        self._events = path / ("memory.events" if unified else "memory.oom_control")
        self._no_limit = "max" if unified else "-1"

    @property
    def within(self) -> list[str]:
        """The beginning of a command that runs in it."""
        return ["/bin/sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', str(self._path)]

    @property
    def kills(self) -> int:
        """How many of its processes the kernel has killed for want of memory."""
        facts = dict(line.split() for line in self._events.read_text().splitlines())
        return int(facts["oom_kill"])

    def tighten(self) -> None:
        """Leave no more than is used now: the next allocation that nothing can be given up for is one too many."""
        try:
            self._limit.write_text(self._usage.read_text())
        except OSError:
            return  # version 1 refuses a limit below what it cannot reclaim; it grew since we asked

    def lift(self) -> None:
        """Leave as much as there is."""
        self._limit.write_text(self._no_limit)


@pytest.fixture
def memory() -> Iterator[MemoryGroup]:
    """A memory cgroup of our own; skips, aloud, where none can be made."""
    unified = (CGROUPS / "cgroup.controllers").exists()
    path = (CGROUPS if unified else CGROUPS / "memory") / f"prehod-test-{os.getpid()}"
    try:
        path.mkdir()
    except OSError as error:
        pytest.skip(f"no memory cgroup can be made at {path}: {error.strerror}")
    if not (path / ("memory.max" if unified else "memory.limit_in_bytes")).exists():
        path.rmdir()
        pytest.skip(f"the memory controller is not enabled for {path.parent}")
    group = MemoryGroup(path, unified=unified)
    yield group
    path.rmdir()


async def test_a_gateway_that_the_kernel_kills_for_want_of_memory_stores_its_backlog_once(
    memory: MemoryGroup, rig: Rig
) -> None:
    broker, database = await rig.serve(Mosquitto), await rig.serve(VictoriaMetrics)
    gateway = await rig.gateway(rig.stream_source(broker.url), rig.sink(database))
    await gateway.listening()
    await gateway.stop()
    stream = rig.stream(broker.url)
    stream.send(BACKLOG)
    await stream.sent()

    gateway.within = memory.within
    await gateway.start()
    state = await gateway.until(lambda state: state["readings"]["committed"])
    assert state["last_run"] == "stopped in good order"
    async with asyncio.timeout(patience()):
        while gateway.exit_code is None:
            memory.tighten()
            await asyncio.sleep(0.01)
    assert (gateway.exit_code, memory.kills) == (-signal.SIGKILL, 1)
    assert len(gateway.spooled(torn=True)) < BACKLOG, "it had drained the backlog before it was killed"

    memory.lift()
    await gateway.start()
    state = await gateway.holds(BACKLOG)
    assert "killed" in state["last_run"]
    assert gateway.logged(event="the last run did not stop in good order", what=state["last_run"])
    assert stream.differences(gateway.spooled()) == {}
    assert stream.differences(await read_victoria_metrics(database.url)) == {}
    gateway.close()
