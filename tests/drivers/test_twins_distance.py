"""Drivers of distance meters and satellite receivers against the simulated devices."""

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

import drivers
from firmware_sim.bench.pty_line import SerialLine
from firmware_sim.devices.a02yyuw import A02yyuw
from firmware_sim.devices.jsn_sr04t import JsnSr04t
from firmware_sim.devices.maxbotix import Maxbotix
from firmware_sim.devices.nmea0183 import Nmea0183
from firmware_sim.devices.tfmini import MILLIMETRES, PIXHAWK, Tfmini
from firmware_sim.parts.twin import Frame
from firmware_sim.truth.ledger import Truth
from gateway.contract import Measurement, Reject
from gateway.links.serial import Line, SerialSettings

Options = Mapping[str, Any]
Make = Callable[[Truth], Any]

PAIRS: dict[str, tuple[str, Options, Make]] = {
    "a02yyuw": ("a02yyuw", {}, lambda truth: A02yyuw("x", truth, "seed")),
    "jsn_sr04t": ("jsn_sr04t", {}, lambda truth: JsnSr04t("x", truth, "seed")),
    "aj_sr04m": (
        "jsn_sr04t",
        {"checksum": "without_header"},
        lambda truth: JsnSr04t("x", truth, "seed", header=False),
    ),
    "hrxl": ("maxbotix", {}, lambda truth: Maxbotix("x", truth, "seed")),
    "xl": ("maxbotix", {"unit": "cm"}, lambda truth: Maxbotix("x", truth, "seed", "xl")),
    "tfmini": ("tfmini", {}, lambda truth: Tfmini("x", truth, "seed")),
    "nmea0183": ("nmea0183", {}, lambda truth: Nmea0183("x", truth, "seed")),
}
RANGERS = [pair for pair in PAIRS if pair != "nmea0183"]
WITHOUT_A_SUM = ("hrxl", "xl")
LET_THROUGH = 6
"""A sum of eight bits lets one damaged frame in 256 through."""


def _decoder(driver: str, options: Options) -> Any:  # noqa: ANN401 -- of whatever driver
    found = drivers.load(driver)
    return found.decoder(found.options.model_validate({"interval": "0s", **options}))


class Talk:
    """A decoder and a twin at the two ends of a wire; time goes in tenths of a second, questions every second."""

    def __init__(self, pair: str, **options: object) -> None:
        driver, given, make = PAIRS[pair]
        self.truth = Truth()
        self.twin = make(self.truth)
        self.decoder = _decoder(driver, {**given, **options})
        self.now = 0.0
        self.said: list[Measurement | Reject] = []
        for command in self.decoder.start():
            self._hear(self.twin.receive(command, self.now))

    def go_on(self, seconds: int) -> None:
        for step in range(seconds * 10):
            self.now += 0.1
            if step % 10 == 0 and (question := self.decoder.poll()):
                self._hear(self.twin.receive(question, self.now))
            self._hear(self.twin.tick(self.now))

    def _hear(self, frames: list[Frame]) -> None:
        for frame in frames:
            self.said += self.decoder.feed(frame.data, int(self.now * 1e9))
            if frame.heard:
                frame.heard(True)

    def fields(self, name: str) -> list[object]:
        return [one.fields[name] for one in self.said if isinstance(one, Measurement) and name in one.fields]


def _told(talk: Talk) -> tuple[Counter[object], Counter[object]]:
    name = "satellite_time" if "satellite_time" in next(iter(talk.truth)).fields else "distance"
    return Counter(talk.fields(name)), Counter(taken.fields[name] for taken in talk.truth if name in taken.fields)


@pytest.mark.parametrize("pair", PAIRS)
def test_what_is_read_is_what_was_measured(pair: str) -> None:
    talk = Talk(pair)
    talk.go_on(120)
    read, taken = _told(talk)
    assert read == taken
    assert taken.total() > 100
    assert {one.reason for one in talk.said if isinstance(one, Reject)} <= {"unsupported"}  # no fix, at first


@pytest.mark.parametrize("pair", [pair for pair in PAIRS if pair not in WITHOUT_A_SUM])
def test_with_noise_and_damage_little_is_lost_and_less_is_invented(pair: str) -> None:
    talk = Talk(pair)
    talk.twin.faults.noise = talk.twin.faults.corrupt = talk.twin.faults.torn = 0.2
    talk.go_on(300)
    read, taken = _told(talk)
    assert (read - taken).total() <= LET_THROUGH
    assert (taken - read).total() <= taken.total() // 4  # the frame behind a torn line is gone with it
    assert taken.total() > 100
    assert any(isinstance(one, Reject) for one in talk.said)


def test_a_place_is_read_to_the_hundred_thousandth_of_a_minute() -> None:
    talk = Talk("nmea0183")
    talk.go_on(30)
    for name in ("latitude", "longitude"):
        assert talk.fields(name) == pytest.approx([taken.fields[name] for taken in talk.truth], abs=1e-9)


@pytest.mark.parametrize("pair", PAIRS)
def test_after_a_power_cut_it_goes_on(pair: str) -> None:
    talk = Talk(pair)
    talk.go_on(30)
    before = len(talk.truth)
    talk.twin.power_cycle(talk.now)
    talk.go_on(30)
    assert len(talk.truth) > before > 10


@pytest.mark.parametrize("pair", RANGERS)
def test_a_vehicle_comes_and_goes(pair: str) -> None:
    talk = Talk(pair, threshold_mm=1500)
    for occupied in (False, True, False):
        talk.twin.bay.occupied = occupied
        talk.go_on(10)
    told = talk.fields("occupied")
    assert [state for state, before in zip(told, [None, *told], strict=False) if state != before] == [
        False, True, False,
    ]  # fmt: skip


@pytest.mark.parametrize(("pair", "event"), [
    ("a02yyuw", "unclear"), ("jsn_sr04t", "unclear"), ("hrxl", "no_target"), ("xl", "no_target"),
    ("tfmini", "no_target"),
])  # fmt: skip
def test_when_no_echo_comes_it_says_so_and_gives_no_distance(pair: str, event: str) -> None:
    talk = Talk(pair)
    talk.twin.bay.lost = True
    talk.go_on(10)
    assert set(talk.fields("event")) == {event}
    assert talk.fields("distance") == []


@pytest.mark.parametrize("form", [PIXHAWK, MILLIMETRES])
def test_a_tfmini_that_keeps_another_format_through_power_cuts_is_set_right(form: int) -> None:
    talk = Talk("tfmini")
    talk.twin.format = form
    talk.twin.save()
    for command in talk.decoder.start():
        talk.twin.receive(command, talk.now)
    talk.go_on(10)
    read, taken = _told(talk)
    assert read == taken
    assert taken.total() > 50


def test_a_tfmini_that_went_back_to_text_is_told_again() -> None:
    talk = Talk("tfmini")
    talk.go_on(5)
    talk.twin.format = PIXHAWK
    talk.go_on(5)
    assert talk.twin.format == 1


@pytest.mark.parametrize("pair", RANGERS)
async def test_it_also_works_over_a_real_line(pair: str, tmp_path: Path) -> None:
    driver, options, make = PAIRS[pair]
    truth = Truth()
    decoder = _decoder(driver, options)
    said: list[Measurement | Reject] = []
    async with SerialLine(make(truth), tmp_path / "tty") as end:
        line = Line(SerialSettings(str(tmp_path / "tty"), 9600))
        await line.open()
        for command in decoder.start():
            await line.send(command)
        while len([one for one in said if isinstance(one, Measurement)]) < 3:
            data = await line.receive(0.2)
            said += decoder.feed(data, 0)
            if not data and (question := decoder.poll()):
                await line.send(question)
        end.twin.stop()
        await end.silent()
        said += decoder.feed(await line.receive(0), 0)
        line.close()
    read = [one.fields["distance"] for one in said if isinstance(one, Measurement) and "distance" in one.fields]
    assert read[-2:] == [taken.fields["distance"] for taken in truth][-2:]
