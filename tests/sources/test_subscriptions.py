"""What a session was asked for is remembered until the broker was told to forget it."""

from pathlib import Path

from gateway.sources.subscriptions import Subscriptions
from tests.support.disk import SimulatedDisk

FILE = Path("/data/subscriptions/broker.json")


def test_what_was_asked_for_is_known_after_a_power_cut() -> None:
    disk = SimulatedDisk()
    asked = Subscriptions(FILE, "prehod at broker", disk)
    assert asked.known == ()
    asked.remember(("a/+", "b/#"))
    disk.power_cut()
    assert Subscriptions(FILE, "prehod at broker", disk).known == ("a/+", "b/#")


def test_another_session_begins_with_nothing() -> None:
    disk = SimulatedDisk()
    Subscriptions(FILE, "prehod at broker", disk).remember(("a/+",))
    assert Subscriptions(FILE, "another at broker", disk).known == ()


def test_the_same_is_not_written_again() -> None:
    disk = SimulatedDisk()
    asked = Subscriptions(FILE, "prehod at broker", disk)
    asked.remember(("a/+", "b/#"))
    calls = len(disk.calls)
    asked.remember(("b/#", "a/+"))
    assert len(disk.calls) == calls


def test_a_disk_that_takes_nothing_is_tried_again() -> None:
    disk = SimulatedDisk()
    disk.put(FILE, b"no JSON")
    asked = Subscriptions(FILE, "prehod at broker", disk)
    disk.fail(times=10)
    asked.remember(("a/+",))
    disk.heal()
    asked.remember(("a/+",))
    assert Subscriptions(FILE, "prehod at broker", disk).known == ("a/+",)
