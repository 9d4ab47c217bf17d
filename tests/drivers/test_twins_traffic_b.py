"""Drivers of traffic detectors that are asked, or talk by themselves, against the simulated devices."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

import drivers
from firmware_sim.bench.pty_line import SerialLine
from firmware_sim.devices.adec_tdc import AdecTdc
from firmware_sim.devices.canoga import APART, Canoga
from firmware_sim.devices.houston_dr500 import HoustonDr500
from firmware_sim.devices.rtms_g4 import RtmsG4
from firmware_sim.parts.twin import Frame
from firmware_sim.truth.ledger import Truth
from gateway.contract import Measurement, Reject
from gateway.links.serial import Line, SerialSettings

Options = Mapping[str, Any]
Make = Callable[[Truth], Any]

LOOPS = {"address": 0, "pairs": [{"upstream": 1, "downstream": 2, "apart": APART}]}

PAIRS: dict[str, tuple[str, Options, Make]] = {
    "houston_dr500": ("houston_dr500", {}, lambda truth: HoustonDr500("x", truth, "seed")),
    "adec_tdc": ("adec_tdc", {"address": 1}, lambda truth: AdecTdc("x", truth, "seed")),
    "rtms_g4": ("rtms_g4", {"address": 1}, lambda truth: RtmsG4("x", truth, "seed")),
    "rtms_g4, events": (
        "rtms_g4",
        {"address": 1, "events": True},
        lambda truth: RtmsG4("x", truth, "seed", events=True),
    ),
    "canoga": ("canoga", LOOPS, lambda truth: Canoga("x", truth, "seed")),
}
COUNTERS = [pair for pair in PAIRS if pair != "houston_dr500"]
STEP = {"canoga": 2, "adec_tdc": 10, "rtms_g4": 20}
"""Half seconds between two questions; the others are asked every second, or not at all."""


def _decoder(driver: str, options: Options) -> Any:  # noqa: ANN401 -- of whatever driver
    found = drivers.load(driver)
    return found.decoder(found.options.model_validate(options))


class Talk:
    """A decoder and a twin at the two ends of a wire; time goes in steps of half a second."""

    def __init__(self, pair: str, **options: object) -> None:
        driver, given, make = PAIRS[pair]
        self.truth = Truth()
        self.twin = make(self.truth)
        self.decoder = _decoder(driver, {**given, **options})
        self.step = STEP.get(pair, 2)
        self.now = 0.0
        self.steps = 0
        self.said: list[Measurement | Reject] = []
        for command in self.decoder.start():
            self._hear(self.twin.receive(command, self.now))

    def go_on(self, seconds: int) -> None:
        for _ in range(seconds * 2):
            self.now += 0.5
            self.steps += 1
            if self.steps % self.step == 0 and (question := self.decoder.poll()):
                self._hear(self.twin.receive(question, self.now))
            self._hear(self.twin.tick(self.now))
            self.said += self.decoder.feed(b"", int(self.now * 1e9))

    def end(self) -> None:
        """Let what has begun come to its end, and be told."""
        self.twin.stop()
        self.go_on(60)
        self.said += self.decoder.finish()

    def _hear(self, frames: Iterable[Frame]) -> None:
        for frame in frames:
            self.said += self.decoder.feed(frame.data, int(self.now * 1e9))
            if frame.heard:
                frame.heard(True)

    def measured(self) -> list[Measurement]:
        """Return what was measured, each once: what bears the key of the last one is that again."""
        once: list[Measurement] = []
        keys: dict[str, str | None] = {}
        for one in self.said:
            if isinstance(one, Measurement) and (one.key is None or keys.get(str(one.tags)) != one.key):
                once.append(one)
                keys[str(one.tags)] = one.key
        return once

    def counted(self) -> Counter[str]:
        counts: Counter[str] = Counter()
        for one in self.measured():
            counts[one.tags.get("lane", "")] += int(one.fields.get("intensity", 0))
        return +counts

    def passed(self) -> Counter[str]:
        """Return the vehicles of the ledger by lane; an entry of a whole period has many."""
        counts: Counter[str] = Counter()
        for taken in self.truth:
            counts[taken.tags.get("lane", "")] += int(taken.fields.get("intensity", 1))
        return +counts

    def rejected(self) -> set[str]:
        return {one.reason for one in self.said if isinstance(one, Reject)}


@pytest.mark.parametrize("pair", COUNTERS)
def test_every_vehicle_is_counted_once(pair: str) -> None:
    talk = Talk(pair)
    talk.go_on(1200)
    talk.end()
    passed = talk.passed()
    if pair == "rtms_g4":  # the period found first
        passed -= Counter({str(taken.tags["lane"]): int(taken.fields["intensity"]) for taken in list(talk.truth)[:3]})
    assert talk.counted() == passed
    assert passed.total() > 200
    assert talk.rejected() <= {"unsupported"}


@pytest.mark.parametrize("pair", ["adec_tdc", "rtms_g4, events", "canoga"])
def test_every_vehicle_is_counted_once_through_noise_and_damage(pair: str) -> None:
    talk = Talk(pair)
    talk.go_on(10)
    faults = talk.twin.faults
    faults.noise = faults.corrupt = faults.torn = 0.1
    talk.go_on(1200)
    faults.noise = faults.corrupt = faults.torn = 0.0
    talk.end()
    assert talk.rejected() & {"checksum", "noise"}
    if pair == "adec_tdc":  # a stray E5 may be taken for an answer: its vehicles are told by the count alone
        assert talk.counted() == Counter({"": talk.twin.count})
    else:
        assert talk.counted() == talk.passed()


def test_of_damaged_periods_none_is_given_that_was_not_measured() -> None:
    talk = Talk("rtms_g4")
    talk.twin.faults.noise = talk.twin.faults.corrupt = talk.twin.faults.torn = 0.02
    talk.go_on(3000)
    names = ("intensity", "occupancy")
    given = [tuple(one.fields[name] for name in names) for one in talk.measured() if "intensity" in one.fields]
    measured = [tuple(taken.fields[name] for name in names) for taken in talk.truth]
    assert len(given) > 150
    assert not Counter(given) - Counter(measured)


def test_speeds_are_read_in_whatever_unit_the_radar_has() -> None:
    for units in range(4):
        talk = Talk("houston_dr500")
        talk.twin.variables["UN"] = units
        for command in talk.decoder.start():
            talk._hear(talk.twin.receive(command, 0.0))
        talk.twin.faults.noise = talk.twin.faults.corrupt = 0.1
        talk.go_on(300)
        read = [
            one.fields["average_vehicle_speed"] for one in talk.measured() if "average_vehicle_speed" in one.fields
        ]
        assert read == pytest.approx([taken.fields["average_vehicle_speed"] for taken in talk.truth], abs=0.005)
        assert len(read) > 100


def test_a_radar_averages_over_what_the_options_say() -> None:
    talk = Talk("houston_dr500", average="10s")
    talk.go_on(5)
    assert talk.twin.variables["TA"] == 10
    assert {one.fields["period"] for one in talk.measured() if "period" in one.fields} == {10.0}


def test_a_pair_of_loops_measures_speed() -> None:
    talk = Talk("canoga")
    talk.go_on(600)
    talk.end()
    given = [one.fields for one in talk.measured() if "average_vehicle_speed" in one.fields]
    weight = sum(int(fields["intensity"]) for fields in given)
    average = sum(float(fields["average_vehicle_speed"]) * int(fields["intensity"]) for fields in given) / weight
    assert average == pytest.approx(sum(talk.twin.speeds) / len(talk.twin.speeds), rel=0.03)


def test_an_answer_that_lost_its_first_byte_costs_nobody() -> None:
    talk = Talk("canoga")
    for _ in range(20):
        talk.go_on(10)
        talk.twin.lose_first = True
    talk.end()
    assert talk.counted() == talk.passed()


@pytest.mark.parametrize(("status", "fields"), [
    (0x80, {"device_error": 0x80}), (0x10, {"device_error": 0, "event": "wrong_way"}),
])  # fmt: skip
def test_a_fault_is_told_within_a_minute_even_on_an_empty_road(status: int, fields: dict[str, object]) -> None:
    talk = Talk("adec_tdc")
    talk.twin.stop()
    talk.go_on(30)
    talk.twin.status = status
    talk.go_on(60)
    assert any(fields.items() <= one.fields.items() for one in talk.measured())


@pytest.mark.parametrize("size", [6, 7, 11])
def test_a_detector_of_each_layout_is_read(size: int) -> None:
    talk = Talk("adec_tdc")
    talk.twin.record_size = size
    talk.go_on(120)
    assert any("average_vehicle_length" in one.fields for one in talk.measured()) == (size > 6)


@pytest.mark.parametrize("pair", PAIRS)
def test_after_a_power_cut_it_goes_on_and_invents_nobody(pair: str) -> None:
    talk = Talk(pair)
    talk.go_on(300)
    before = len(talk.truth)
    talk.twin.power_cycle(talk.now)
    talk.go_on(300)
    talk.end()
    assert len(talk.truth) > before > 10
    if pair != "adec_tdc":  # whose count tells of those that were lost
        assert talk.counted().total() <= talk.passed().total()


def test_two_detectors_share_a_line_and_each_hears_itself_alone() -> None:
    truth = Truth()
    twins = [AdecTdc(f"x-{address}", truth, str(address), address) for address in (1, 2)]
    decoders = [_decoder("adec_tdc", {"address": address}) for address in (1, 2)]
    counts = [0, 0]
    for turn in range(300):
        now = 2.5 * turn
        which = turn % 2
        question = decoders[which].poll()
        for frame in [frame for twin in twins for frame in twin.receive(question, now)]:
            for number, decoder in enumerate(decoders):
                said = [one for one in decoder.feed(frame.data, int(now * 1e9)) if isinstance(one, Measurement)]
                assert not said or number == which
                counts[number] += sum(int(one.fields.get("intensity", 0)) for one in said)
            if frame.heard:
                frame.heard(True)
    assert counts == [sum(taken.sensor == twin.name for taken in truth) for twin in twins]
    assert min(counts) > 100


@pytest.mark.parametrize("pair", PAIRS)
async def test_it_also_works_over_a_real_line(pair: str, tmp_path: Path) -> None:
    talk = Talk(pair)
    wanted = "average_vehicle_speed" if pair == "houston_dr500" else "intensity"
    async with SerialLine(talk.twin, tmp_path / "tty", rate=100) as end:
        line = Line(SerialSettings(str(tmp_path / "tty"), 9600))
        await line.open()
        now, read = 0, 0
        for command in talk.decoder.start():
            await line.send(command)
        while read < 6 or len(talk.truth) < 3:  # the ledger learns a little later what was read
            if question := talk.decoder.poll():
                await line.send(question)
            now += 5 * 10**9
            data = await line.receive(0.2)
            said = [one for one in talk.decoder.feed(data, now) if isinstance(one, Measurement)]
            read += sum(wanted in one.fields and one.fields[wanted] != 0 for one in said)
        end.twin.stop()
        line.close()
    assert len(talk.truth) >= 3
