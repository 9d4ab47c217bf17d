"""A minute of every fault at once; and that its count would show a loss or a duplicate if there were one."""

import asyncio
import json
import shutil
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from types import SimpleNamespace

import aiohttp
import pytest

from firmware_sim.patience import patience
from firmware_sim.servers.readback import read_influxdb
from firmware_sim.servers.servers import Influxd
from firmware_sim.torture.faults import FAULTS, Fault
from firmware_sim.torture.run import torture
from firmware_sim.torture.site import Site, State
from tests.system.conftest import Rig

pytestmark = [pytest.mark.system, pytest.mark.requires("mosquitto", "influxd")]

COMMAND = [sys.executable, "-m", "gateway.cli.main", "run", "--config"]


async def test_a_minute_of_faults_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    outcome = await torture(tmp_path, COMMAND, seconds=60, seed=1, tell=print)
    assert outcome.passed, outcome.table()
    assert outcome.faults.total() >= 5, "hardly anything happened"
    assert outcome.quarantined == 0
    assert outcome.lost_in_stated_window <= outcome.stated_window_holds
    # What is skipped for want of a disk of its own is tested with one in the tests of the full disk.
    assert outcome.skipped.keys() <= {"disk-full"}


async def test_the_command_ends_with_one_line_of_json() -> None:
    command = ["sim", "torture", "--seconds", "1", "--seed", "1", "--only", "gateway-killed", "--json"]
    process = await asyncio.create_subprocess_exec(*COMMAND[:3], *command, stdout=asyncio.subprocess.PIPE)
    printed, _ = await process.communicate()
    assert process.returncode == 0, printed
    outcome = json.loads(printed.splitlines()[-1])
    assert outcome["faults"] == {"gateway-killed": 1}
    assert outcome["published"] > 0
    assert outcome["stored"] > 0  # what was doubtful may be in it, so it may even be more
    assert outcome["lost"] == outcome["duplicated"] == outcome["quarantined"] == 0
    assert outcome["lost_in_stated_window"] <= outcome["stated_window_holds"]
    assert {"worst_recovery_seconds", "seed", "seconds"} <= outcome.keys()


@pytest.mark.parametrize(
    ("given", "said"),
    [("gateway-kiled", "did you mean 'gateway-killed'?"), ("gateway-killed,disc-full", "did you mean 'disk-full'?")],
)
async def test_a_fault_that_does_not_exist_is_refused_with_the_nearest_that_does(given: str, said: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *COMMAND[:3], "sim", "torture", "--only", given, stderr=asyncio.subprocess.PIPE
    )
    _, printed = await process.communicate()
    assert process.returncode == 2
    assert said in printed.decode()


async def test_a_spool_that_somebody_deletes_from_shows_as_lost(tmp_path: Path) -> None:
    outcome = await torture(
        tmp_path, COMMAND, seconds=1, seed=1, faults=[Fault("segments-lost", _loses_its_segments)]
    )
    assert outcome.lost > 0
    assert not outcome.duplicated
    assert not outcome.passed


async def test_a_gateway_that_forgets_what_it_took_shows_as_duplicated(tmp_path: Path) -> None:
    outcome = await torture(
        tmp_path, COMMAND, seconds=1, seed=1, faults=[Fault("memory-lost", _forgets_what_it_took)]
    )
    assert outcome.duplicated > 0
    assert not outcome.passed


async def test_a_fault_that_is_never_got_over_is_no_success(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("firmware_sim.torture.run.PATIENCE", 3.0)
    outcome = await torture(tmp_path, COMMAND, seconds=1, seed=1, faults=[Fault("line-gone", _unplugged_for_good)])
    assert [words.partition(",")[0] for words in outcome.not_recovered] == ["line-gone"]
    assert not outcome.passed


async def test_influxdb_has_after_a_kill_what_it_confirmed_just_before(rig: Rig) -> None:
    """What the count of the torture rests on: a kill -9 right after its 204 costs this database nothing."""
    database = await rig.serve(Influxd)
    for kill in range(5):
        lines = "\n".join(f"air_quality,sensor=a pm25={number} {kill * 100 + number}" for number in range(100))
        write = f"{database.url}/write?db={database.database}"
        async with aiohttp.ClientSession() as client, client.post(write, data=lines) as answer:
            assert answer.status == 204
            database.kill()
        await database.start()
    assert len(await read_influxdb(database.url, database.database)) == 500


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_every_fault_says_what_it_does(fault: Fault) -> None:
    assert (fault.happening.__doc__ or "").strip()
    assert 0 <= fault.hold[0] <= fault.hold[1]


@asynccontextmanager
async def _unplugged_for_good(site: Site, _: Random) -> AsyncIterator[None]:
    site.city.lines["aq-01"].unplug()
    yield


@asynccontextmanager
async def _loses_its_segments(site: Site, _: Random) -> AsyncIterator[None]:
    await site.database.stop()
    yield
    await _until(site, lambda state: state["sinks"]["database"]["pending"] > 100)
    site.kill_gateway()
    for segment in (site.gateway.data / "spool").glob("*.lp.gz"):
        segment.unlink()
    await site.gateway.start()
    await site.database.start()


@asynccontextmanager
async def _forgets_what_it_took(site: Site, _: Random) -> AsyncIterator[None]:
    site.broker_wire.deaf = True  # it stores and acknowledges, and the broker does not hear it
    state = await site.gateway.health()
    assert state is not None
    before = state["readings"]["committed"]
    yield
    await _until(
        site,
        lambda state: state["readings"]["committed"] > before + 100 and not state["sinks"]["database"]["pending"],
    )
    site.kill_gateway()
    shutil.rmtree(site.gateway.data / "spool")  # with the identities of what was taken
    site.broker_wire.cut()
    await site.gateway.start()


async def _until(site: Site, condition: Callable[[State], bool]) -> None:
    async with asyncio.timeout(patience()):
        while (state := await site.gateway.health()) is None or not condition(state):  # noqa: ASYNC110 -- it is asked
            await asyncio.sleep(0.05)


def test_what_a_kill_may_cost_begins_with_the_full_disk_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(tmp_path, COMMAND, seed=1)
    monkeypatch.setattr(site, "gateway", SimpleNamespace(kill=lambda: None), raising=False)
    monkeypatch.setattr(site, "spoil_passages", lambda: None)
    now = time.monotonic()
    site.full_since, site.full_until = now - 6, now - 2
    site.kill_gateway()
    assert [window.kind for window in site.windows if window.since < now - 6] == ["dust", "traffic"]
    site.windows.clear()
    site.full_until = now - 3
    site.kill_gateway()
    assert [window.kind for window in site.windows if window.since < now - 6] == []
