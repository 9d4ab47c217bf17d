"""``prehod spool replay`` sends by itself, beside a daemon or without one."""

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from firmware_sim.servers.influx.endpoint import InfluxEndpoint
from firmware_sim.servers.influx.faults import Poison, Refusal
from gateway.cli import spool as command
from gateway.spool import Batch, Spool, SpoolSettings
from tests.support.quiet import quiet_log

__all__ = ["quiet_log"]

T0 = 1732281600000000000
TIMES = ("--since", "2024-11-22T13:20:00Z", "--until", "2024-11-22T14:00:00Z")
Run = Callable[..., int]


@pytest.fixture
async def database() -> AsyncIterator[InfluxEndpoint]:
    async with InfluxEndpoint() as endpoint:
        yield endpoint


@pytest.fixture
def config(tmp_path: Path, database: InfluxEndpoint) -> Path:
    path = tmp_path / "prehod.toml"
    path.write_text(
        f'[gateway]\nid = "koper-01"\ncity = "Koper"\ndata_dir = "{tmp_path}"\n'
        '[sources.tito]\ntype = "serial"\nport = "/dev/null"\ndriver = "sds011"\nsensor = "aq-1"\n'
        f'[sinks.influx]\ntype = "influxdb"\nurl = "{database.url}"\norg = "o"\nbucket = "city"\n'
    )
    return path


@pytest.fixture
def delivered(tmp_path: Path) -> Path:
    """A spool with ten readings that the sink has, and one that it has not."""
    with Spool.open(tmp_path / "spool", SpoolSettings(min_free_bytes=0), sinks=["influx"]) as spool:
        for number in range(11):
            at = T0 + number * 10**9
            spool.writer.append(Batch(b"air,sensor=s1 pm25=%d,quality=0i %d\n" % (number, at), 1, at, at))
        spool.consumer("influx").seek(10)
    return tmp_path / "spool"


@pytest.fixture
def run(config: Path, delivered: Path) -> Run:
    """Call the command as the main program does."""
    assert delivered.is_dir()

    def call(*arguments: str) -> int:
        parser = argparse.ArgumentParser()
        parser.add_argument("--config", type=Path)
        parser.add_argument("--json", action="store_true")
        command.configure(parser)
        return command.run(parser.parse_args(["--config", str(config), "replay", *arguments]))

    return call


async def test_what_was_delivered_goes_again_and_the_cursor_stays(
    run: Run, database: InfluxEndpoint, delivered: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cursor = (delivered / "cursors" / "influx.json").read_bytes()
    for _ in range(2):
        assert await asyncio.to_thread(run, "--sink", "influx", *TIMES) == 0
        assert capsys.readouterr().out == "sent again: 10 of 10 readings\n"
    assert set(database.write_counts.values()) == {2}
    assert len(database.points()) == 10
    assert (delivered / "cursors" / "influx.json").read_bytes() == cursor


async def test_it_runs_beside_the_owner_of_the_spool(run: Run, database: InfluxEndpoint, delivered: Path) -> None:
    with Spool.open(delivered, sinks=["influx"]):
        assert await asyncio.to_thread(run, "--sink", "influx", *TIMES) == 0
    assert len(database.points()) == 10


async def test_machines_get_lines_and_the_last_says_that_it_is_done(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await asyncio.to_thread(run, "--sink", "influx", *TIMES, "--json", "--rate", "5") == 0
    *lines, last = [json.loads(one) for one in capsys.readouterr().out.splitlines()]
    assert lines[0] == {"sent": 0, "total": 10, "refused": 0, "problem": ""}
    assert [one["sent"] for one in lines] == sorted(one["sent"] for one in lines)
    assert last == {"sent": 10, "total": 10, "refused": 0, "problem": "", "done": True, "reasons": {}}


async def test_a_rate_is_kept_to(run: Run, database: InfluxEndpoint) -> None:
    assert await asyncio.to_thread(run, "--sink", "influx", *TIMES, "--rate", "5") == 0
    assert [len(write.lines) for write in database.writes] == [5, 5]


@pytest.mark.parametrize("rate", ["0", "-5", "fast", "1.5"])
def test_a_rate_that_is_none_is_wrong_use(run: Run, rate: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run("--sink", "influx", *TIMES, "--rate", rate)
    assert caught.value.code == 2
    assert "rate" in capsys.readouterr().err


async def test_a_range_with_nothing_in_it_is_said_so(
    run: Run, database: InfluxEndpoint, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await asyncio.to_thread(run, "--sink", "influx", "--since", "2030-01-01") == 0
    assert "there is nothing of that time that the sink got" in capsys.readouterr().out
    assert not database.writes


def test_a_database_that_is_not_configured_is_wrong_use(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--sink", "inflix", *TIMES) == 2
    assert "there is no database called 'inflix'" in (error := capsys.readouterr().err)
    assert "there are: influx" in error


async def test_a_wrong_setting_ends_it_at_once_with_the_databases_words(
    run: Run, database: InfluxEndpoint, capsys: pytest.CaptureFixture[str]
) -> None:
    database.fail_with(Refusal(401))
    assert await asyncio.to_thread(run, "--sink", "influx", *TIMES) == 2
    assert "the database refuses our token or password" in capsys.readouterr().err


async def test_readings_that_the_database_refuses_are_told_with_its_words(
    run: Run, database: InfluxEndpoint, capsys: pytest.CaptureFixture[str]
) -> None:
    database.fail_with(Poison(lambda line: "pm25=3," in line))
    assert await asyncio.to_thread(run, "--sink", "influx", *TIMES) == 1
    out = capsys.readouterr().out
    assert "sent again: 9 of 10 readings" in out
    assert "refused by the database: 1 reading: 4" in out


@pytest.mark.usefixtures("delivered")
async def test_it_may_be_broken_off_and_says_how_far_it_was(config: Path, database: InfluxEndpoint) -> None:
    program = "import sys; from gateway.cli.main import main; sys.exit(main())"
    times = [*TIMES, "--rate", "1", "--json"]
    arguments = ["spool", "replay", "--config", str(config), "--sink", "influx", *times]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, *arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ
    )
    async with asyncio.timeout(60):
        while len(database.points()) < 2:  # noqa: ASYNC110 -- a database tells nobody
            await asyncio.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, errors = await process.communicate()
    assert process.returncode == 130
    assert errors.decode().startswith("prehod spool: stopped after ")
    assert "Traceback" not in errors.decode()
