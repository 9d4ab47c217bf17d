"""The simulated edge node against bytes worked by hand, and its numbers, births and obedience."""

import pytest

from firmware_sim.devices.sparkplug_b import EdgeNode
from firmware_sim.parts.sparkplug import (
    BOOLEAN,
    DOUBLE,
    FLOAT,
    INT16,
    STRING,
    Metric,
    read,
    write_metric,
    write_payload,
)
from firmware_sim.parts.twin import Message
from firmware_sim.truth.ledger import Truth

NOON = 1_721_381_655_775_000_000
SECOND = 1_000_000_000
REBIRTH = bytes.fromhex("08 01 12 1a 0a 14") + b"Node Control/Rebirth" + bytes.fromhex("20 0b 70 01")


@pytest.fixture
def truth() -> Truth:
    return Truth()


@pytest.fixture
def node(truth: Truth) -> EdgeNode:
    return EdgeNode("koper", "edge-1", truth, "seed")


def run(node: EdgeNode, turns: int, begin: int = 0) -> list[Message]:
    """Let it speak, to somebody who hears it."""
    said = []
    for turn in range(begin, begin + turns):
        said += node.tick(10.0 * turn, NOON + 10 * SECOND * turn)
    for message in said:
        message.heard(True)
    return said


def seqs(messages: list[Message]) -> list[object]:
    return [read(message.payload).get(3, [None])[0] for message in messages]


@pytest.mark.parametrize(
    ("metric", "alias", "wide", "expected"),
    [
        (Metric("a", FLOAT, 12.5, 1), 7, False, "0a 01 61 10 07 18 01 20 09 65 00 00 48 41"),
        (Metric("a", DOUBLE, 1.0, 1), None, False, "0a 01 61 18 01 20 0a 69 00 00 00 00 00 00 f0 3f"),
        (Metric("a", INT16, -5, 1), None, False, "0a 01 61 18 01 20 02 50 fb ff 03"),
        (Metric("a", INT16, -5, 1), None, True, "0a 01 61 18 01 20 02 50 fb ff ff ff 0f"),
        (Metric("a", BOOLEAN, True, 300), None, False, "0a 01 61 18 ac 02 20 0b 70 01"),
        (Metric("a", STRING, "x", 1), None, False, "0a 01 61 18 01 20 0c 7a 01 78"),
        (Metric("a", FLOAT, None, 1), None, False, "0a 01 61 18 01 20 09 38 01"),
    ],
)
def test_a_metric_of_a_birth_is_written_by_the_schema(
    metric: Metric, alias: int | None, *, wide: bool, expected: str
) -> None:
    assert write_metric(metric, alias, birth=True, sign_extended=wide).hex(" ") == expected


def test_data_has_the_alias_alone_and_says_when_it_is_historical() -> None:
    metric = Metric("a", FLOAT, 12.5, 1)
    assert write_metric(metric, 7, birth=False, historical=True).hex(" ") == "10 07 18 01 28 01 65 00 00 48 41"
    assert write_payload(1, 2, [b"\x10\x07"]).hex(" ") == "08 01 12 02 10 07 18 02"


def test_births_come_first_and_every_message_has_the_next_number(node: EdgeNode) -> None:
    said = run(node, 200)
    assert [message.topic.split("/")[2] for message in said[:5]] == ["NBIRTH", "DBIRTH", "DBIRTH", "DDATA", "DDATA"]
    assert seqs(said) == [number % 256 for number in range(len(said))]
    assert node.births == 1


def test_a_command_that_is_as_it_should_be_makes_it_say_everything_again(node: EdgeNode, truth: Truth) -> None:
    run(node, 3)
    before = len(truth)
    assert node.receive(node.commands, REBIRTH)
    said = run(node, 1, begin=3)
    assert seqs(said)[:3] == [0, 1, 2]
    assert len(truth) == before + 2, "what is said again is no reading"


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("spBv1.0/koper/NCMD/another", REBIRTH),
        ("spBv1.0/koper/NCMD/edge-1", REBIRTH + b"\x18\x00"),
        ("spBv1.0/koper/NCMD/edge-1", REBIRTH[2:]),
        ("spBv1.0/koper/NCMD/edge-1", REBIRTH[:-1] + b"\x00"),
        ("spBv1.0/koper/NCMD/edge-1", b""),
    ],
    ids=["another's", "with seq", "without a time", "false", "empty"],
)
def test_a_command_that_the_standard_does_not_have_does_nothing(node: EdgeNode, topic: str, payload: bytes) -> None:
    run(node, 1)
    assert not node.receive(topic, payload)
    assert node.births == 1


def test_what_is_lost_leaves_a_gap_and_no_reading(node: EdgeNode, truth: Truth) -> None:
    run(node, 1)
    before = len(truth)
    node.lose(2)
    assert run(node, 1, begin=1) == []
    assert len(truth) == before
    assert seqs(run(node, 1, begin=2)) == [7, 8]


def test_a_restart_gives_birth_and_will_the_next_number_and_other_aliases(node: EdgeNode) -> None:
    first = run(node, 1)
    wills = [node.will().payload]
    node.reboot()
    second = run(node, 1, begin=1)
    wills.append(node.will().payload)
    assert second[1].payload != first[1].payload
    numbers = [read(next(one for one in read(will)[2] if isinstance(one, bytes)))[11][0] for will in wills]
    assert isinstance(numbers[0], int)
    assert numbers[1] == (numbers[0] + 1) % 256
    assert all(1 not in read(will) and 3 not in read(will) for will in wills)


def test_what_it_measured_while_away_is_marked_and_comes_once(node: EdgeNode, truth: Truth) -> None:
    run(node, 2)
    node.go_away()
    assert run(node, 5, begin=2) == []
    node.come_back()
    said = run(node, 1, begin=7)
    metrics = [read(one) for message in said for one in read(message.payload).get(2, []) if isinstance(one, bytes)]
    assert any(metric.get(5) == [1] for metric in metrics)
    times = [(taken.sensor, taken.time, tuple(taken.fields)) for taken in truth]
    assert len(times) == len(set(times))


def test_after_stop_it_measures_nothing_and_still_obeys(node: EdgeNode) -> None:
    run(node, 2)
    node.stop()
    assert run(node, 2, begin=2) == []
    assert node.receive(node.commands, REBIRTH)
    assert len(run(node, 1, begin=4)) == 3
