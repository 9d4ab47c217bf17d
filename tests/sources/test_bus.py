"""Three devices on one RS-485 line, an hour in simulated time: one that is dead costs its own time and no more."""

from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from itertools import pairwise
from typing import Any, cast

import pytest
import structlog

from gateway.clock import Timekeeper
from gateway.config.models import Gateway
from gateway.contract import Measurement, Reject
from gateway.health import Health
from gateway.ingest.committer import Committer
from gateway.ingest.fields import FieldEncoder
from gateway.ingest.intake import Intake, Origin
from gateway.links.line_settings import SerialSettings
from gateway.links.serial import Line
from gateway.sources.serial import SerialIngest
from gateway.sources.serial_device import SHARE, SerialDevice
from tests.support.clock import FakeClock

BEGIN = 1000.0
HOUR = 3600.0
ANSWERS_AFTER = 0.02


class Over(BaseException):
    """The simulated hour is over."""


class Decoder:
    """Asks with its own name, and takes its own name for an answer."""

    def __init__(self, name: str) -> None:
        self.name = name

    def start(self) -> Iterable[bytes]:
        return ()

    def poll(self) -> bytes:
        return self.name.encode()

    def feed(self, data: bytes, now: int) -> Iterable[Measurement | Reject]:  # noqa: ARG002 -- the contract's shape
        if data == self.name.encode():
            return [Measurement("air_quality", {"co2": 400.0})]
        return [Reject("noise", data)] if data else []

    def finish(self) -> Iterable[Reject]:
        return ()


class Bus(FakeClock):
    """A line, the devices on it that live, and the time: nothing happens but that time passes."""

    def __init__(self, alive: set[str]) -> None:
        super().__init__(up=round(BEGIN * 1e9), jumps=True)
        self.alive = alive
        self.asked: dict[str, list[float]] = {}
        self.answer: tuple[float, bytes] | None = None
        self.on_time: Callable[[float], None] = lambda _: None

    @property
    def now(self) -> float:
        return self.monotonic()

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds)
        self.on_time(self.now)
        if self.now >= BEGIN + HOUR:
            raise Over

    async def open(self) -> None:
        pass

    def close(self) -> None:
        pass

    async def shared(self) -> str:
        return ""

    async def send(self, data: bytes) -> None:
        self.asked.setdefault(data.decode(), []).append(self.now)
        self.answer = (self.now + ANSWERS_AFTER, data) if data.decode() in self.alive else None

    async def receive(self, timeout: float) -> bytes:  # noqa: ASYNC109 -- as a line has it
        at, data = self.answer or (float("inf"), b"")
        if at > self.now + timeout:
            await self.sleep(timeout)
            return b""
        self.answer = None
        await self.sleep(max(0.0, at - self.now))
        return data


@pytest.fixture
def intake(timekeeper: Timekeeper, health: Health) -> Intake:
    health.source("bus")
    return Intake(Gateway(id="koper-01", city="Koper"), {}, timekeeper=timekeeper, health=health)


@pytest.fixture
def live_an_hour(committer: Committer, intake: Intake, health: Health) -> Callable[..., Any]:
    async def live(bus: Bus, intervals: dict[str, float], answers_within: float = 0.5) -> Bus:
        devices = [
            SerialDevice(
                partial(Decoder, name), Origin("bus", FieldEncoder({}), sensor=name), interval, answers_within
            )
            for name, interval in intervals.items()
        ]
        settings = SerialSettings("/dev/bus", 9600)
        made_once = cast("Callable[[SerialSettings], Line]", lambda _: bus)
        ingest = SerialIngest(
            settings,
            devices,
            intake=intake,
            committer=committer,
            health=health.source("bus"),
            clock=bus,
            make_line=made_once,
        )
        with pytest.raises(Over):
            await ingest.run()
        return bus

    return live


@pytest.mark.parametrize("interval", [1.0, 10.0])
@pytest.mark.parametrize("dead", ["a", "b", "c"])
async def test_the_neighbours_of_a_dead_device_keep_their_schedule(
    live_an_hour: Callable[..., Any], interval: float, dead: str
) -> None:
    names = {"a", "b", "c"}
    bus = await live_an_hour(Bus(names - {dead}), dict.fromkeys(sorted(names), interval))
    for name in names - {dead}:
        times = bus.asked[name]
        assert len(times) == pytest.approx(HOUR / interval, rel=0.05)
        assert max(late - early for early, late in pairwise(times)) <= interval * 1.05 + 0.5, "one time-out, at most"
    assert 0 < len(bus.asked[dead]) * 0.5 <= HOUR * 0.05 + 3 * 0.5, "a dead device has little of the time"


@pytest.mark.parametrize("answers_within", [1.0, 3.0])
async def test_even_a_time_out_as_long_as_the_interval_leaves_the_neighbours_their_turns(
    live_an_hour: Callable[..., Any], answers_within: float
) -> None:
    bus = await live_an_hour(Bus({"a", "c"}), {"a": 1.0, "dead": 1.0, "c": 1.0}, answers_within)
    asked = Counter({name: len(times) for name, times in bus.asked.items()})
    missed = HOUR / (SHARE * answers_within) * max(0.0, answers_within - 1.0)
    for name in "ac":
        assert asked[name] + missed == pytest.approx(HOUR, rel=0.05)


async def test_with_different_intervals_each_keeps_its_own(live_an_hour: Callable[..., Any]) -> None:
    bus = await live_an_hour(Bus({"fast", "slow"}), {"fast": 2.0, "dead": 5.0, "slow": 60.0})
    assert len(bus.asked["fast"]) == pytest.approx(HOUR / 2, rel=0.05)
    assert len(bus.asked["slow"]) == pytest.approx(HOUR / 60, rel=0.05)


async def test_an_absence_is_told_once_and_so_is_the_return(live_an_hour: Callable[..., Any], health: Health) -> None:
    bus = Bus({"a"})
    problems: set[tuple[str, ...]] = set()

    def back_after_half_an_hour(now: float) -> None:
        problems.add(tuple(health.source("bus").link.problems.values()))
        if now > BEGIN + HOUR / 2:
            bus.alive.add("gone")

    bus.on_time = back_after_half_an_hour
    with structlog.testing.capture_logs() as logs:
        await live_an_hour(bus, {"a": 10.0, "gone": 10.0})
    said = [(entry["event"], entry["about"]) for entry in logs if "about" in entry]
    assert said == [("link problem", "gone"), ("link problem cleared", "gone")]
    assert problems == {(), ("gone does not answer",)}
    late = [at for at in bus.asked["gone"] if at > BEGIN + HOUR / 2]
    assert len(late) == pytest.approx(HOUR / 2 / 10, rel=0.1), "asked as often as before once it is back"


async def test_a_busy_bus_gives_everyone_a_turn(live_an_hour: Callable[..., Any]) -> None:
    names = [f"device-{number}" for number in range(32)]
    bus = await live_an_hour(Bus(set(names)), dict.fromkeys(names, 0.1))
    turns = [len(bus.asked[name]) for name in names]
    assert max(turns) - min(turns) <= 0.05 * max(turns)


async def test_a_problem_shows_on_the_health_page_while_the_link_is_up(
    live_an_hour: Callable[..., Any], health: Health
) -> None:
    await live_an_hour(Bus(set()), {"a": 10.0, "b": 10.0})
    assert "bus: a does not answer" in health.problems()
    assert "bus: b does not answer" in health.problems()
