"""Disks as a street cabinet has them: full, read-only, slow, somebody else's."""

import asyncio
import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware_sim.patience import patience
from firmware_sim.servers.process import ServerFailed
from firmware_sim.servers.readback import read_influxdb, read_victoria_metrics
from firmware_sim.servers.servers import Influxd, Mosquitto, VictoriaMetrics
from tests.support.requirements import require_disk_image
from tests.system.conftest import Disk, Gateway, Rig

pytestmark = pytest.mark.system

BEFORE, WHILE, AFTER = 2_000, 3_000, 1_000
NO_BOUNDS = 'min_free_bytes = 0\non_full = "refuse_new"'
BLKIO = Path("/sys/fs/cgroup/blkio")


def on(disk: Disk, gateway: Gateway, options: str = "rw") -> None:
    """Let the gateway keep its data on the disk."""
    disk.mount(gateway.directory / "data", options)
    gateway.within = disk.within
    gateway.spool = disk.path / "spool"


async def said(gateway: Gateway) -> tuple[int | None, str]:
    """Start a gateway that will not run; return its exit code and its last words."""
    with pytest.raises(ServerFailed):
        await gateway.start()
    return gateway.exit_code, gateway.log.read_text(encoding="utf-8").strip().splitlines()[-1]


async def fed(gateway: Gateway) -> None:
    """Wait until the watchdog is fed once more from now on."""
    gateway.notified.clear()
    await gateway.says("WATCHDOG=1")


async def test_a_full_disk_stops_acknowledgements_and_once_there_is_room_everything_is_stored_once(
    rig: Rig,
) -> None:
    require_disk_image()
    broker, database = await rig.serve(Mosquitto), await rig.serve(VictoriaMetrics)
    gateway, disk = rig.make_gateway(rig.stream_source(broker.url), rig.sink(database)), rig.disk(8)
    gateway.more = NO_BOUNDS
    on(disk, gateway)
    await gateway.start()
    await gateway.listening()
    stream = rig.stream(broker.url)
    stream.send(BEFORE)
    await stream.sent()
    await gateway.holds(BEFORE)

    filler = disk.fill()
    stream.send(WHILE)
    await stream.sent()
    state = await gateway.until(lambda state: any("is full" in problem for problem in state["problems"]))
    stored = state["readings"]["committed"]
    assert stored < BEFORE + WHILE
    await fed(gateway)
    assert (await gateway.state())["readings"]["committed"] == stored, "a full disk took something"

    # It starts on a full disk too, and lives there.
    gateway.kill()
    await gateway.start()
    await gateway.until(lambda state: any("is full" in problem for problem in state["problems"]))
    assert len(gateway.logged(event="spool does not take readings; nothing is acknowledged until it does")) == 2
    await fed(gateway)

    filler.unlink()
    stream.send(AFTER)
    await stream.sent()
    state = await gateway.holds(BEFORE + WHILE + AFTER)
    assert state["problems"] == []
    assert len(gateway.logged(event="spool takes readings again")) == 1
    assert stream.differences(gateway.spooled()) == {}
    assert stream.differences(await read_victoria_metrics(database.url)) == {}
    assert state["spool"]["lost_readings"] == 0
    gateway.close()


async def test_a_disk_that_turns_read_only_loses_nothing_and_is_said_so(rig: Rig) -> None:
    require_disk_image()
    # A database that overwrites: what the disk has lost of its cursor is sent again, and changes nothing.
    broker, database = await rig.serve(Mosquitto), await rig.serve(Influxd)
    gateway, disk = rig.make_gateway(rig.stream_source(broker.url), rig.sink(database)), rig.disk(16)
    gateway.more = NO_BOUNDS
    on(disk, gateway)
    await gateway.start()
    await gateway.listening()
    stream = rig.stream(broker.url)
    stream.send(BEFORE)
    await stream.sent()
    await gateway.holds(BEFORE)

    with contextlib.suppress(Exception):  # what ext4 does by itself when its disk begins to fail
        disk.run("mount", "-o", "remount,abort", str(disk.where))
    stream.send(WHILE)
    await stream.sent()
    await gateway.until(lambda state: any("Read-only file system" in problem for problem in state["problems"]))
    await fed(gateway)
    gateway.kill()
    disk.unmount()

    on(disk, gateway)
    await gateway.start()
    await gateway.holds(BEFORE + WHILE)
    assert stream.differences(gateway.spooled()) == {}
    assert stream.differences(await read_influxdb(database.url, database.database)) == {}
    gateway.close()


async def test_a_directory_that_cannot_be_written_to_is_a_clear_word_and_an_exit_code(rig: Rig) -> None:
    require_disk_image()
    gateway, disk = rig.make_gateway(), rig.disk(8)
    on(disk, gateway, "ro")
    code, words = await said(gateway)
    assert code == 1
    where = gateway.directory / "data" / "spool"
    assert words == f"prehod run: cannot use {where} as a spool: Read-only file system"


async def test_a_second_daemon_is_refused_with_the_owners_pid(rig: Rig) -> None:
    gateway = await rig.gateway()
    other = await asyncio.create_subprocess_exec(
        *gateway.command("run"), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await asyncio.wait_for(other.communicate(), patience())
    assert other.returncode == 1
    assert f"is in use by process {gateway.pid}: stop it, or give this one another data_dir" in output.decode()
    assert (await gateway.state())["problems"] == []


@pytest.fixture
def slow_group() -> Iterator[Path]:
    """A cgroup whose writes can be slowed down."""
    group = BLKIO / f"prehod-test-{os.getpid()}"
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"no cgroup can be made in {BLKIO}: {error.strerror}")  # version 2 has no such place
    yield group
    group.rmdir()


async def test_a_slow_disk_makes_batches_larger_and_loses_nothing(slow_group: Path, rig: Rig) -> None:
    require_disk_image()
    broker, database = await rig.serve(Mosquitto), await rig.serve(VictoriaMetrics)
    gateway, disk = rig.make_gateway(rig.stream_source(broker.url), rig.sink(database)), rig.disk(16)
    gateway.more = NO_BOUNDS
    on(disk, gateway)
    device = disk.path.stat().st_dev
    (slow_group / "blkio.throttle.write_iops_device").write_text(f"{os.major(device)}:{os.minor(device)} 4\n")
    await gateway.start()
    await gateway.listening()
    (slow_group / "cgroup.procs").write_text(str(gateway.pid))
    for thread in Path(f"/proc/{gateway.pid}/task").iterdir():  # noqa: ASYNC240 -- in memory
        (slow_group / "tasks").write_text(thread.name)
    stream = rig.stream(broker.url)
    stream.send(BEFORE + WHILE)
    await stream.sent()
    await fed(gateway)
    state = await gateway.holds(BEFORE + WHILE, 60)
    assert state["problems"] == []
    served = (slow_group / "blkio.throttle.io_serviced").read_text()
    assert f"{os.major(device)}:{os.minor(device)} Write" in served, "nothing was slowed down"
    assert stream.differences(gateway.spooled()) == {}
    assert stream.differences(await read_victoria_metrics(database.url)) == {}
    gateway.close()
