"""Devices on a serial line, over real pseudo-terminals: heard, asked, unplugged, silent, and drowned in noise."""

import asyncio
import os
import tty
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
import structlog

from firmware_sim.patience import patience
from gateway.clock import SystemClock, Timekeeper
from gateway.config.models import Gateway
from gateway.contract import Measurement, Reject
from gateway.errors import LinkDown
from gateway.health import Health, SourceHealth
from gateway.ingest.committer import Committer
from gateway.ingest.delivery import READINGS
from gateway.ingest.fields import FieldEncoder
from gateway.ingest.intake import Intake, Origin
from gateway.links.line_settings import SerialSettings
from gateway.links.serial import Line
from gateway.sources.line_noise import BUDGET, SAMPLE
from gateway.sources.serial import SerialIngest
from gateway.sources.serial_device import SerialDevice
from tests.support.store import FakeKeeper
from tests.support.until import until


@pytest.fixture
def intake(timekeeper: Timekeeper, health: Health) -> Intake:
    health.source("line")
    return Intake(Gateway(id="koper-01", city="Koper"), {}, timekeeper=timekeeper, health=health)


class Lines:
    """A decoder of lines such as ``12.5``; it asks when it is told to, and keeps what is unfinished."""

    def __init__(self, name: str = "", asks: bytes = b"", start: Iterable[bytes] = ()) -> None:
        self.name, self.asks, self.commands = name, asks, start
        self.rest = b""
        self.fed: list[bytes] = []

    def start(self) -> Iterable[bytes]:
        return self.commands

    def poll(self) -> bytes:
        return self.asks

    def feed(self, data: bytes, now: int) -> Iterable[Measurement | Reject]:
        assert now > 0
        self.fed.append(data)
        *whole, self.rest = (self.rest + data).split(b"\n")
        return [self._one(line) for line in whole]

    def finish(self) -> Iterable[Measurement | Reject]:
        rest, self.rest = self.rest, b""
        return [self._one(rest)] if rest else []

    def _one(self, line: bytes) -> Measurement | Reject:
        if line.startswith(b"$"):
            return Reject("unsupported", line, "a sentence that is not asked for")
        try:
            return Measurement("air_quality", {"pm25": float(line)})
        except ValueError:
            return Reject("noise", line)


class BriskClock(SystemClock):
    """The machine's clock, but no sleep lasts longer than a moment."""

    async def sleep(self, seconds: float) -> None:
        await super().sleep(min(seconds, 0.02))


class Wire:
    """The far side of a pseudo-terminal."""

    def __init__(self) -> None:
        self.fd, slave = os.openpty()
        self.port = os.ttyname(slave)
        tty.setraw(slave)
        os.close(slave)
        os.set_blocking(self.fd, False)

    def says(self, data: bytes) -> None:
        os.write(self.fd, data)

    def tries_to_say(self, data: bytes) -> int:
        """Return how much of it went into a line that may be full."""
        with suppress(BlockingIOError):
            return os.write(self.fd, data)
        return 0

    def heard(self) -> bytes:
        try:
            return os.read(self.fd, 4096)
        except OSError:  # nothing yet, or nobody has opened the port yet
            return b""

    def unplug(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


@pytest.fixture
def wire() -> Iterator[Wire]:
    wire = Wire()
    yield wire
    wire.unplug()


class Serial:
    """A serial source on a wire, with the decoders it has made so far."""

    def __init__(self, wire: Wire, intake: Intake, committer: Committer, health: SourceHealth) -> None:
        self.wire, self.intake, self.committer, self.health = wire, intake, committer, health
        self.clock = SystemClock()
        self.made: list[Lines] = []
        self.devices: list[SerialDevice] = []
        self.task: asyncio.Task[None] | None = None
        self.ingest: SerialIngest

    def add(
        self,
        sensor: str,
        *,
        interval: float = 0.02,
        timeout: float = 0.02,
        patience: float = 0.0,
        **decoder: Any,  # noqa: ANN401 -- for `Lines`
    ) -> None:
        def make() -> Lines:
            self.made.append(Lines(sensor, **decoder))
            return self.made[-1]

        origin = Origin("line", FieldEncoder({}), sensor=sensor)
        self.devices.append(SerialDevice(make, origin, interval, timeout, patience))

    def make(self, port: str) -> SerialIngest:
        settings = SerialSettings(port, 9600)
        return SerialIngest(
            settings,
            self.devices,
            intake=self.intake,
            committer=self.committer,
            health=self.health,
            clock=self.clock,
        )

    def start(self) -> None:
        self.ingest = self.make(self.wire.port)
        self.task = asyncio.create_task(self.ingest.run())

    async def stop(self) -> None:
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)

    @property
    def values(self) -> list[tuple[str, float]]:
        utc = self.committer._group.lines.get(READINGS)
        lines = utc.lines if utc else []
        return [
            (line.split(b"sensor=")[1].split()[0].decode(), float(line.split(b"pm25=")[1].split(b",")[0]))
            for line in lines
        ]


@pytest.fixture
async def line(wire: Wire, intake: Intake, running: Committer, health: Health) -> AsyncIterator[Serial]:
    line = Serial(wire, intake, running, health.source("line"))
    yield line
    await line.stop()


async def test_a_device_that_talks_by_itself_is_heard_however_its_bytes_are_cut(line: Serial) -> None:
    line.add("aq-1")
    line.start()
    await until(lambda: line.health.link.up)
    said = b""
    for piece in (b"1", b".5\n2", b".5\nbad\n3.5\n"):
        line.wire.says(piece)
        said += piece
        await until(partial(_has_heard, line, said))
    await until(lambda: line.values == [("aq-1", 1.5), ("aq-1", 2.5), ("aq-1", 3.5)])
    assert (line.health.readings, line.health.rejects["noise"]) == (3, 1)


async def test_a_serial_reading_beyond_the_bound_is_refused_and_counted(line: Serial, health: Health) -> None:
    line.committer.most_lines = 3
    line.add("aq-1")
    line.start()
    await until(lambda: line.health.link.up)
    line.wire.says(b"1\n2\n3\n4\n5\n")
    await until(lambda: health.refused == 2)
    assert line.values == [("aq-1", 1), ("aq-1", 2), ("aq-1", 3)]
    assert line.health.readings == 3, "what is refused is no reading, and nobody who watches live sees it"
    assert health.refusals["serial_refused"].sensors == {"aq-1"}


async def test_a_sound_frame_that_the_driver_cannot_use_is_kept_and_noise_is_only_counted(
    line: Serial, keeper: FakeKeeper
) -> None:
    line.add("aq-1")
    line.start()
    await until(lambda: line.health.link.up)
    line.wire.says(b"1\n$GSV\nnoise\n")
    await until(lambda: line.health.rejects.total() == 2)
    line.committer.hurry()
    await until(lambda: keeper.refusals)
    (refusal,) = keeper.refusals
    assert (refusal.source, refusal.topic, refusal.device) == ("line", line.wire.port, "aq-1")
    assert (refusal.raw, refusal.reason) == (b"$GSV", "unsupported")
    assert refusal.words == "a sentence that is not asked for"
    assert line.health.refused == 1
    assert [one.topic for one in line.health.last_rejects] == ["aq-1", "aq-1"]


def _has_heard(line: Serial, said: bytes) -> bool:
    return b"".join(line.made[0].fed) == said


async def test_start_commands_go_out_one_by_one_and_answers_to_them_are_heard(line: Serial) -> None:
    line.add("aq-1", start=[b"wake\n", b"mode\n"])
    line.start()
    heard = b""

    def woken() -> bool:
        nonlocal heard
        heard += line.wire.heard()
        return heard == b"wake\n"

    await until(woken)
    line.wire.says(b"1\n")
    await until(lambda: line.values == [("aq-1", 1)])
    heard = b""

    def told() -> bool:
        nonlocal heard
        heard += line.wire.heard()
        return heard == b"mode\n"

    await until(told)


async def test_a_device_that_is_asked_is_asked_every_interval(line: Serial) -> None:
    line.add("aq-1", asks=b"?")
    line.start()
    heard = b""

    def asked() -> bool:
        nonlocal heard
        heard += line.wire.heard()
        return heard.count(b"?") >= 3

    await until(asked)
    assert set(heard) == {ord("?")}


async def test_a_quiet_device_is_told_that_time_passes(line: Serial) -> None:
    line.add("aq-1")
    line.start()
    await until(lambda: bool(line.made) and line.made[0].fed.count(b"") >= 2)


async def test_on_a_bus_each_answer_goes_to_the_one_that_was_asked(line: Serial) -> None:
    line.add("first", asks=b"a", timeout=patience(), interval=0.2)
    line.add("second", asks=b"b", timeout=patience(), interval=0.2)
    line.start()
    answers = {b"a": b"1\n", b"b": b"2\n"}

    def answered() -> bool:
        line.wire.says(answers.get(line.wire.heard(), b""))
        return len(line.values) >= 6

    await until(answered)
    assert line.values[:6] == [("first", 1), ("second", 2)] * 3


async def test_a_dead_device_on_a_bus_costs_its_own_turn_only(line: Serial) -> None:
    line.add("dead", asks=b"a", timeout=0.01)
    line.add("alive", asks=b"b", timeout=patience())
    line.start()

    def answered() -> bool:
        line.wire.says(b"2\n" if b"b" in line.wire.heard() else b"")
        return len(line.values) >= 3

    await until(answered)
    assert {name for name, _ in line.values} == {"alive"}


async def test_a_late_answer_on_a_bus_is_nobodys(line: Serial) -> None:
    line.add("slow", asks=b"a", timeout=0.01, interval=1.0)
    line.add("second", asks=b"b", timeout=patience(), interval=1.0)
    line.start()

    def second_answered(times: int) -> bool:
        line.wire.says(b"2\n" if b"b" in line.wire.heard() else b"")
        return len(line.values) >= times

    await until(lambda: second_answered(1))
    line.wire.says(b"99\n")  # between two turns
    await until(lambda: second_answered(3))
    assert {value for _, value in line.values} == {2}


async def test_an_unplug_in_mid_frame_ends_the_run_and_the_next_run_begins_afresh(line: Serial, wire: Wire) -> None:
    line.add("aq-1")
    line.start()
    await until(lambda: line.health.link.up)
    wire.says(b"12,")
    await until(lambda: line.made[0].rest == b"12,")
    wire.unplug()
    assert line.task is not None
    with pytest.raises(LinkDown, match="unplugged"):
        await asyncio.wait_for(line.task, patience())
    line.wire = Wire()
    line.start()
    await until(lambda: len(line.made) == 2)
    line.wire.says(b"5\n")
    await until(lambda: line.values == [("aq-1", 5)])
    await line.stop()
    line.wire.unplug()


async def test_what_a_decoder_still_holds_is_passed_on_when_the_device_is_unplugged(line: Serial, wire: Wire) -> None:
    line.add("radar-1")
    line.start()
    await until(lambda: line.health.link.up)
    wire.says(b"7")
    await until(lambda: line.made[0].rest == b"7")
    wire.unplug()
    assert line.task is not None
    with pytest.raises(LinkDown, match="unplugged"):
        await asyncio.wait_for(line.task, patience())
    assert line.values == [("radar-1", 7)]


async def test_what_a_decoder_still_holds_is_passed_on_when_the_daemon_stops(line: Serial) -> None:
    line.add("aq-1")
    line.start()
    await until(lambda: line.health.link.up)
    line.wire.says(b"7")
    await until(lambda: line.made[0].rest == b"7")
    await line.stop()
    line.ingest.finish()
    line.ingest.finish()
    assert line.values == [("aq-1", 7)]


async def test_finishing_a_line_that_never_opened_is_no_error(line: Serial) -> None:
    line.add("aq-1")
    line.make("/dev/none").finish()
    assert line.values == []


# a device that forgot its mode


async def test_a_device_that_falls_silent_is_started_anew_and_what_was_held_is_kept(line: Serial) -> None:
    line.add("aq-1", start=[b"wake\n"], patience=0.5)
    with structlog.testing.capture_logs() as logs:
        line.start()
        await until(lambda: line.wire.heard() == b"wake\n")
        line.wire.says(b"1\n2")
        await until(lambda: line.values == [("aq-1", 1)])
        await until(lambda: line.wire.heard() == b"wake\n")
        assert line.values == [("aq-1", 1), ("aq-1", 2)]
        assert line.health.link.problems == {"aq-1": "aq-1 is silent for more than 0.5 s, and was started anew"}
        for _ in range(3):  # again and again, and told once
            await until(lambda: line.wire.heard() == b"wake\n")
        line.wire.says(b"3\n")
        await until(lambda: not line.health.link.problems)
    said = [entry["event"] for entry in logs if entry["event"] in {"link problem", "link problem cleared"}]
    assert said == ["link problem", "link problem cleared"]
    assert line.values[-1] == ("aq-1", 3)


async def test_who_else_reads_the_port_of_a_silent_device_is_named(
    line: Serial, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def shared(_: Line) -> str:
        return "it is also open in agetty (pid 312)"

    monkeypatch.setattr(Line, "shared", shared)
    line.add("aq-1", patience=0.05)
    line.start()
    await until(lambda: bool(line.health.link.problems))
    assert line.health.link.problems["aq-1"].endswith("started anew; it is also open in agetty (pid 312)")


async def test_a_device_that_may_be_silent_is_left_alone(line: Serial) -> None:
    line.add("aq-1", start=[b"wake\n"], patience=0.0)
    line.start()
    await until(lambda: bool(line.made) and line.made[0].fed.count(b"") >= 10)
    assert line.wire.heard() == b"wake\n"
    assert len(line.made) == 1


async def test_bytes_that_a_decoder_takes_without_a_word_are_a_sign_of_life(line: Serial) -> None:
    line.add("aq-1", patience=0.5)
    line.start()
    await until(lambda: line.health.link.up)

    def a_long_line() -> bool:
        line.wire.says(b"1")
        return len(line.made[0].rest) > 200

    await until(a_long_line)
    assert len(line.made) == 1


# noise


async def test_a_flood_of_noise_is_sampled_told_once_and_sense_is_found_again(line: Serial) -> None:
    line.clock = BriskClock()
    line.add("aq-1", interval=3600)
    sent = 0

    def flood_until(condition: Callable[[], bool]) -> Callable[[], bool]:
        def flooded() -> bool:
            nonlocal sent
            sent += line.wire.tries_to_say(b"?\n" * 1024)
            return condition()

        return flooded

    with structlog.testing.capture_logs() as logs:
        line.start()
        await until(lambda: bool(line.made))
        await until(flood_until(lambda: bool(line.health.link.problems)))
        assert line.health.link.problems == {line.wire.port: "noise only: wrong baud rate or wiring?"}
        looked_at = line.health.messages
        fed = len(line.made[0].fed)

        await until(flood_until(lambda: line.health.messages >= looked_at + 10))
        sampled = line.made[0].fed[fed:]
        assert all(len(piece) <= SAMPLE for piece in sampled)
        assert sum(map(len, sampled)) < sent - BUDGET, "most of the noise costs nothing"

        await until(lambda: bool(line.wire.tries_to_say(b"1.5\n")) and not line.health.link.problems)
        line.wire.says(b"2.5\n")
        await until(lambda: line.values[-1:] == [("aq-1", 2.5)])
    said = [(entry["event"], entry["about"]) for entry in logs if "about" in entry]
    assert said == [("link problem", line.wire.port), ("link problem cleared", line.wire.port)]


async def test_an_unplug_in_the_middle_of_noise_ends_the_run(line: Serial) -> None:
    line.clock = BriskClock()
    line.add("aq-1")
    line.start()
    await until(lambda: bool(line.made))

    await until(lambda: bool(line.wire.tries_to_say(b"?\n" * 1024)) and bool(line.health.link.problems))
    line.wire.unplug()
    assert line.task is not None
    with pytest.raises(LinkDown, match="unplugged"):
        await asyncio.wait_for(line.task, patience())
