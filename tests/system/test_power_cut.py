"""The power fails, again and again, while readings come in.

The gateway keeps its data on an ext4 image. Copied while it writes, the image is what a power cut would have left:
only what was synced is sure to be there. Each copy is mounted and recovered from.
"""

import asyncio
import json
import sys
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest

from firmware_sim.patience import patience
from firmware_sim.servers.influx import line_protocol
from firmware_sim.servers.readback import read_victoria_metrics
from firmware_sim.servers.servers import Mosquitto, VictoriaMetrics
from firmware_sim.truth.points import StoredPoint
from tests.support.requirements import require_disk_image
from tests.system.conftest import Disk, Gateway, Rig, Stream

pytestmark = pytest.mark.system

CUTS = 20
RATE = 300.0
"""Fifteen readings a commit; each copy of the disk is read, and those of a slow machine are many seconds apart."""
QUICK = 1_500.0
MESSAGES = 300_000
"""More than there is time for: the stream lasts until the last cut, however slow the machine is."""

RECOVER = """
import json, sys
from pathlib import Path
from gateway.spool import Spool, decode_member
with Spool.open(Path(sys.argv[1]), sinks=["victoria-metrics"]) as spool:
    lines, damaged = [], []
    reader, seq = spool.reader(damaged.append), 0
    while members := reader.read(seq):
        lines += [decode_member(member.raw).decode() for member in members]
        seq = members[-1].header.end
    found = spool.recovery
    aside = [path.stat().st_size for path in (spool.root / "damaged").iterdir()]
    print(json.dumps({
        "text": "".join(lines), "next": spool.next_seq, "cursor": spool.cursors.next("victoria-metrics"),
        "cut": len(found.cut), "damaged": len(found.damaged) + len(damaged), "aside": aside,
        "problems": list(found.problems), "lost": spool.ledger.readings, "verified": len(spool.verify().damaged),
    }))
"""


def numbers(text: str) -> list[int]:
    """Return the numbers of the readings in line protocol, as `Stream` gave them."""
    points = list(line_protocol.parse(text.encode(), default_time=0))
    assert all(isinstance(point, StoredPoint) for point in points)
    return [round(float(point.fields["pm25"]) * 100) for point in points if isinstance(point, StoredPoint)]


async def recover(disk: Disk, where: Path) -> dict[str, Any]:
    """Mount a copy and open the spool on it; return what is found."""
    disk.mount(where)
    command = [*disk.within, sys.executable, "-c", RECOVER, str(where / "spool")]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
    output, errors = await asyncio.wait_for(process.communicate(), patience())
    assert process.returncode == 0, errors.decode()
    found: dict[str, Any] = json.loads(output)
    return found


async def cut(gateway: Gateway, disk: Disk, copy: Path) -> int:
    """Copy the image as it is at one moment; return how many readings were acknowledged before that."""
    acknowledged = int((await gateway.state())["readings"]["committed"])
    before, image = b"", b"-"
    gateway.freeze()
    while before != image:
        # The kernel may write while we read, and no disk is ever half of one moment and half of another.
        before, image = image, await asyncio.to_thread(disk.image.read_bytes)
    await asyncio.to_thread(copy.write_bytes, image)
    gateway.thaw()
    return acknowledged


def another_boot(cursor: Path) -> None:
    """Let a cursor be of an earlier boot of the machine: this test cuts the power without one."""
    try:
        state = json.loads(cursor.read_text(encoding="ascii"))
    except ValueError:
        return  # it was renamed and not written out yet when the power went: nothing is known of any boot
    assert not state["stopped"]
    del state["check"]
    cursor.write_text(json.dumps({**state, "boot": "00"}), encoding="ascii")


async def streaming(rig: Rig, rate: float) -> tuple[Gateway, Disk, VictoriaMetrics, Stream]:
    """Start a gateway on a disk of its own, with readings coming in."""
    broker, database = await rig.serve(Mosquitto), await rig.serve(VictoriaMetrics)
    gateway, disk = rig.make_gateway(rig.stream_source(broker.url), rig.sink(database)), rig.disk(24)
    gateway.more = "min_free_bytes = 0"
    gateway.commit_interval = "50ms"
    disk.mount(gateway.directory / "data")
    gateway.within, gateway.spool = disk.within, disk.path / "spool"
    await gateway.start()
    await gateway.listening()
    stream = rig.stream(broker.url, rate)
    stream.send(MESSAGES)
    return gateway, disk, database, stream


async def test_after_every_power_cut_it_starts_and_everything_acknowledged_is_there_once(
    rig: Rig, tmp_path: Path
) -> None:
    require_disk_image()
    gateway, disk, _, stream = await streaming(rig, RATE)
    moments, acknowledged = Random(20), []  # noqa: S311 -- repeatable, not secret
    for number in range(CUTS):
        await asyncio.sleep(moments.uniform(0.05, 0.6))  # any moment will do
        acknowledged.append(await cut(gateway, disk, tmp_path / f"cut-{number}.img"))
    stream.stop()
    gateway.kill()
    assert acknowledged[-1] > acknowledged[0] > 0
    assert stream.published < MESSAGES, "the stream ended before the last cut"

    for number, at_least in enumerate(acknowledged):
        copy = rig.disk(0, f"cut-{number}.img")
        found = await recover(copy, tmp_path / f"mounted-{number}")
        kept = numbers(found["text"])
        assert kept == list(range(len(kept))), f"cut {number}: something is missing, doubled or out of order"
        assert len(kept) >= at_least, f"cut {number}: {at_least} were acknowledged, {len(kept)} are there"
        assert found["next"] == len(kept)
        assert found["cursor"] <= len(kept)
        assert (found["problems"], found["damaged"], found["lost"], found["verified"]) == ([], 0, 0, 0)
        assert len(found["aside"]) <= found["cut"] <= 1, "what is no reading is set aside, and counted"
        copy.unmount()


async def test_what_a_power_cut_left_is_delivered_once_though_its_cursor_is_older_than_the_database(
    rig: Rig, tmp_path: Path
) -> None:
    require_disk_image()
    gateway, disk, database, stream = await streaming(rig, QUICK)
    await gateway.until(lambda state: state["sinks"][database.name]["readings"] > 2_000)
    await cut(gateway, disk, tmp_path / "cut.img")
    # What is delivered from now on, the cursor of the copy does not know.
    state = await gateway.state()
    delivered = state["sinks"][database.name]["readings"]
    await gateway.until(lambda state: state["sinks"][database.name]["readings"] > delivered + 500)
    stream.stop()
    gateway.kill()
    gateway.close()
    disk.unmount()

    copy = rig.disk(0, "cut.img")
    copy.mount(gateway.directory / "data")
    gateway.within, gateway.spool = copy.within, copy.path / "spool"
    another_boot(gateway.spool / "cursors" / f"{database.name}.json")
    gateway._parts = rig.sink(database)
    await gateway.start()
    await gateway.until(lambda state: state["spool"]["readings"] and not any(state["spool"]["pending"].values()))
    kept = [round(float(point.fields["pm25"]) * 100) for point in gateway.spooled()]
    assert kept == list(range(len(kept)))
    stored = await read_victoria_metrics(database.url)
    times = Counter(
        round(float(point.fields["value"]) * 100) for point in stored if point.measurement.endswith("pm25")
    )
    assert set(kept) <= times.keys()
    assert set(times.values()) == {1}
    gateway.close()
