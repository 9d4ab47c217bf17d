"""Real servers: start, kill, hang, come back on the same port, and leave nothing behind."""

import asyncio
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from firmware_sim.servers import process as child
from firmware_sim.servers import servers
from firmware_sim.servers.influx.endpoint import InfluxEndpoint
from firmware_sim.servers.process import RealServer, ServerFailed, free_port
from firmware_sim.servers.servers import (
    Influxd,
    Iotcore,
    Mosquitto,
    VictoriaMetrics,
    choose_broker,
    choose_database,
)
from tests.support.until import until

pytestmark = pytest.mark.system


needs_mosquitto = pytest.mark.requires("mosquitto")
needs_influxd = pytest.mark.requires("influxd")
EVERY_SERVER = [
    pytest.param(kind, marks=pytest.mark.requires(kind.name), id=kind.name)
    for kind in (Mosquitto, Iotcore, Influxd, VictoriaMetrics)
]


def listening(pid: int) -> set[str]:
    """Return the local addresses, in the kernel's hexadecimal, on which a process listens."""
    sockets = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # it was closed while we looked
            sockets.add(str(entry.readlink()))
    rows = [
        line.split()
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{table}").read_text(encoding="ascii").splitlines()[1:]
    ]
    return {row[1].split(":")[0] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in sockets}


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")")[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("kind", EVERY_SERVER)
async def test_a_server_starts_stops_is_killed_and_comes_back_on_its_port(
    kind: type[RealServer], tmp_path: Path
) -> None:
    server = kind(tmp_path / "data")
    await server.stop()
    server.kill()
    async with server:
        port, first = server.port, server.pid
        assert listening(first) == {"0100007F"}
        await server.start()
        assert server.pid == first, "starting a running server does nothing"
        server.kill()
        assert not server.running
        await server.start()
        assert server.port == port
        server.freeze()
        server.thaw()
        await server.restart()
        await server.wait_ready()
        last = server.pid
    assert len({first, last}) == 2
    assert not alive(last)
    assert server.log.exists()


@needs_mosquitto
async def test_a_frozen_server_is_stopped_too(tmp_path: Path) -> None:
    server = Mosquitto(tmp_path)
    await server.start()
    server.freeze()
    await server.stop()
    assert not server.running


def parent_of(kind: type[RealServer], directory: Path) -> subprocess.Popen[bytes]:
    """Start another process of ours, which starts the server and prints its process id."""
    script = (
        "import asyncio, sys, time; from pathlib import Path; from firmware_sim.servers import servers\n"
        f"server = servers.{kind.__name__}(Path(sys.argv[1]))\n"
        "asyncio.run(server.start())\n"
        "print(server.pid, flush=True); time.sleep(60)"
    )
    return subprocess.Popen([sys.executable, "-c", script, directory], stdout=subprocess.PIPE)


@pytest.mark.parametrize("kind", EVERY_SERVER)
async def test_a_server_does_not_outlive_a_killed_parent(kind: type[RealServer], tmp_path: Path) -> None:
    with parent_of(kind, tmp_path) as parent:
        assert parent.stdout is not None
        pid = int(await asyncio.to_thread(parent.stdout.readline))
        assert alive(pid)
        parent.send_signal(signal.SIGKILL)
        await until(lambda: not alive(pid))


@needs_mosquitto
async def test_a_port_that_was_taken_meanwhile_is_given_up_for_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Mosquitto(tmp_path / "first") as first:
        ports = iter([first.port, first.port, free_port()])
        monkeypatch.setattr(child, "free_port", lambda: next(ports))
        async with Mosquitto(tmp_path / "second") as second:
            assert second.port != first.port
        with pytest.raises(ServerFailed, match="Address already in use"):
            await Mosquitto(tmp_path / "third", first.port).start()


@needs_influxd
async def test_a_server_that_cannot_start_shows_its_log(tmp_path: Path) -> None:
    server = Influxd(tmp_path)
    (tmp_path / "meta").write_text("in the way", encoding="utf-8")
    with pytest.raises(ServerFailed, match=r"influxd ended while starting:\n(?s:.*)meta"):
        await server.start()
    assert not server.running


def test_the_best_that_is_installed_is_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed: set[str] = {"mosquitto", "influxd", "victoria-metrics"}
    monkeypatch.setattr(servers, "find_program", lambda name: name if name in installed else None)
    assert isinstance(choose_broker(tmp_path), Mosquitto)
    assert isinstance(choose_database(tmp_path), Influxd)
    installed -= {"mosquitto", "influxd"}
    assert isinstance(choose_database(tmp_path), VictoriaMetrics)
    installed.clear()
    monkeypatch.setattr(Iotcore, "available", lambda: True)
    assert isinstance(choose_broker(tmp_path), Iotcore)
    assert isinstance(choose_database(tmp_path), InfluxEndpoint)
    monkeypatch.setattr(Iotcore, "available", lambda: False)
    with pytest.raises(ServerFailed, match="apt-get install mosquitto"):
        choose_broker(tmp_path)


def test_a_free_port_is_none_that_outgoing_connections_are_given() -> None:
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()[0])
    assert all(port < lowest for port in (free_port() for _ in range(50)))
