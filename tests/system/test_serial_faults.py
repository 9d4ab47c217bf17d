"""What happens to serial lines in a street cabinet, to the real daemon: twins on real pseudo-terminals."""

import asyncio
import os
import shutil
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

from firmware_sim.bench.pty_line import SerialLine
from firmware_sim.devices.sds011 import Sds011
from firmware_sim.devices.senseair_s8 import SenseairS8
from firmware_sim.parts.twin import NEVER, Frame
from firmware_sim.truth.ledger import Truth
from tests.support.requirements import OWN_MOUNTS, require_own_mounts
from tests.support.until import until
from tests.system.conftest import Gateway, Rig

pytestmark = pytest.mark.system


AIR = '[sources.air]\ntype = "serial"\nport = "{port}"\ndriver = "sds011"\nsensor = "aq-1"\n{more}\n'
QUIET = "noise only: wrong baud rate or wiring?"


def air(port: object, more: str = "") -> str:
    return AIR.format(port=port, more=more)


def dust(seed: str = "dust") -> Sds011:
    return Sds011("aq-1", Truth(), seed)


async def readings(gateway: Gateway, more_than: int = 0) -> int:
    """Wait until the source has given more readings than that; return how many."""
    state = await gateway.until(lambda state: state["sources"]["air"]["readings"] > more_than)
    return int(state["sources"]["air"]["readings"])


class FakeUsb:
    """A /dev and a /sys/class/tty of the daemon's own, in which adapters come and go."""

    def __init__(self, directory: Path) -> None:
        self._dev = directory / "dev"
        self._tty = directory / "tty"
        self._devices = directory / "devices"
        for made in (self._dev / "pts", self._dev / "shm", self._tty, self._devices):
            made.mkdir(parents=True)
        for name in ("null", "zero", "random", "urandom", "tty"):
            (self._dev / name).touch()

    def plug(self, name: str, terminal: Path, *, product: str = "7523", socket: str = "1-1.2") -> None:
        """Let an adapter appear as ``/dev/NAME``, as usb-serial drivers make it appear."""
        device = self._devices / f"{name}-{socket}" / socket
        port = device / f"{socket}:1.0" / name
        port.mkdir(parents=True)
        for file, content in {"idVendor": "1a86", "idProduct": product, "bNumInterfaces": " 1"}.items():
            (device / file).write_text(content + "\n")
        (self._devices / "usb-serial").mkdir(exist_ok=True)
        (port / "subsystem").symlink_to(self._devices / "usb-serial")
        (self._tty / name).mkdir()
        (self._tty / name / "device").symlink_to(port)
        (self._dev / name).symlink_to(terminal.readlink())

    def unplug(self, name: str) -> None:
        """Take it away."""
        (self._dev / name).unlink()
        shutil.rmtree(self._tty / name)
        for device in self._devices.glob(f"{name}-*"):
            shutil.rmtree(device)

    def within(self) -> list[str]:
        """Return the command that runs another with these directories."""
        files = " ".join(
            f"&& mount --bind /dev/{name} $1/{name}" for name in ("null", "zero", "random", "urandom", "tty")
        )
        script = f"mount --rbind /dev/pts $1/pts {files} && mount --rbind $1 /dev "
        script += '&& mount --bind "$2" /sys/class/tty && shift 2 && exec "$@"'
        return [
            *OWN_MOUNTS,
            *["sh", "-c", script, "sh", str(self._dev), str(self._tty)],
        ]


async def test_a_sensor_that_comes_back_under_another_name_is_found_by_its_usb_identity(
    rig: Rig, tmp_path: Path
) -> None:
    require_own_mounts()
    usb = FakeUsb(tmp_path / "usb")
    async with SerialLine(dust(), tmp_path / "terminal") as line, SerialLine(dust("b"), tmp_path / "other") as other:
        usb.plug("ttyUSB0", line.path)
        gateway = rig.make_gateway(air("usb:1a86:7523"))
        gateway.within = usb.within()
        await gateway.start()
        before = await readings(gateway)
        usb.unplug("ttyUSB0")
        line.unplug()
        usb.plug("ttyUSB1", other.path, product="55d3", socket="1-1.3")  # something else in another socket
        there = "not plugged in; there is: /dev/ttyUSB1 is usb:1a86:55d3@1-1.3"
        state = await gateway.until(lambda state: there in state["sources"]["air"]["problem"])
        assert f"air: usb:1a86:7523: {there}" in state["problems"]
        line.plug()
        usb.plug("ttyUSB7", line.path)
        await readings(gateway, before)
        said = [(entry["event"], entry.get("problem", "")) for entry in gateway.logged(link="air")]
    # Each word on what else is plugged in is a line of its own: there were some while it was away.
    assert [event for event, _ in said if event == "link up"] == ["link up"] * 2
    assert 2 <= len(said) - 2 <= 3
    assert "the device is gone" in said[1][1]


async def test_a_port_that_another_program_holds_names_it_and_is_taken_when_it_is_free(
    rig: Rig, tmp_path: Path
) -> None:
    async with SerialLine(dust(), tmp_path / "ttyAQ") as line:
        code = (
            "import serial, sys; p = serial.Serial(sys.argv[1], exclusive=True); print('mine', flush=True); input()"
        )
        command = [sys.executable, "-c", code, str(line.path)]
        holder = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        try:
            assert holder.stdout is not None
            assert await holder.stdout.readline() == b"mine\n"
            gateway = await rig.gateway(air(line.path))
            state = await gateway.until(lambda state: f"(pid {holder.pid})" in state["sources"]["air"]["problem"])
            (problem,) = [problem for problem in state["problems"] if problem.startswith("air: ")]
            assert f"{line.path}: held by python" in problem
        finally:
            await holder.communicate(b"\n")
        await readings(gateway)


@pytest.fixture
def flood() -> "Iterator[Flood]":
    flood = Flood()
    yield flood
    flood.close()


class Flood:
    """A terminal on which somebody talks nonsense as fast as it goes, until he is told to talk sense."""

    def __init__(self) -> None:
        self._master, slave = os.openpty()
        self.port = os.ttyname(slave)
        os.close(slave)
        self.written = 0
        self.sensible = False
        self._over = False
        self._thread = threading.Thread(target=self._talk)
        self._thread.start()

    def close(self) -> None:
        self._over = True
        self._thread.join()
        os.close(self._master)

    def _talk(self) -> None:
        noise, number = Random(7).randbytes(65536), 0  # noqa: S311 -- the same bytes each time
        os.set_blocking(self._master, False)
        while not self._over:
            with suppress(BlockingIOError, OSError):
                if self.sensible:
                    body = bytes([100 + number % 100, 0, 200, 0, 1, 2])
                    number += 1
                    os.write(self._master, b"\xaa\xc0" + body + bytes([sum(body) & 0xFF]) + b"\xab")
                    time.sleep(0.01)  # the pace at which it talks
                    continue
                self.written += os.write(self._master, noise[: 1 + number % 65536])
                number += 4099
                continue
            time.sleep(0.002)  # the line is full


def cpu_seconds(pid: int) -> float:
    """Return what a process has used of the processor."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def test_a_flood_of_noise_costs_little_is_told_once_and_sense_is_heard_again(rig: Rig, flood: Flood) -> None:
    gateway = await rig.gateway(air(flood.port))
    state = await gateway.until(lambda state: any(QUIET in problem for problem in state["problems"]))
    assert f"air: {QUIET}" in state["problems"]
    used, began, looked_at = cpu_seconds(gateway.pid), time.monotonic(), state["sources"]["air"]["messages"]
    await gateway.until(lambda state: state["sources"]["air"]["messages"] >= looked_at + 5)
    # A line that is read without end takes a whole processor; this is no measurement, only far from that.
    assert cpu_seconds(gateway.pid) - used < (time.monotonic() - began) / 2
    flood.sensible = True
    await gateway.until(lambda state: state["sources"]["air"]["readings"] > 10)
    state = await gateway.state()
    assert not any(QUIET in problem for problem in state["problems"])
    assert [entry["problem"] for entry in gateway.logged(event="link problem")] == [QUIET]
    assert len(gateway.logged(event="link problem cleared")) == 1


async def test_a_sensor_that_forgot_its_mode_is_told_again(rig: Rig, tmp_path: Path) -> None:
    twin = dust()
    async with SerialLine(twin, tmp_path / "ttyAQ") as line:
        gateway = await rig.gateway(air(line.path, 'restart_after = "10s"'))
        # It reports as soon as the line is open; the firmware is its answer to the last of the commands at the start.
        await until(lambda: any("firmware_version" in point.fields for point in gateway.spooled()))
        before = await readings(gateway)
        twin.query_mode = True  # as after a power cut that reset it: it waits to be asked
        await until(lambda: gateway.logged(event="link problem cleared"))
        await readings(gateway, before + 1)
        assert not twin.query_mode
        (told,) = gateway.logged(event="link problem")
        assert told["problem"] == "aq-1 is silent for more than 10 s, and was started anew"


async def test_a_frame_that_breaks_off_costs_itself_only(rig: Rig, tmp_path: Path) -> None:
    twin = dust()
    twin.faults.torn = 0.5
    async with SerialLine(twin, tmp_path / "ttyAQ", rate=20) as line:
        gateway = await rig.gateway(air(line.path))
        await gateway.until(lambda state: state["sources"]["air"]["readings"] >= 20)
        twin.stop()
        await line.silent()
        taken = [entry.fields["pm25"] for entry in twin._truth if entry.kind == "air_quality" and entry.certain]
        await gateway.stop()
    stored = [point.fields["pm25"] for point in gateway.spooled() if "pm25" in point.fields]
    assert not Counter(taken) - Counter(stored)


class Rs485:
    """Three sensors on one pair of wires; ``dead`` ones hear nothing."""

    def __init__(self, *sensors: SenseairS8) -> None:
        self.sensors = sensors
        self.dead: set[str] = set()

    def receive(self, data: bytes, now: float) -> list[Frame]:
        alive = (sensor for sensor in self.sensors if sensor.name not in self.dead)
        return [frame for sensor in alive for frame in sensor.receive(data, now)]

    def tick(self, now: float) -> list[Frame]:
        return [frame for sensor in self.sensors for frame in sensor.tick(now)]

    def due(self) -> float:
        return NEVER

    def power_cycle(self, now: float) -> None:
        for sensor in self.sensors:
            sensor.power_cycle(now)

    def stop(self) -> None:
        for sensor in self.sensors:
            sensor.stop()

    def quiet(self) -> bool:
        return all(sensor.quiet() for sensor in self.sensors)


BUS = """[sources.bus]
type = "serial"
port = "{port}"
devices = [
  {{ driver = "senseair_s8", address = 1, sensor = "co2-1", interval = "100ms", timeout = "5s" }},
  {{ driver = "senseair_s8", address = 2, sensor = "co2-2", interval = "1s", timeout = "500ms" }},
  {{ driver = "senseair_s8", address = 3, sensor = "co2-3", interval = "800ms", timeout = "5s" }},
]
"""
"""Who answers has time for it also on a loaded machine; the dead one's turn is short."""


async def test_a_dead_sensor_on_a_bus_is_told_once_and_its_neighbours_go_on(rig: Rig, tmp_path: Path) -> None:
    bus = Rs485(*(SenseairS8(f"co2-{address}", Truth(), f"s8-{address}", address) for address in (1, 2, 3)))
    bus.dead.add("co2-2")
    async with SerialLine(bus, tmp_path / "ttyRS485", rate=20) as line:
        gateway = await rig.gateway(BUS.format(port=line.path))
        state = await gateway.until(lambda state: "bus: co2-2 does not answer" in state["problems"])
        assert not [problem for problem in state["problems"] if "co2-1" in problem or "co2-3" in problem]
        before = state["sources"]["bus"]["readings"]
        await gateway.until(lambda state: state["sources"]["bus"]["readings"] >= before + 100)
        bus.dead.clear()
        state = await gateway.until(lambda state: not any("co2-2" in problem for problem in state["problems"]))
        assert [entry["about"] for entry in gateway.logged(event="link problem")] == ["co2-2"]
        assert [entry["about"] for entry in gateway.logged(event="link problem cleared")] == ["co2-2"]
        await gateway.stop()
    asked = Counter(point.tags["sensor"] for point in gateway.spooled() if "co2" in point.fields)
    assert asked["co2-1"] > 2 * asked["co2-3"] > 20, "by the clock one is asked eight times as often as the other"
