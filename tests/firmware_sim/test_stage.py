"""Stations on a stage: when they measure, and what their clocks show."""

import asyncio
import time
from itertools import pairwise

from firmware_sim.bench.publisher import Publisher
from firmware_sim.bench.stage import Stage
from firmware_sim.devices.json_station import JsonStation
from firmware_sim.parts.twin import Message
from firmware_sim.truth.ledger import Truth
from tests.support.until import until

NOON = 1_721_381_655_775_000_000


class Everybody(Publisher):
    """A broker that is always there."""

    def __init__(self) -> None:
        super().__init__("mqtt://nowhere", "nobody")

    async def run(self, messages: asyncio.Queue[Message]) -> None:
        while True:
            (await messages.get()).heard(True)
            messages.task_done()


async def play(epoch: int | None = None) -> list[int]:
    """Return the times of a station's first readings, one every ten seconds of its own."""
    truth = Truth()
    stage = Stage([], [JsonStation("air", truth, "seed")], Everybody(), rate=1000.0, epoch=epoch)
    async with stage:
        await until(lambda: len(truth) >= 20)
        assert await stage.stop_measuring()
        known = len(truth)
        await asyncio.sleep(0.02)  # the silence itself, as long as two readings
        assert len(truth) == known
    return [taken.time or 0 for taken in truth][:20]


async def test_with_an_epoch_a_station_measures_exactly_when_it_is_due_however_late_we_are() -> None:
    times = await play(epoch=NOON)
    first = times[0]
    assert NOON <= first < NOON + 10_000_000_000
    assert times == [first + 10_000_000_000 * number for number in range(20)]
    assert await play(epoch=NOON) == times


async def test_without_one_its_clock_is_right() -> None:
    began = time.time_ns() // 1_000_000 * 1_000_000
    times = await play()
    assert began <= times[0] < times[-1] <= time.time_ns()


class Chatterbox:
    """A device that always has something to say."""

    def __init__(self) -> None:
        self.times: list[int] = []

    def tick(self, now: float, time: int) -> list[Message]:
        del now
        self.times.append(time)
        return []

    def due(self) -> float:
        return 0.0

    def stop(self) -> None:
        pass


async def test_two_words_of_a_station_are_never_in_one_millisecond() -> None:
    station = Chatterbox()
    async with Stage([], [station], Everybody()):
        await until(lambda: len(station.times) >= 20)
    assert min(later - earlier for earlier, later in pairwise(station.times)) >= 1_000_000
