"""Drivers of radars beside the road and of traffic controllers against the simulated devices."""

from collections import Counter
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import drivers
from firmware_sim.bench.pty_line import SerialLine
from firmware_sim.devices.natch import BORN, Natch
from firmware_sim.devices.wavetronix_ss105 import WavetronixSs105
from firmware_sim.devices.wavetronix_ss125 import WavetronixSs125
from firmware_sim.parts.twin import Frame
from firmware_sim.truth.ledger import Truth
from gateway.contract import Measurement, Quality, Reject
from gateway.links.serial import Line, SerialSettings

Options = Mapping[str, Any]
Make = Callable[[Truth], Any]

PAIRS: dict[str, tuple[str, Options, Make]] = {
    "ss125": ("wavetronix_ss125", {"address": 7}, lambda truth: WavetronixSs125("x", truth, "seed", 7)),
    "ss125, each vehicle": (
        "wavetronix_ss125",
        {"data": "events"},
        lambda truth: WavetronixSs125("x", truth, "seed"),
    ),
    "ss105": ("wavetronix_ss105", {}, lambda truth: WavetronixSs105("x", truth, "seed")),
    "natch": ("natch", {}, lambda truth: Natch("x", truth, "seed")),
}
INTERVALS = ("ss125", "ss105")
EVENTS = ("ss125, each vehicle", "natch")
LET_THROUGH = 3
"""A CRC of eight bits lets one damaged frame in 256 through."""

Vehicles = Counter[tuple[str, object, object]]


class Talk:
    """A decoder and a twin at the two ends of a wire; time goes in tenths of a second."""

    def __init__(self, pair: str, **options: object) -> None:
        driver, given, make = PAIRS[pair]
        found = drivers.load(driver)
        decoder: Any = found.decoder(found.options.model_validate({**given, **options}))
        self.decoder = decoder
        self.truth = Truth()
        self.twin = make(self.truth)
        self.every = 5 if pair in EVENTS else 50
        self.step = 0
        self.said: list[Measurement | Reject] = []
        for command in self.decoder.start():
            self._hear(self.twin.receive(command, 0.0))

    @property
    def now(self) -> float:
        return self.step / 10

    def go_on(self, seconds: int) -> None:
        for _ in range(seconds * 10):
            self.step += 1
            if self.step % self.every == 0:
                question = self.decoder.poll()
                self._hear(self.twin.receive(question, self.now) if question else [Frame(b"")])
            self._hear(self.twin.tick(self.now))

    def _hear(self, frames: list[Frame]) -> None:
        for frame in frames:
            self.said += self.decoder.feed(frame.data, int(self.now * 1e9))
            if frame.heard:
                frame.heard(True)

    @property
    def measured(self) -> list[Measurement]:
        """What was read of the road, and not of the device itself; of readings repeated, the first."""
        found: dict[object, Measurement] = {}
        for one in self.said:
            if isinstance(one, Measurement) and "intensity" in one.fields:
                found.setdefault((one.key, tuple(one.tags.items())), one)
        return list(found.values())

    def read(self) -> Vehicles:
        place = "detector" if "natch" in type(self.twin).__module__ else "lane"
        return Counter((one.tags[place], one.fields["intensity"], self._also(one.fields)) for one in self.measured)

    def taken(self) -> Vehicles:
        return Counter(
            (next(iter(one.tags.values())), one.fields["intensity"], self._also(one.fields)) for one in self.truth
        )

    def _also(self, fields: Mapping[str, Any]) -> object:
        return round(fields["presence_time"] if "presence_time" in fields else fields["occupancy"], 3)


@pytest.mark.parametrize("pair", EVENTS)
def test_each_vehicle_is_read_once(pair: str) -> None:
    talk = Talk(pair)
    talk.go_on(600)
    assert talk.read() == talk.taken()
    assert talk.taken().total() > 150
    assert {one.reason for one in talk.said if isinstance(one, Reject)} == set()


@pytest.mark.parametrize("pair", INTERVALS)
def test_each_interval_but_the_one_found_first_is_read(pair: str) -> None:
    talk = Talk(pair)
    talk.go_on(45)
    first = talk.taken()
    assert first
    assert not talk.measured
    talk.go_on(600)
    assert talk.read() == talk.taken() - first
    assert len(talk.truth) >= 20 * len(talk.twin.road.lanes)
    assert {one.reason for one in talk.said if isinstance(one, Reject)} == {"unsupported"}


@pytest.mark.parametrize("pair", INTERVALS)
def test_with_a_clock_that_is_right_the_one_found_first_is_read_too(pair: str) -> None:
    talk = Talk(pair, clock="sensor")
    talk.go_on(300)
    assert talk.read() == talk.taken()
    times = [one.time for one in talk.measured if one.tags["lane"] == "1" and one.time is not None]
    assert {after - before for before, after in pairwise(times)} == {30 * 10**9}


@pytest.mark.parametrize("pair", PAIRS)
def test_with_noise_and_damage_little_is_lost_and_less_is_invented(pair: str) -> None:
    talk = Talk(pair)
    talk.twin.faults.noise = talk.twin.faults.torn = 0.2
    talk.twin.faults.corrupt = 0.2 if pair != "natch" else 0.0  # text without a sum takes any digit for the right one
    talk.go_on(1200)
    taken, read = talk.taken(), talk.read()
    assert (read - taken).total() <= LET_THROUGH
    assert (taken - read).total() <= taken.total() // 4
    assert taken.total() > 40
    assert any(isinstance(one, Reject) for one in talk.said)


def test_what_the_network_loses_the_controller_says_again() -> None:
    talk = Talk("natch")
    talk.twin.faults.torn = 0.3
    talk.go_on(600)
    talk.twin.stop()
    talk.twin.faults.torn = 0.0
    talk.go_on(60)
    assert talk.twin.quiet()
    assert talk.read() == talk.taken()
    assert talk.taken().total() > 150


def test_what_waited_in_the_controller_is_marked_or_bears_its_own_time() -> None:
    for clock in ("gateway", "controller"):
        talk = Talk("natch", clock=clock)
        talk.go_on(5)
        for _ in range(1500):  # nobody listens, over midnight
            talk.step += 1
            talk.twin.tick(talk.now)
        talk.go_on(60)
        assert talk.read() == talk.taken()
        if clock == "gateway":
            assert {one.quality for one in talk.measured} == {Quality.ESTIMATED_TIME, Quality.GOOD}
            assert {one.time for one in talk.measured} == {None}
        else:
            times = [one.time for one in talk.measured if one.time is not None]
            born = int(BORN.timestamp()) * 10**9
            assert len(set(times)) == len(talk.measured) > 30
            assert all(0 <= time - born <= talk.now * 1e9 for time in times)
            assert times == sorted(times)


@pytest.mark.parametrize("pair", PAIRS)
def test_after_a_power_cut_it_goes_on(pair: str) -> None:
    talk = Talk(pair)
    talk.go_on(120)
    before = len(talk.measured)
    talk.twin.power_cycle(talk.now)
    talk.go_on(120)
    assert len(talk.measured) > before > 5


def test_a_packet_that_is_lost_comes_with_the_next_answer() -> None:
    talk = Talk("ss125", clock="sensor")
    talk.go_on(31)
    talk.twin.lost_packets = {1}
    talk.go_on(60)
    assert talk.read() == talk.taken()
    assert not talk.twin.lost_packets


def test_speeds_are_the_same_in_the_units_of_either_setting() -> None:
    speeds = []
    for metric in (True, False):
        talk = Talk("ss125", clock="sensor")
        talk.twin.metric = metric
        talk.go_on(120)
        speeds.append([one.fields["average_vehicle_speed"] for one in talk.measured if one.fields["intensity"]])
    assert speeds[0] == pytest.approx(speeds[1], abs=0.02)
    assert len(speeds[0]) > 5


@pytest.mark.parametrize("pair", PAIRS)
async def test_it_also_works_over_a_real_line(pair: str, tmp_path: Path) -> None:
    talk = Talk(pair, clock="controller" if pair == "natch" else "sensor")
    truth = Truth()
    async with SerialLine(PAIRS[pair][2](truth), tmp_path / "tty", rate=30.0):
        line = Line(SerialSettings(str(tmp_path / "tty"), 9600))
        await line.open()
        for command in talk.decoder.start():
            await line.send(command)
        while len(talk.measured) < 4:
            talk.step += 1
            talk.said += talk.decoder.feed(await line.receive(0.05), talk.step * 10**9)
            if question := talk.decoder.poll():
                await line.send(question)
        line.close()
    taken = Counter(next(iter(one.tags.values())) for one in truth)
    assert talk.measured
    assert taken.keys() >= {tag for tag, _, _ in talk.read()}
