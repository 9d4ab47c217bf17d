"""Devices that share one RS-485 line: each driver hears its own device alone."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import pytest

import drivers
from firmware_sim.registry import twins
from firmware_sim.truth.ledger import Truth
from gateway.contract import Measurement


class Place(NamedTuple):
    driver: str
    twin: str
    address: int


LINES: dict[str, tuple[Sequence[Place], float]] = {
    "air": (
        (
            Place("senseair_s8", "senseair_s8", 1),
            Place("senseair_s8", "senseair_s8", 2),
            Place("senseair_k30", "senseair_k30", 0x68),
            Place("nextpm", "nextpm_modbus", 5),
        ),
        2.0,
    ),
    "traffic": ((Place("adec_tdc", "adec_tdc", 1), Place("adec_tdc", "adec_tdc", 2)), 5.0),
}
"""The devices of a line, and seconds between two rounds of questions."""


def _readings(said: Sequence[object]) -> int:
    fields = [one.fields for one in said if isinstance(one, Measurement)]
    return sum(int(one["intensity"]) if "intensity" in one else "co2" in one or "pm25" in one for one in fields)


@pytest.mark.parametrize("name", LINES)
def test_several_share_a_line_and_each_hears_itself_alone(name: str) -> None:
    places, period = LINES[name]
    truth = Truth()
    made: list[Any] = [
        twins()[one.twin].make(f"{one.address}", truth, f"{one.address}", address=one.address) for one in places
    ]
    found = [drivers.load(one.driver) for one in places]
    decoders: list[Any] = [
        driver.decoder(driver.options.model_validate({"address": one.address}))
        for driver, one in zip(found, places, strict=True)
    ]
    measured: Counter[str] = Counter()
    for turn in range(200):
        for number, place in enumerate(places):
            now = 20.0 + period * (turn + number / len(places))
            answers = [frame for twin in made for frame in twin.receive(decoders[number].poll(), now)]
            assert len(answers) <= 1
            for frame in answers:
                assert name != "air" or frame.data[0] == place.address
                # What one device says on a bus, the gateway gives to the driver that has asked; no other takes it.
                for other, decoder in enumerate(decoders):
                    said = decoder.feed(frame.data, int(now * 1e9)) if _may_hear(name, number, other) else []
                    assert other == number or not _readings(said)
                    measured[f"{places[other].address}"] += _readings(said)
                if frame.heard:
                    frame.heard(True)
            assert place.address == place.address
    assert measured == Counter(taken.sensor for taken in truth)
    assert min(measured.values()) > 150


def _may_hear(name: str, number: int, other: int) -> bool:
    """Tell whether a driver is fed an answer: those of the detectors hear each other's, too."""
    return number == other or name == "traffic"
