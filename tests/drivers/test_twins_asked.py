"""Drivers of devices that are asked, and their Winsen kin, against the simulated devices."""

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

import drivers
from firmware_sim.bench.pty_line import SerialLine
from firmware_sim.devices.mhz19 import MhZ19
from firmware_sim.devices.modbus import LD120
from firmware_sim.devices.nextpm import NextPm
from firmware_sim.devices.nextpm_modbus import NextPmModbus
from firmware_sim.devices.senseair_k30 import SenseairK30
from firmware_sim.devices.senseair_s8 import SenseairS8
from firmware_sim.devices.sm300d2 import Sm300d2
from firmware_sim.devices.winsen_ze import WinsenZe
from firmware_sim.devices.winsen_zh import WinsenZh
from firmware_sim.parts.twin import Frame
from firmware_sim.truth.ledger import Truth
from gateway.contract import Measurement, Quality, Reject
from gateway.links.serial import Line, SerialSettings

Options = Mapping[str, Any]
Make = Callable[[Truth], Any]

COUNT = {"field": "intensity", "at": 9, "type": "uint32", "counter": True}
STATE = {"field": "device_error", "table": "input", "at": 1}
LOOP = {"address": 254, "kind": "traffic", "registers": [COUNT, STATE]}

PAIRS: dict[str, tuple[str, Options, Make]] = {
    "senseair_s8": ("senseair_s8", {"abc": "0h"}, lambda truth: SenseairS8("x", truth, "seed")),
    "senseair_k30": ("senseair_k30", {}, lambda truth: SenseairK30("x", truth, "seed")),
    "nextpm": ("nextpm", {}, lambda truth: NextPm("x", truth, "seed")),
    "nextpm, by its address": ("nextpm", {"address": 3}, lambda truth: NextPmModbus("x", truth, "seed", 3)),
    "nextpm_modbus": ("nextpm_modbus", {"average": "10s"}, lambda truth: NextPmModbus("x", truth, "seed")),
    "mhz19": ("mhz19", {"abc": False, "range": 2000}, lambda truth: MhZ19("x", truth, "seed")),
    "winsen_ze, uploading": ("winsen_ze", {}, lambda truth: WinsenZe("x", truth, "seed", "no2")),
    "winsen_ze, asked": (
        "winsen_ze",
        {"mode": "asked", "model": "ze25", "gas": "o3"},
        lambda truth: WinsenZe("x", truth, "seed", "o3"),
    ),
    "winsen_zh": ("winsen_zh", {}, lambda truth: WinsenZh("x", truth, "seed")),
    "modbus": ("modbus", LOOP, lambda truth: LD120("x", truth, "seed")),
    "sm300d2": ("sm300d2", {}, lambda truth: Sm300d2("x", truth, "seed")),
    "sm300d2, like Modbus": ("sm300d2", {}, lambda truth: Sm300d2("x", truth, "seed", modbus=True)),
}


SUMMED = ("nextpm", "mhz19", "winsen_ze", "winsen_zh", "sm300d2")
LET_THROUGH = 3
"""A sum of eight bits lets one damaged frame in 256 through; a CRC does not."""


def _decoder(driver: str, options: Options) -> Any:  # noqa: ANN401 -- of whatever driver
    found = drivers.load(driver)
    return found.decoder(found.options.model_validate(options))


class Talk:
    """A decoder and a twin at the two ends of a wire; time goes in steps of half a second, questions every 4 s."""

    def __init__(self, driver: str, options: Options, twin: Any) -> None:  # noqa: ANN401 -- any twin
        self.decoder = _decoder(driver, options)
        self.twin = twin
        self.now = 0.0
        self.said: list[Measurement | Reject] = []
        for command in self.decoder.start():
            self._hear(twin.receive(command, self.now))

    def go_on(self, seconds: int) -> None:
        for step in range(seconds * 2):
            self.now += 0.5
            if step % 8 == 0:
                question = self.decoder.poll()
                self._hear(self.twin.receive(question, self.now) if question else [Frame(b"")])
            self._hear(self.twin.tick(self.now))

    def _hear(self, frames: list[Frame]) -> None:
        for frame in frames:
            self.said += self.decoder.feed(frame.data, int(self.now * 1e9))
            if frame.heard:
                frame.heard(True)

    def readings(self, truth: Truth) -> list[tuple[tuple[str, object], ...]]:
        """Return what was read of the fields that the ledger holds."""
        names = {name for taken in truth for name in taken.fields}
        measured = [one for one in [*self.said, *self.decoder.finish()] if isinstance(one, Measurement)]
        kept = [{name: one.fields[name] for name in names & one.fields.keys()} for one in measured]
        return [tuple(sorted(fields.items())) for fields in kept if fields]


def _taken(truth: Truth) -> list[tuple[tuple[str, object], ...]]:
    return [tuple(sorted(taken.fields.items())) for taken in truth]


@pytest.mark.parametrize("faulty", [False, True], ids=["sound", "faulty"])
@pytest.mark.parametrize("pair", PAIRS)
def test_what_is_read_is_what_was_measured(pair: str, faulty: bool) -> None:
    driver, options, make = PAIRS[pair]
    truth = Truth()
    talk = Talk(driver, options, make(truth))
    if faulty:
        talk.twin.faults.noise = talk.twin.faults.corrupt = talk.twin.faults.torn = 0.2
    talk.go_on(1200)
    if driver == "modbus":
        counted = [one.fields.get("intensity", 0) for one in talk.said if isinstance(one, Measurement)]
        assert sum(int(count) for count in counted) == len(truth) > 100
    else:
        read, taken = Counter(talk.readings(truth)), Counter(_taken(truth))
        strays = read - taken
        assert strays.total() <= (LET_THROUGH if faulty and driver in SUMMED else 0)
        assert (taken - read).total() <= strays.total()
        assert len(truth) > 80
    assert faulty == any(isinstance(one, Reject) and one.reason == "checksum" for one in talk.said)


@pytest.mark.parametrize("pair", PAIRS)
def test_after_a_power_cut_it_goes_on(pair: str) -> None:
    driver, options, make = PAIRS[pair]
    truth = Truth()
    talk = Talk(driver, options, make(truth))
    talk.go_on(300)
    before = len(truth)
    talk.twin.power_cycle(talk.now)
    talk.go_on(300)
    assert len(truth) > before > 10


@pytest.mark.parametrize("driver", ["nextpm", "winsen_zh"])
def test_with_a_working_period_the_laser_runs_an_eighth_of_the_time(driver: str) -> None:
    _, _, make = PAIRS[driver]
    truth = Truth()
    talk = Talk(driver, {"working_period": "10min"}, make(truth))
    asleep = 0
    for _ in range(3600):
        talk.go_on(1)
        asleep += talk.twin.asleep
    assert asleep > 3600 * 3 // 4
    good = [one for one in talk.said if isinstance(one, Measurement) and one.quality == Quality.GOOD]
    assert len([one for one in good if "pm25" in one.fields]) >= 5


def test_a_sensor_found_asleep_is_woken_by_one_toggle() -> None:
    truth = Truth()
    twin = NextPm("x", truth, "seed")
    twin.asleep = True
    talk = Talk("nextpm", {}, twin)
    talk.go_on(120)
    assert not twin.asleep
    assert twin.toggles == 1
    assert len(truth) > 10


def test_no_calibration_is_ever_set_off_by_faults() -> None:
    truth = Truth()
    twin = MhZ19("x", truth, "seed")
    talk = Talk("mhz19", {"abc": False}, twin)
    twin.faults.noise = twin.faults.corrupt = 0.5
    talk.go_on(600)
    assert twin.calibrations == 0
    assert not twin.abc


def test_several_share_a_line_and_each_hears_itself_alone() -> None:
    truth = Truth()
    twins: dict[str, Any] = {
        "co2-1": SenseairS8("co2-1", truth, "one", 1),
        "co2-2": SenseairS8("co2-2", truth, "two", 2),
        "co2-3": SenseairK30("co2-3", truth, "three", 0x68),
        "aq-1": NextPmModbus("aq-1", truth, "four", 5),
    }
    drivers_of = {"co2-1": "senseair_s8", "co2-2": "senseair_s8", "co2-3": "senseair_k30", "aq-1": "nextpm"}
    addresses = {"co2-1": 1, "co2-2": 2, "co2-3": 0x68, "aq-1": 5}
    decoders = {name: _decoder(drivers_of[name], {"address": addresses[name]}) for name in twins}
    measured: Counter[str] = Counter()
    for turn in range(200):
        now = 20.0 + 2.0 * turn
        for name, decoder in decoders.items():
            question = decoder.poll()
            for frame in [frame for twin in twins.values() for frame in twin.receive(question, now)]:
                assert frame.data[0] == addresses[name]
                said = [one for one in decoder.feed(frame.data, int(now * 1e9)) if isinstance(one, Measurement)]
                measured[name] += sum("co2" in one.fields or "pm25" in one.fields for one in said)
                if frame.heard:
                    frame.heard(True)
    assert measured == Counter(taken.sensor for taken in truth)
    assert min(measured.values()) > 150


@pytest.mark.parametrize("pair", ["senseair_s8", "winsen_zh"])
async def test_it_also_works_over_a_real_line(pair: str, tmp_path: Path) -> None:
    driver, options, make = PAIRS[pair]
    truth = Truth()
    decoder = _decoder(driver, options)
    said: list[Measurement | Reject] = []
    async with SerialLine(make(truth), tmp_path / "tty", rate=100) as end:
        line = Line(SerialSettings(str(tmp_path / "tty"), 9600))
        await line.open()
        for command in decoder.start():
            await line.send(command)
            said += decoder.feed(await line.receive(0.2), 0)
        while len([one for one in said if isinstance(one, Measurement)]) < 5:
            await line.send(decoder.poll())
            said += decoder.feed(await line.receive(0.2), 0)
        end.twin.stop()
        await end.silent()
        said += decoder.feed(await line.receive(0), 0)
        line.close()
    names = {name for taken in truth for name in taken.fields}
    read = [
        {name: one.fields[name] for name in names}
        for one in said
        if isinstance(one, Measurement) and names <= one.fields.keys()
    ]
    assert read == [taken.fields for taken in truth]
