"""Drivers of serial dust sensors against simulated ones: what was measured is what is read, each reading once."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import drivers
from firmware_sim.bench.pty_line import SerialLine
from firmware_sim.devices.hpma115 import Hpma115
from firmware_sim.devices.pms3003 import pms3003
from firmware_sim.devices.pms5003 import pms5003
from firmware_sim.devices.pms5003st import pms5003s, pms5003st
from firmware_sim.devices.pms5003t import pms5003t
from firmware_sim.devices.sds198 import Sds198
from firmware_sim.devices.sps30 import Sps30, Status
from firmware_sim.parts.plantower import Plantower
from firmware_sim.parts.twin import Frame
from firmware_sim.patience import patience
from firmware_sim.truth.ledger import Truth
from gateway.contract import VOCABULARY, Measurement, Reject, SerialLink
from gateway.links.serial import Line, SerialSettings

Output = Measurement | Reject
Make = Callable[[str, Truth, str], Any]
Values = tuple[tuple[str, float], ...]

TWINS: Mapping[str, tuple[str, Make]] = {
    "pms5003": ("pms5003", pms5003),
    "pms3003": ("pms3003", pms3003),
    "pms5003t": ("pms5003t", pms5003t),
    "pms5003st": ("pms5003st", pms5003st),
    "pms5003s": ("pms5003st", pms5003s),
    "sps30": ("sps30", Sps30),
    "sds198": ("sds198", Sds198),
    "hpma115s0": ("hpma115", Hpma115),
    "hpma115c0": ("hpma115", partial(Hpma115, model="C0")),
}
SLEEPERS = sorted(set(TWINS) - {"sps30"})


def _readings(said: Iterable[Output]) -> Counter[Values]:
    """Count what was read, without what a device says about itself."""
    return _count(one.fields for one in said if isinstance(one, Measurement))


def _count(readings: Iterable[Mapping[str, Any]]) -> Counter[Values]:
    measured = ({name: value for name, value in one.items() if not VOCABULARY[name].health} for one in readings)
    return Counter(tuple((name, round(one[name], 6)) for name in sorted(one)) for one in measured if one)


class Conversation:
    """A twin and a decoder without a line between them, in the twin's time."""

    def __init__(self, name: str, **options: str) -> None:
        driver, make = TWINS[name]
        self.driver = drivers.load(driver)
        self.truth = Truth()
        self.twin = make("aq-1", self.truth, "seed")
        self.options = self.driver.options.model_validate(options)
        self.said: list[Output] = []
        self.now = 0.0
        self.begin()

    def begin(self) -> None:
        """Open the line, with a new decoder."""
        decoder: Any = self.driver.decoder(self.options)
        self.decoder = decoder
        for command in decoder.start():
            self._hear(self.twin.receive(command, self.now))

    def last(self, seconds: float) -> None:
        """Let time pass, in steps of 0.1 s, with a poll every 2 s."""
        end = self.now + seconds
        while self.now < end:
            self.now = round(self.now + 0.1, 1)
            self._hear(self.twin.tick(self.now))
            if self.now % 2 < 0.05:
                question = self.decoder.poll()
                if question:
                    self._hear(self.twin.receive(question, self.now))
                else:
                    self.said += self.decoder.feed(b"", int(self.now * 1e9))

    def _hear(self, frames: list[Frame]) -> None:
        for frame in frames:
            self.said += self.decoder.feed(frame.data, int(self.now * 1e9))
            if frame.heard:
                frame.heard(True)


def _worn_line(twin: Any) -> None:  # noqa: ANN401 -- twins share no class
    faults = twin.faults if isinstance(twin, Plantower) else twin.wire.faults
    faults.noise, faults.corrupt = 0.05, 0.05


@pytest.mark.parametrize("name", TWINS)
def test_every_reading_that_arrived_whole_is_read_once(name: str) -> None:
    conversation = Conversation(name)
    _worn_line(conversation.twin)
    conversation.last(600)
    assert len(conversation.truth) > 200
    assert _readings(conversation.said) == _count(taken.fields for taken in conversation.truth)
    assert any(isinstance(one, Reject) for one in conversation.said)


@pytest.mark.parametrize("name", TWINS)
def test_after_a_power_cut_it_is_read_again(name: str) -> None:
    conversation = Conversation(name)
    conversation.last(60)
    before = len(conversation.truth)
    conversation.twin.power_cycle(conversation.now)
    conversation.last(60)
    assert len(conversation.truth) > before + 10
    assert _readings(conversation.said) == _count(taken.fields for taken in conversation.truth)


@pytest.mark.parametrize("name", SLEEPERS)
def test_with_a_working_period_it_rests_most_of_the_time_and_nothing_is_missed(name: str) -> None:
    conversation = Conversation(name, working_period="5min")
    spoke = []
    for _ in range(600):
        before = len(conversation.truth)
        conversation.last(2)
        spoke.append(len(conversation.truth) > before)
    assert 0.05 < sum(spoke) / len(spoke) < 0.2
    assert sum(now and not then for then, now in pairwise(spoke)) >= 3
    assert _readings(conversation.said) == _count(taken.fields for taken in conversation.truth)


@pytest.mark.parametrize("name", ["pms5003", "pms5003t", "pms5003st"])
def test_reports_without_particles_after_a_start_are_not_read(name: str) -> None:
    conversation = Conversation(name)
    conversation.twin.faults.hollow_at_start = 3
    conversation.last(30)
    assert [one.reason for one in conversation.said if isinstance(one, Reject)] == ["unsupported"] * 3
    assert _readings(conversation.said) == _count(taken.fields for taken in conversation.truth)


@pytest.mark.parametrize(
    ("name", "asleep"),
    [
        ("pms5003", "42 4D E4 00 00 01 73"),
        ("sps30", "7E 00 01 00 FE 7E 7E 00 10 00 EF 7E"),
        ("hpma115s0", "68 01 02 95"),
    ],
)
def test_a_sensor_found_asleep_is_woken(name: str, asleep: str) -> None:
    conversation = Conversation(name)
    conversation.twin.receive(bytes.fromhex(asleep), 0.0)
    conversation.begin()
    conversation.last(60)
    assert len(conversation.truth) > 10


def test_a_sps30_is_cleaned_and_its_failing_laser_is_noticed() -> None:
    conversation = Conversation("sps30", cleaning="5min")
    conversation.last(320)
    assert conversation.twin.cleanings == 1
    conversation.twin.faults.status = Status.LASER
    conversation.last(300)
    errors = [one.fields.get("device_error") for one in conversation.said if isinstance(one, Measurement)]
    assert 1 << 5 in errors


@pytest.mark.parametrize("name", ["pms5003", "sps30"])
async def test_through_a_real_line_every_reading_arrives_once(name: str, tmp_path: Path) -> None:
    driver, make = TWINS[name]
    found = drivers.load(driver)
    assert isinstance(found.link, SerialLink)
    truth = Truth()
    decoder: Any = found.decoder(found.options())
    said: list[Output] = []

    async with (
        asyncio.timeout(patience()),
        SerialLine(make("aq-1", truth, "seed"), tmp_path / "port", rate=40) as device,
    ):
        line = Line(SerialSettings(str(tmp_path / "port"), found.link.baudrate))
        await line.open()
        try:
            for command in decoder.start():
                await line.send(command)
                said += decoder.feed(await line.receive(0.05), time.monotonic_ns())
            while len(_readings(said)) < 30:
                if question := decoder.poll():
                    await line.send(question)
                said += decoder.feed(await line.receive(0.05), time.monotonic_ns())
            device.twin.stop()
            said += decoder.feed(await line.receive(0.1), time.monotonic_ns())
            await device.silent()
        finally:
            line.close()
    assert _readings(said) == _count(taken.fields for taken in truth)
