"""Twins of distance meters and of a satellite receiver."""

from functools import reduce
from operator import xor

import pytest

from firmware_sim.devices.a02yyuw import A02yyuw
from firmware_sim.devices.jsn_sr04t import JsnSr04t
from firmware_sim.devices.maxbotix import BANNER, Maxbotix
from firmware_sim.devices.nmea0183 import Nmea0183
from firmware_sim.devices.tfmini import PIXHAWK, Tfmini
from firmware_sim.parts.twin import NEVER, Frame
from firmware_sim.truth.ledger import Truth


def said(frames: list[Frame]) -> bytes:
    for frame in frames:
        if frame.heard:
            frame.heard(True)
    return b"".join(frame.data for frame in frames)


@pytest.fixture
def truth() -> Truth:
    return Truth()


def test_an_a02yyuw_says_what_the_ledger_holds(truth: Truth) -> None:
    twin = A02yyuw("bay-1", truth, "seed")
    twin.bay.fixed = 1953
    assert twin.tick(0.2) == []
    assert said(twin.tick(0.3)).hex() == "ff07a1a7"
    twin.bay.lost = True
    assert said(twin.tick(0.6)).hex() == "ff0000ff"
    assert [taken.fields for taken in truth] == [{"distance": 1953.0}]


@pytest.mark.parametrize(("header", "frame"), [(True, "ff00dedd"), (False, "ff00dede")])
def test_a_jsn_sr04t_waits_to_be_asked(truth: Truth, header: bool, frame: str) -> None:
    twin = JsnSr04t("bay-1", truth, "seed", header=header)
    twin.bay.fixed = 222
    assert twin.due() == NEVER
    assert said(twin.receive(b"\x54\x55", 1.0)).hex() == frame
    assert len(truth) == 1


def test_a_maxbotix_introduces_itself_after_each_power_on_and_clips_what_it_cannot_see(truth: Truth) -> None:
    twin = Maxbotix("bay-1", truth, "seed")
    twin.bay.fixed = 100
    assert said(twin.tick(1.0)) == BANNER + b"R0300\r"
    twin.bay.fixed = 1234
    assert said(twin.tick(2.0)) == b"R1234\r"
    twin.power_cycle(3.0)
    twin.bay.lost = True
    assert said(twin.tick(4.0)) == BANNER + b"R5000\r"


def test_a_tfmini_obeys_and_forgets_what_was_not_saved(truth: Truth) -> None:
    twin = Tfmini("bay-1", truth, "seed")
    assert said(twin.receive(bytes.fromhex("5a050502665a04015f"), 0.0)).hex() == "5a050502665a07010600026a"
    twin.bay.fixed = 2071
    assert said(twin.tick(1.0)) == b"2.07\r\n"
    assert said(twin.receive(bytes.fromhex("5a0603000063"), 1.0)).hex() == "5a0603000063"
    assert twin.due() == NEVER
    assert said(twin.receive(bytes.fromhex("5a040462"), 2.0)) == b"2.07\r\n"
    assert twin.format == PIXHAWK
    twin.power_cycle(3.0)
    assert said(twin.tick(4.0))[:4].hex() == "5959cf00"


def test_a_receiver_searches_first_and_signs_each_line(truth: Truth) -> None:
    twin = Nmea0183("gps", truth, "seed")
    assert b",V," in said(twin.tick(1.0))
    assert len(truth) == 0
    lines = said(twin.tick(6.0)).split(b"\r\n")[:-1]
    assert [line[:6] for line in lines] == [b"$GNRMC", b"$GNGGA", b"$GPGSV"]
    for line in lines:
        assert int(line[-2:], 16) == reduce(xor, line[1:-3], 0)
    assert [set(taken.fields) - {"latitude", "longitude"} for taken in truth] == [{"satellite_time"}, {"satellites"}]
