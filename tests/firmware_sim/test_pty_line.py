"""A twin behind a real pseudo terminal, with a host that uses nothing but system calls."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import pytest

from firmware_sim.bench.pty_line import SerialLine
from firmware_sim.devices.ops243 import Modes, Ops243
from firmware_sim.devices.sds011 import Sds011
from firmware_sim.parts.street import Street
from firmware_sim.truth.ledger import Truth
from tests.support.until import until

FIRMWARE = bytes.fromhex("aab407000000000000000000000000ffff05ab")
QUERY_MODE = bytes.fromhex("aab402010100000000000000000000ffff02ab")
READ = bytes.fromhex("aab404000000000000000000000000ffff02ab")
RATE = 50.0
"""Reports a second, so that nothing takes long."""


class Host(Protocol):
    def send(self, data: bytes) -> None: ...
    def read(self, size: int = 4096) -> bytes: ...
    async def take(self, size: int) -> bytes: ...
    def gone(self) -> bool: ...
    def close(self) -> None: ...


OpenHost = Callable[[Path], Host]


class Rig:
    """A dust sensor on a line."""

    def __init__(self, directory: Path) -> None:
        self.truth = Truth()
        self.twin = Sds011("aq-1", self.truth, "seed", bytes.fromhex("a160"))
        self.line = SerialLine(self.twin, directory / "ttyAQ0", rate=RATE)

    def pairs(self) -> list[tuple[float, float]]:
        return [(float(taken.fields["pm25"]), float(taken.fields["pm10"])) for taken in self.truth]


def readings(data: bytes) -> list[tuple[float, float]]:
    """Cut a stream of whole measurement frames into what they say."""
    assert len(data) % 10 == 0
    frames = [data[at : at + 10] for at in range(0, len(data), 10)]
    assert all(frame[:2] == b"\xaa\xc0" for frame in frames)
    return [(int.from_bytes(f[2:4], "little") / 10, int.from_bytes(f[4:6], "little") / 10) for f in frames]


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


async def test_what_the_host_read_is_what_the_ledger_holds(rig: Rig, open_host: OpenHost) -> None:
    async with rig.line:
        host = open_host(rig.line.path)
        heard = readings(await host.take(200))
        rig.twin.stop()
        heard += readings(host.read())
        await rig.line.silent()
        assert rig.pairs() == heard
        assert len(heard) >= 20
        assert all(taken.certain for taken in rig.truth)


async def test_nothing_counts_while_nobody_listens(rig: Rig, open_host: OpenHost) -> None:
    async with rig.line:
        await until(lambda: rig.line.lost_frames >= 10)
        assert len(rig.truth) == 0
        host = open_host(rig.line.path)
        heard = readings(await host.take(50))
        await until(lambda: len(rig.truth) >= 5)
        assert rig.pairs()[:5] == heard


async def test_a_host_that_opens_but_does_not_read_hears_nothing(rig: Rig, open_host: OpenHost) -> None:
    async with rig.line:
        host = open_host(rig.line.path)
        host.send(FIRMWARE)
        await until(lambda: rig.line._written > 100)
        assert len(rig.truth) == 0
        host.close()
        await until(lambda: not rig.line.open)
    assert len(rig.truth) == 0


async def test_a_line_that_nobody_reads_fills_up_and_no_frame_is_cut(tmp_path: Path, open_host: OpenHost) -> None:
    truth = Truth()
    twin = Sds011("aq-1", truth, "seed")
    async with SerialLine(twin, tmp_path / "ttyAQ0", rate=1000.0) as line:
        host = open_host(line.path)
        host.send(QUERY_MODE)
        await until(lambda: twin.query_mode)
        for _ in range(400):
            line._say(twin.receive(READ, line._now()))
        assert line.lost_frames > 100
        answer = await host.take(10)
        assert answer[:3] == b"\xaa\xc5\x02"
        heard = readings(host.read(10_000))
        await until(lambda: not line._waiting)
        assert len(heard) == len(truth) == (2048 - 10) // 10


async def test_commands_are_answered_over_the_line_even_before_any_report(rig: Rig, open_host: OpenHost) -> None:
    rig.twin.query_mode = True
    async with rig.line:
        host = open_host(rig.line.path)
        host.send(FIRMWARE)
        assert await host.take(10) == bytes.fromhex("aac507120b10a16035ab")


async def test_what_a_host_had_not_read_when_it_closed_is_lost_and_does_not_wait_for_the_next_one(
    rig: Rig, open_host: OpenHost
) -> None:
    rig.twin.query_mode = True
    async with rig.line:
        first = open_host(rig.line.path)
        first.send(READ + READ + READ)
        await until(lambda: rig.line._written == 30)
        heard = readings(await first.take(10))
        await until(lambda: len(rig.truth) == 1)
        first.close()
        await until(lambda: not rig.line.open)
        second = open_host(rig.line.path)
        second.send(READ)
        heard += readings(await second.take(10))
        await until(lambda: len(rig.truth) == 2)
        assert rig.pairs() == heard
        assert rig.line.lost_frames == 2


async def test_a_restarted_host_is_heard_again_at_the_same_path(rig: Rig, open_host: OpenHost) -> None:
    async with rig.line:
        for round_ in range(1, 4):
            host = open_host(rig.line.path)
            await host.take(30)
            await until(lambda: rig.line.open)
            host.close()
            await until(lambda: not rig.line.open)
            assert len(rig.truth) >= 3 * round_ - 3


async def test_unplugging_ends_the_line_under_the_host_and_replugging_brings_it_back(
    rig: Rig, open_host: OpenHost
) -> None:
    async with rig.line:
        host = open_host(rig.line.path)
        heard = readings(await host.take(50))
        await until(lambda: len(rig.truth) >= 5)
        rig.line.unplug()
        assert not rig.line.plugged
        assert not rig.line.path.is_symlink()
        await until(host.gone)
        host.close()
        rig.line.unplug()  # pulling twice is harmless
        taken_before = len(rig.truth)

        rig.line.plug()
        again = open_host(rig.line.path)
        heard_again = readings(await again.take(30))
        await until(lambda: len(rig.truth) >= taken_before + 3)
        assert rig.pairs()[:5] == heard
        assert rig.pairs()[taken_before : taken_before + 3] == heard_again


async def test_replugging_is_a_power_cycle(tmp_path: Path, open_host: OpenHost) -> None:
    radar = Ops243("radar-1", Truth(), Street("seed", headway=1e9))
    async with SerialLine(radar, tmp_path / "ttyRD0") as line:
        host = open_host(line.path)
        host.send(b"UK")
        assert await host.take(23) == b'{"Units":"km-per-hr"}\r\n'
        line.unplug()
        host.close()
        line.plug()
        host = open_host(line.path)
        host.send(b"U?")
        answer = await host.take(23)
        assert b"km-per-hr" not in answer


async def test_a_reboot_leaves_the_line_open_and_the_device_greets(tmp_path: Path, open_host: OpenHost) -> None:
    radar = Ops243("radar-1", Truth(), Street("seed", headway=1e9))
    async with SerialLine(radar, tmp_path / "ttyRD0") as line:
        host = open_host(line.path)
        host.send(b"UK")
        await host.take(23)
        line.reboot()
        assert await host.take(37) == b"OmniPreSense OPS243-A Doppler Radar\r\n"
        assert line.open
    assert radar.modes == Modes()


async def test_what_was_written_at_the_moment_of_unplugging_is_uncertain_or_lost(
    rig: Rig, open_host: OpenHost
) -> None:
    rig.twin.query_mode = True
    async with rig.line:
        host = open_host(rig.line.path)
        host.send(READ + READ)
        await host.take(20)
        rig.line._say(rig.twin.receive(READ, rig.line._now()))
        rig.line.unplug()
        await until(host.gone)
    assert sum(taken.certain for taken in rig.truth) <= 2


async def test_two_lines_on_the_same_seed_say_the_same_bytes(tmp_path: Path, open_host: OpenHost) -> None:
    said = []
    for name in ("a", "b"):
        twin = Sds011("aq-1", Truth(), "seed")
        twin.query_mode = True
        async with SerialLine(twin, tmp_path / name) as line:
            host = open_host(line.path)
            host.send(READ * 10)
            said.append(await host.take(100))
    assert said[0] == said[1]


async def test_a_fault_in_a_twin_is_raised_where_its_line_ends(tmp_path: Path) -> None:
    class Broken(Sds011):
        def due(self) -> float:
            raise ArithmeticError("a mistake in a twin")

    line = SerialLine(Broken("aq-1", Truth(), "seed"), tmp_path / "ttyAQ0")
    await line.__aenter__()
    assert line._task is not None
    task = line._task
    await until(task.done)
    with pytest.raises(ArithmeticError, match="a mistake in a twin"):
        await line.__aexit__(None, None, None)
    assert not line.plugged


async def test_plugging_and_unplugging_leaves_no_descriptor_open(rig: Rig, open_host: OpenHost) -> None:
    before = _open_descriptors()
    async with rig.line:
        for _ in range(5):
            host = open_host(rig.line.path)
            host.send(FIRMWARE)
            await until(lambda: rig.line.open)
            rig.line.unplug()
            host.close()
            assert _open_descriptors() == before
            rig.line.plug()
    assert _open_descriptors() == before


def _open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))
