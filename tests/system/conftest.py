"""The rig of the system tests: real servers, the gateway as a process of its own, numbered messages, a bad line."""

import asyncio
import contextlib
import json
import math
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self, TypeVar

import aiohttp
import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from firmware_sim import line_protocol
from firmware_sim.child import RealServer
from firmware_sim.points import StoredPoint
from firmware_sim.servers import Influxd, Mosquitto, VictoriaMetrics

PACKAGES: dict[type[RealServer], str] = {
    Mosquitto: "mosquitto",
    Influxd: "influxdb",
    VictoriaMetrics: "victoria-metrics",
}
PATIENCE = 30.0
"""Seconds within which anything that is waited for must have happened."""

Server = TypeVar("Server", bound=Mosquitto | Influxd | VictoriaMetrics)
State = dict[str, Any]
Moment = tuple[str, int]
"""A sensor and a time, nanoseconds UTC: what a reading is known by."""


class Gateway(RealServer):
    """``prehod run`` with a configuration file, a data directory and a health page; started when it says READY=1.

    ``parts`` are the sources, sensors and sinks, as TOML; ``commit_interval``, ``within`` (a command that runs
    another, as nsenter), ``clock`` and ``more`` (lines for ``[spool]``) may be changed before a start.
    """

    name = "prehod"
    description = "the gateway under test"

    def __init__(self, directory: Path, parts: str) -> None:
        super().__init__(directory)
        self.spool = directory / "data" / "spool"
        self.configuration = directory / "prehod.toml"
        self.commit_interval = "100ms"
        self.within: Sequence[str] = ()
        self.clock = "system"
        self.more = ""
        self.notified: list[str] = []
        """What it has told systemd since the last start."""
        self._parts = parts
        self._systemd: socket.socket | None = None

    @classmethod
    def available(cls) -> bool:
        return True

    @property
    def exit_code(self) -> int | None:
        """What its last process ended with; None while it runs."""
        return None if self._process is None else self._process.poll()

    def command(self, *arguments: str) -> list[str]:
        """Return a ``prehod`` command line with this gateway's configuration."""
        return [sys.executable, "-m", "gateway.cli.main", *arguments, "--config", str(self.configuration)]

    def logged(self, **wanted: object) -> list[State]:
        """Return the entries of the log, over all starts, that have these values."""
        lines = self.log.read_text(encoding="utf-8").splitlines()
        entries = [json.loads(line) for line in lines if line.startswith("{")]
        return [entry for entry in entries if wanted.items() <= entry.items()]

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._signal(number)

    async def ended(self, seconds: float) -> int:
        """Wait for its end and return its exit code."""
        await _until(lambda: self.exit_code is not None, seconds)
        assert self.exit_code is not None
        return self.exit_code

    async def says(self, line: str) -> None:
        """Wait until it has told systemd this."""
        await _until(lambda: self._heard(line))

    async def state(self) -> State:
        """Return what the health page shows."""
        async with aiohttp.ClientSession() as client, client.get(f"http://127.0.0.1:{self.port}/healthz") as answer:
            found: State = await answer.json()
            return found

    async def until(self, condition: Callable[[State], object], seconds: float = PATIENCE) -> State:
        """Wait until the health page shows it."""
        deadline = time.monotonic() + seconds
        while not condition(state := await self.state()):
            assert time.monotonic() < deadline, f"not within {seconds:g} s; the last state was {state}"
            await asyncio.sleep(0.05)
        return state

    async def listening(self) -> State:
        """Wait until every source is there."""
        return await self.until(lambda state: all(source["up"] for source in state["sources"].values()))

    async def holds(self, readings: int, seconds: float = PATIENCE) -> State:
        """Wait until so many readings are in the spool, and every database has them."""
        return await self.until(
            lambda state: state["spool"]["readings"] >= readings and not any(state["spool"]["waiting"].values()),
            seconds,
        )

    def spooled(self) -> list[StoredPoint]:
        """Return what ``zcat`` prints of the spool, in order, read by a parser that is not the gateway's."""
        printed = subprocess.run(["zcat", *sorted(self.spool.glob("*.lp.gz"))], check=True, capture_output=True)
        assert not printed.stderr, printed.stderr
        points = []
        for outcome in line_protocol.parse(printed.stdout, default_time=0):
            assert isinstance(outcome, StoredPoint), str(outcome)
            points.append(outcome)
        return points

    def close(self) -> None:
        """End it and close the socket on which it reports."""
        self.kill()
        if self._systemd is not None:
            self._systemd.close()
            self._systemd = None

    def _command(self) -> list[str]:
        settings = (
            f'[gateway]\nid = "koper-test"\ncity = "Koper"\ndata_dir = "{self.directory / "data"}"\n'
            f'clock = "{self.clock}"\n[spool]\ncommit_interval = "{self.commit_interval}"\n{self.more}\n'
            f'[web]\nlisten = "127.0.0.1:{self.port}"\n'
        )
        self.configuration.write_text(settings + self._parts, encoding="utf-8")
        self.close()
        address = self.directory / "systemd"
        address.unlink(missing_ok=True)
        self._systemd = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._systemd.bind(str(address))
        self.notified.clear()
        return [*self.within, "/usr/bin/env", f"NOTIFY_SOCKET={address}", *self.command("run")]

    async def _answers(self) -> bool:
        return self._heard("READY=1")

    def _heard(self, line: str) -> bool:
        assert self._systemd is not None
        try:
            while True:
                self.notified += self._systemd.recv(4096).decode().split("\n")
        except BlockingIOError:
            return line in self.notified


class Stream:
    """Numbered readings of twenty stations, published with QoS 1 by a thread, each with a time of its own.

    Reading ``n`` comes from station ``n % 20`` and says ``pm25 = n / 100``. ``rate`` is readings a second.
    """

    STATIONS = 20

    def __init__(self, broker: str, rate: float = math.inf, *, username: str = "", password: str = "") -> None:
        self.rate = rate
        self.published = 0
        self._began = time.time_ns() // 1_000_000 - 3_600_000
        self._client = paho.Client(CallbackAPIVersion.VERSION2, "stream")
        self._client.max_inflight_messages_set(1000)
        if username:
            self._client.username_pw_set(username, password)
        host, _, port = broker.removeprefix("mqtt://").partition(":")
        self._client.connect(host, int(port))
        self._client.loop_start()
        self._thread = threading.Thread()
        self._last = paho.MQTTMessageInfo(0)

    def send(self, count: int) -> None:
        """Publish the next ``count`` readings in the background."""
        self._thread = threading.Thread(target=self._publish, args=(count,))
        self._thread.start()

    async def sent(self) -> None:
        """Wait until the broker has acknowledged everything."""
        await asyncio.to_thread(self._thread.join)
        await asyncio.to_thread(self._last.wait_for_publish, PATIENCE)
        assert self._last.is_published()

    def close(self) -> None:
        """Go away."""
        self._thread.join()
        self._client.disconnect()
        self._client.loop_stop()

    def truth(self) -> dict[Moment, float]:
        """Return everything published so far: moment -> pm25."""
        return {(f"s{n % self.STATIONS}", self._time(n) * 1_000_000): n / 100 for n in range(self.published)}

    def differences(self, points: Iterable[StoredPoint]) -> dict[str, int]:
        """Return how many readings are ``lost``, and how many are there too often or wrong; {} when all is right.

        ``points`` are from the spool or from a database, where each field may be a point of its own.
        """
        said: Counter[tuple[object, ...]] = Counter((*moment, pm25) for moment, pm25 in self.truth().items())
        stored: Counter[tuple[object, ...]] = Counter(
            (point.tags["sensor"], point.time, point.fields.get("pm25", point.fields.get("value")))
            for point in points
            if point.measurement == "air_quality_pm25" or "pm25" in point.fields
        )
        counts = {"lost": (said - stored).total(), "doubled or wrong": (stored - said).total()}
        return {name: count for name, count in counts.items() if count}

    def _time(self, n: int) -> int:
        return self._began + n // self.STATIONS

    def _publish(self, count: int) -> None:
        while not self._client.is_connected():
            time.sleep(0.01)
        began = time.monotonic()
        for index in range(count):
            n = self.published
            if (ahead := began + index / self.rate - time.monotonic()) > 0.002:
                time.sleep(ahead)
            payload = json.dumps({"ts": self._time(n), "pm25": n / 100})
            self._last = self._client.publish(f"stream/s{n % self.STATIONS}/air", payload, qos=1)
            self.published += 1


class Disk:
    """An ext4 image on a loop device, mounted where only `within` sees it; goes with the process that holds it."""

    def __init__(self, image: Path, mebibytes: int) -> None:
        self.image = image
        self._holder: subprocess.Popen[str] | None = None
        if not image.exists():
            with image.open("wb") as file:
                file.truncate(mebibytes << 20)
            subprocess.run(["mkfs.ext4", "-q", "-m", "0", str(image)], check=True)

    def mount(self, where: Path, options: str = "rw") -> None:
        """Mount it in a namespace of its own, on ``where``."""
        self.where = where
        where.mkdir(parents=True, exist_ok=True)
        script = 'mount -o "loop,$1" "$2" "$3" && echo mounted && exec sleep infinity'
        command = ["unshare", "-m", "--propagation", "private", "sh", "-c", script, "sh", options]
        self._holder = subprocess.Popen([*command, str(self.image), str(where)], stdout=subprocess.PIPE, text=True)
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == "mounted\n"

    @property
    def within(self) -> list[str]:
        """The beginning of a command that sees the disk."""
        assert self._holder is not None
        return [shutil.which("nsenter") or "nsenter", "-t", str(self._holder.pid), "-m", "--"]

    @property
    def path(self) -> Path:
        """Where this process sees what is mounted."""
        assert self._holder is not None
        return Path(f"/proc/{self._holder.pid}/root{self.where}")

    def run(self, *command: str) -> str:
        """Run a command that sees the disk, and return what it prints."""
        return subprocess.run([*self.within, *command], check=True, capture_output=True, text=True).stdout

    def fill(self) -> Path:
        """Write zeros until it is full to the last block; return the file that takes the room."""
        filler = self.path / "filler"
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(bytes(1024)):
                pass
        return filler

    def unmount(self) -> None:
        """Unmount it, which takes the loop device away as well; whoever uses it has ended."""
        if self._holder is not None:
            self._holder.kill()
            self._holder.communicate()
            self._holder = None


class Wire:
    """A line between the gateway and a broker, on which what the gateway says may get lost."""

    def __init__(self, port: int) -> None:
        self.deaf = False
        """What the gateway says from now on does not arrive."""
        self._port = port
        self._ends: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """Where the gateway finds the broker."""
        assert self._server is not None
        return f"mqtt://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def start(self) -> None:
        """Lay it."""
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", 0)

    def cut(self) -> None:
        """End the connections that are; new ones work, and are heard."""
        self.deaf = False
        for end in self._ends:
            end.transport.abort()

    async def close(self) -> None:
        """Take it away."""
        assert self._server is not None
        self._server.close()
        self.cut()

    async def _connect(self, gateway: asyncio.StreamReader, to_gateway: asyncio.StreamWriter) -> None:
        try:
            broker, to_broker = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            to_gateway.transport.abort()
            return
        ends = {to_gateway, to_broker}
        self._ends |= ends
        answers = asyncio.create_task(self._carry(broker, to_gateway))
        await self._carry(gateway, to_broker, may_be_deaf=True)
        await answers
        self._ends -= ends

    async def _carry(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, *, may_be_deaf: bool = False
    ) -> None:
        try:
            while data := await source.read(65536):
                if not (may_be_deaf and self.deaf):
                    target.write(data)
                    await target.drain()
        except OSError:
            pass  # cut; the other direction ends as well
        target.close()


class Rig:
    """Starts what a test asks for, in the test's own directory, and ends it with the test."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def serve(self, kind: type[Server], **options: Any) -> Server:  # noqa: ANN401 -- the server's own settings
        """Start a server; see `need` for where it is not installed."""
        package = next(package for known, package in PACKAGES.items() if issubclass(kind, known))
        self.need(kind.name, package, installed=kind.available())
        server: Server = kind(self._directory / kind.name, **options)
        await self._stack.enter_async_context(server)
        return server

    @staticmethod
    def need(program: str, package: str, *, installed: bool | None = None) -> None:
        """Skip the test, aloud, where a program is not installed; fail where CI=true, which must have it."""
        if shutil.which(program) is not None if installed is None else installed:
            return
        missing = f"{program} is not installed: sudo apt-get install {package}"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)

    async def gateway(self, *parts: str) -> Gateway:
        """Start a gateway with these parts of a configuration."""
        gateway = self.make_gateway(*parts)
        await gateway.start()
        return gateway

    def make_gateway(self, *parts: str) -> Gateway:
        """Make the same gateway, to be started by the test."""
        gateway = Gateway(self._directory / "gateway", "\n".join(parts))
        self._stack.callback(gateway.close)
        return gateway

    def disk(self, mebibytes: int, image: str = "disk.img") -> Disk:
        """Make an empty ext4 disk; see `need_root` for where that is not allowed."""
        self.need("mkfs.ext4", "e2fsprogs")
        self.need("nsenter", "util-linux")
        disk = Disk(self._directory / image, mebibytes)
        self._stack.callback(disk.unmount)
        return disk

    @staticmethod
    def need_root() -> None:
        """Skip the test, aloud, where nothing may be mounted; fail where CI=true, which must be able to."""
        command = ["unshare", "-m", "--propagation", "private", "sh", "-c", "mount -t tmpfs none /mnt && losetup -f"]
        if os.geteuid() == 0 and subprocess.run(command, check=False, capture_output=True).returncode == 0:
            return
        missing = "mounting a disk image needs root and a loop device"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)

    def stream(self, broker: str, rate: float = math.inf, **login: str) -> Stream:
        """Begin a stream; nothing is published yet."""
        stream = Stream(broker, rate, **login)
        self._stack.callback(stream.close)
        return stream

    @staticmethod
    def stream_source(url: str, **settings: str) -> str:
        """Return the source, named ``stream``, that takes a `Stream`."""
        more = "".join(f'{key} = "{value}"\n' for key, value in settings.items())
        return _STREAM.format(url=url, more=more)

    @staticmethod
    def sink(database: Influxd | VictoriaMetrics, **settings: str) -> str:
        """Return the sink for a database, named as that is."""
        if isinstance(database, Influxd):
            settings |= {"api": "v1", "database": database.database}
        else:
            settings |= {"org": "koper", "bucket": "city"}
        settings |= {"type": "influxdb", "url": database.url}
        return f"[sinks.{database.name}]\n" + "".join(f'{key} = "{value}"\n' for key, value in settings.items())

    async def wire(self, port: int) -> Wire:
        """Lay a wire to a port of this machine."""
        wire = Wire(port)
        await wire.start()
        self._stack.push_async_callback(wire.close)
        return wire


async def _until(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:g} s"
        await asyncio.sleep(0.01)


_STREAM = """[sources.stream]
type = "mqtt"
url = "{url}"
driver = "json"
topics = ["stream/+/air"]
{more}[sources.stream.options]
kind = "air_quality"
sensor = "topic:1"
time = "ts"
time_format = "ms"
fields = {{ pm25 = "pm25" }}
"""


@pytest.fixture(scope="session")
def new_rig() -> Callable[[Path], Rig]:
    return Rig


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with Rig(tmp_path) as rig:
        yield rig


@pytest.fixture
def until() -> Callable[[Callable[[], object]], Awaitable[None]]:
    return _until
