import base64
import json

import pytest

from firmware_sim.devices.chirpstack import ChirpStack
from firmware_sim.devices.milesight import Em500Co2, Vs340
from firmware_sim.parts.lorawan_node import Node
from firmware_sim.parts.twin import NEVER
from firmware_sim.truth.ledger import Truth

EUI = "70b3d57ed0041234"
NOON = 1_721_381_655_000_000_000


def make(truth: Truth, interval: float = 600.0, seed: str = "seed") -> Node:
    return Node(EUI, "seat-1", Vs340(), truth, ChirpStack("seed"), seed=seed, interval=interval)


def test_a_node_sends_once_an_interval_and_not_before() -> None:
    node = make(Truth(), interval=60.0)
    first = node.due()
    assert 0.0 <= first < 60.0
    assert node.tick(first - 0.001, NOON) == []
    (message,) = node.tick(first, NOON)
    assert base64.b64decode(json.loads(message.payload)["data"])[:2] == b"\x01\x75"
    assert node.due() == first + 60.0


def test_only_what_was_heard_is_entered_with_the_time_of_the_message() -> None:
    truth = Truth()
    node = make(truth)
    for arrived in (False, None, True):
        (message,) = node.tick(node.due(), NOON)
        message.heard(arrived)
    assert [(taken.certain, taken.time) for taken in truth] == [(False, NOON), (True, NOON)]


def test_a_kept_reading_is_entered_with_its_own_time() -> None:
    truth = Truth()
    node = Node(EUI, "air", Em500Co2(), truth, ChirpStack("seed"), seed="seed")
    while len({taken.time for taken in truth}) < 2:
        (message,) = node.tick(node.due(), NOON)
        message.heard(True)
    assert {taken.time for taken in truth} == {NOON, NOON - 900 * 10**9, NOON - 1800 * 10**9}


def test_the_same_seed_says_the_same() -> None:
    def said(seed: str) -> list[bytes]:
        node = make(Truth(), seed=seed)
        return [base64.b64decode(json.loads(node.tick(node.due(), NOON)[0].payload)["data"]) for _ in range(20)]

    assert said("one") == said("one")
    assert said("one") != said("two")


def test_after_stop_nothing_is_due() -> None:
    node = make(Truth())
    node.stop()
    assert node.due() == NEVER
    assert node.tick(1e9, NOON) == []


@pytest.mark.parametrize("counter", [0, 1])
def test_frames_are_counted_from_zero(counter: int) -> None:
    node = make(Truth())
    events = [json.loads(node.tick(node.due(), NOON)[0].payload) for _ in range(counter + 1)]
    assert events[-1].get("fCnt", 0) == counter
