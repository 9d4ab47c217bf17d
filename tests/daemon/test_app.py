"""The whole daemon inside the test: a dust sensor on a wire at one end, a database at the other."""

import asyncio
import os
import socket
import subprocess
import sys
import time
import tty
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import structlog

from firmware_sim.patience import patience
from firmware_sim.servers.influx.endpoint import InfluxEndpoint
from firmware_sim.servers.influx.faults import Hang, Refusal
from gateway.config.models import Configuration
from gateway.daemon import app
from gateway.daemon.app import Daemon
from gateway.errors import SpoolFull, SpoolLocked
from gateway.spool import Batch, Cursor, Deferred, SpoolView
from tests.support.until import until


def report(pm25: float, pm10: float) -> bytes:
    """Return an SDS011 frame as its data sheet has it, from the sensor A160."""
    body = int(pm25 * 10).to_bytes(2, "little") + int(pm10 * 10).to_bytes(2, "little") + b"\xa1\x60"
    return b"\xaa\xc0" + body + bytes([sum(body) & 0xFF]) + b"\xab"


class Sensor:
    """The far side of a pseudo-terminal, on which an SDS011 reports."""

    def __init__(self) -> None:
        self.fd, self._port = os.openpty()  # our own end of the port stays open: the wire lives without a gateway
        tty.setraw(self._port)
        self.port = os.ttyname(self._port)
        os.set_blocking(self.fd, False)

    def reports(self, pm25: float, pm10: float) -> None:
        os.write(self.fd, report(pm25, pm10))

    def heard(self) -> bytes:
        try:
            return os.read(self.fd, 4096)
        except OSError:
            return b""

    def close(self) -> None:
        os.close(self._port)
        os.close(self.fd)


@pytest.fixture
def sensor() -> Iterator[Sensor]:
    sensor = Sensor()
    yield sensor
    sensor.close()


@pytest.fixture
async def database() -> AsyncIterator[InfluxEndpoint]:
    async with InfluxEndpoint() as endpoint:
        yield endpoint


@pytest.fixture
def configuration(sensor: Sensor, database: InfluxEndpoint, tmp_path: Path) -> Configuration:
    text: dict[str, Any] = {
        "gateway": {"id": "koper-01", "city": "Koper", "data_dir": tmp_path / "data", "clock": "system"},
        "spool": {"commit_interval": "20ms", "min_free_bytes": 0},
        "sources": {
            "tito": {"type": "serial", "port": sensor.port, "driver": "sds011", "sensor": "aq-tito", "interval": "1h"}
        },
        "sinks": {"influx": {"type": "influxdb", "url": database.url, "org": "o", "bucket": "city", "timeout": "1s"}},
    }
    return Configuration.model_validate(text)


@pytest.fixture(autouse=True)
def short_goodbye(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "GOODBYE", 0.3)


@asynccontextmanager
async def _running(configuration: Configuration) -> AsyncIterator[tuple[Daemon, asyncio.Event]]:
    """Run a daemon until the end of the block, or until the event is set in it."""
    stop, ready = asyncio.Event(), asyncio.Event()
    daemon = Daemon(configuration)
    task = asyncio.create_task(daemon.run(stop, ready.set))
    try:
        await asyncio.wait_for(ready.wait(), patience())
        yield daemon, stop
    finally:
        stop.set()
        try:
            await asyncio.wait_for(task, patience())
        finally:
            daemon.close()


def _values(database: InfluxEndpoint) -> list[float]:
    return [float(point.fields["pm25"]) for point in database.points() if "pm25" in point.fields]


async def test_a_reading_goes_all_the_way(
    configuration: Configuration, sensor: Sensor, database: InfluxEndpoint
) -> None:
    async with _running(configuration) as (daemon, _):
        await until(lambda: sensor.heard().startswith(b"\xaa\xb4"))  # it was asked to wake
        sensor.reports(12.5, 20.0)
        sensor.reports(13.5, 21.0)
        await until(lambda: len(_values(database)) == 2)
        first, second = database.points()
        assert first.measurement == "air_quality"
        assert first.tags == {"city": "Koper", "gateway": "koper-01", "sensor": "aq-tito"}
        assert {name: first.fields[name] for name in ("pm25", "pm10")} == {"pm25": 12.5, "pm10": 20}
        assert first.time < second.time
        await until(lambda: daemon.health.sink("influx").pending == 0)
        assert daemon.health.problems() == []
    assert set(database.write_counts.values()) == {1}


async def test_stopping_takes_the_last_readings_along(
    configuration: Configuration, sensor: Sensor, database: InfluxEndpoint
) -> None:
    slow = configuration.model_copy(
        update={"spool": configuration.spool.model_copy(update={"commit_interval": 3600.0})}
    )
    async with _running(slow) as (daemon, stop):
        await until(lambda: daemon.health.source("tito").link.up)
        sensor.reports(12.5, 20.0)
        await until(lambda: daemon.health.source("tito").readings == 1)
        assert not database.writes
        stop.set()
        await until(lambda: _values(database) == [12.5])


@pytest.mark.parametrize("fault", [Hang(), Refusal(401), Refusal(503)])
async def test_stopping_does_not_wait_for_a_database_that_is_away_and_the_next_run_delivers_once(
    configuration: Configuration, sensor: Sensor, database: InfluxEndpoint, fault: Hang | Refusal
) -> None:
    database.fail_with(fault)
    async with _running(configuration) as (daemon, _):
        await until(lambda: daemon.health.source("tito").link.up)
        sensor.reports(12.5, 20.0)
        await until(lambda: daemon.health.committed == 1)
    assert not database.points()
    database.recover()
    async with _running(configuration):
        await until(lambda: _values(database) == [12.5])
    assert set(database.write_counts.values()) == {1}


async def test_systemd_hears_of_the_start_the_state_and_the_stop(
    configuration: Configuration, sensor: Sensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))

        def says(what: str) -> bool:
            with suppress(BlockingIOError):
                heard.extend(systemd.recv(4096).decode().splitlines())
            return any(line.startswith(what) for line in heard)

        async with _running(configuration) as (_, stop):
            await until(lambda: says("READY=1"))
            await until(lambda: says("WATCHDOG=1"))
            await until(lambda: says("STATUS=") and "pending: influx 0" in "".join(heard))
            assert not says("STOPPING=1")
            stop.set()
            await until(lambda: says("STOPPING=1"))
            await until(lambda: heard[-1] == "STATUS=stopping")
    assert sensor.fd >= 0


async def test_a_second_daemon_on_the_same_data_is_refused_with_the_owners_pid(configuration: Configuration) -> None:
    async with _running(configuration) as (daemon, _):
        await until(lambda: daemon.health.source("tito").link.up)
        code = (
            "import sys; from pathlib import Path\n"
            "from gateway.errors import SpoolLocked; from gateway.spool import Spool\n"
            "try: Spool.open(Path(sys.argv[1]))\n"
            "except SpoolLocked as error: print(error.pid, error)"
        )
        where = configuration.gateway.data_dir / "spool"
        other = await asyncio.to_thread(
            subprocess.run, [sys.executable, "-c", code, str(where)], capture_output=True, text=True, check=True
        )
        assert other.stdout.startswith(f"{os.getpid()} {where} is in use by process {os.getpid()}: stop it")
        with pytest.raises(SpoolLocked) as caught:
            Daemon(configuration)
        assert caught.value.pid == os.getpid()


async def test_a_source_that_is_away_does_not_keep_the_rest_from_working(
    configuration: Configuration, sensor: Sensor, database: InfluxEndpoint
) -> None:
    sources = {
        **configuration.sources,
        "gone": configuration.sources["tito"].model_copy(update={"port": "/dev/ttyNOWHERE", "sensor": "aq-gone"}),
    }
    both = configuration.model_copy(update={"sources": sources})
    async with _running(both) as (daemon, _):
        await until(lambda: daemon.health.source("tito").link.up)
        sensor.reports(1.0, 2.0)
        await until(lambda: _values(database) == [1.0])
        assert daemon.health.problems() == ["gone: /dev/ttyNOWHERE: no such port; is it plugged in?"]


async def test_everything_is_on_disk_for_a_stranger_to_read(
    configuration: Configuration, sensor: Sensor, database: InfluxEndpoint
) -> None:
    async with _running(configuration) as (daemon, _):
        await until(lambda: daemon.health.source("tito").link.up)
        sensor.reports(12.5, 20.0)
        await until(lambda: _values(database) == [12.5])
    where = configuration.gateway.data_dir / "spool"
    segments = sorted(str(path) for path in where.glob("*.lp.gz"))
    seen = await asyncio.to_thread(subprocess.run, ["zcat", *segments], capture_output=True, check=True)
    assert seen.stdout.count(b"pm25=12.5") == 1
    status = SpoolView.look(where).status()
    assert status.next_seq == 1


async def test_replays_that_an_earlier_version_left_are_ignored_and_said_so(configuration: Configuration) -> None:
    left = configuration.gateway.data_dir / "spool" / "replays" / "influx.json"
    left.parent.mkdir(parents=True)
    left.write_text('{"next": 0, "first": 0, "end": 5, "since": 0, "until": 9, "sending": 5}')
    with structlog.testing.capture_logs() as logs:
        async with _running(configuration):
            pass
    assert [one["sinks"] for one in logs if one["event"].startswith("replays ignored")] == [["influx"]]
    assert left.exists()


async def test_what_only_memory_held_when_it_stops_on_a_full_disk_is_owned_up_to(
    configuration: Configuration, sensor: Sensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_group: object) -> object:
        raise SpoolFull("no space left")

    async with _running(configuration) as (daemon, _):
        await until(lambda: daemon.health.source("tito").link.up)
        monkeypatch.setattr(daemon.spool.writer, "append_group", full)
        sensor.reports(12.5, 20.0)
        await until(lambda: daemon.health.spool_problem == "no space left")
    [entry] = SpoolView.look(configuration.gateway.data_dir / "spool").ledger.entries
    assert (entry["rule"], entry["count"]) == ("stopped", 1)


async def test_a_run_that_did_not_stop_in_good_order_is_told_by_the_next(configuration: Configuration) -> None:
    marker = configuration.gateway.data_dir / "running"
    async with _running(configuration) as (daemon, _):
        assert daemon.health.snapshot()["last_run"] == "stopped in good order"
        left_by_a_kill = marker.read_text()
    assert not marker.exists()
    for content, said in ((left_by_a_kill, "killed"), ("another boot", "power cut"), ("", "power cut")):
        marker.write_text(content)
        with structlog.testing.capture_logs() as logs:
            async with _running(configuration) as (daemon, _):
                assert said in daemon.health.snapshot()["last_run"]
        assert [one["what"] for one in logs if "good order" in one["event"]] == [daemon.health.last_run]


async def test_after_a_power_cut_a_database_that_keeps_duplicates_is_asked_and_after_an_orderly_stop_it_is_not(
    configuration: Configuration,
) -> None:
    async with _running(configuration) as (daemon, _):
        assert daemon.spool.cursors.of("influx").stopped is False
    daemon = Daemon(configuration)
    daemon.spool.writer.append(Batch(b"a x=1 1\n", 1, 1, 1))
    daemon.close()
    assert daemon.spool.cursors.of("influx").stopped is False, "this one did not come to an orderly end"
    waits = Deferred(bytes(16), 0, 1, 1)
    daemon.spool.cursors.update("influx", lambda _: Cursor(1, deferred=(waits,), boot="another"))
    again = Daemon(configuration)
    cursor = again.spool.cursors.of("influx")
    assert (cursor.in_doubt_to, cursor.deferred) == (1, (replace(waits, in_doubt_to=1),))
    again.spool.cursors.update("influx", lambda _: Cursor(0, boot="another", stopped=True))
    again.close()
    orderly = Daemon(configuration)
    assert orderly.spool.cursors.of("influx").in_doubt_to == 0
    orderly.close()


async def test_a_cursor_of_a_newer_version_makes_its_sink_wait_and_is_a_problem(
    configuration: Configuration, sensor: Sensor, database: InfluxEndpoint
) -> None:
    path = configuration.gateway.data_dir / "spool" / "cursors" / "influx.json"
    path.parent.mkdir(parents=True)
    path.write_text('{"version": 99, "next": 0}')
    async with _running(configuration) as (daemon, _):
        await until(lambda: daemon.health.source("tito").link.up)
        sensor.reports(12.5, 20.0)
        await until(lambda: daemon.health.committed == 1)
        await until(lambda: any("is of version 99" in problem for problem in daemon.health.problems()))
    assert not database.writes
    assert path.read_text() == '{"version": 99, "next": 0}'


async def test_a_device_whose_clock_is_ahead_moves_nobody_elses_times_at_a_restart(
    configuration: Configuration, sensor: Sensor, database: InfluxEndpoint
) -> None:
    tags = b"air_quality,city=Koper,gateway=koper-01,sensor="
    later = time.time_ns() + 300 * 10**9
    daemon = Daemon(configuration)
    daemon.spool.writer.append(Batch(tags + b"ahead pm25=1 %d\n" % later, 1, later, later))
    daemon.close()
    async with _running(configuration) as (daemon, _):
        assert daemon.intake._ahead == {tags + b"ahead ": later}
        await until(lambda: daemon.health.source("tito").link.up)
        sensor.reports(12.5, 20.0)
        await until(lambda: _values(database)[-1:] == [12.5])
    assert database.points()[-1].time < later
    assert database.points()[-1].fields["quality"] == 0
