"""The Sparkplug driver against a simulated edge node: each reading once, whatever went wrong on the way."""

from collections.abc import Iterable
from typing import Any

import pytest

import drivers
from firmware_sim.devices.sparkplug_b import DRIVER, EdgeNode
from firmware_sim.parts.twin import Message
from firmware_sim.truth.ledger import Truth
from gateway.contract import Command, Measurement, Reject

NOON = 1_721_381_655_775_000_000
SECOND = 1_000_000_000

Point = tuple[str | None, str, int | None, str]


class Bench:
    """A node, the driver, and a broker that carries every message at once, and every command before the next."""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 -- the node's own settings
        driver = drivers.load(DRIVER)
        self.decoder: Any = driver.decoder(driver.options())
        self.truth = Truth()
        self.node = EdgeNode("koper", "edge-1", self.truth, "seed", **settings)
        self.obeyed = 0
        self.obeys = True
        self.read: list[Measurement] = []
        self.rejects: list[Reject] = []
        self._turns = 0

    @property
    def now(self) -> int:
        return NOON + self._turns * 10 * SECOND

    def run(self, turns: int) -> None:
        for _ in range(turns):
            self._turns += 1
            self.carry(self.node.tick(10.0 * self._turns, self.now))

    def carry(self, messages: Iterable[Message]) -> None:
        for message in messages:
            for said in self.decoder.decode(message.topic, message.payload):
                match said:
                    case Measurement():
                        self.read.append(said)
                    case Reject():
                        self.rejects.append(said)
                    case Command() if self.obeys:
                        self.obeyed += self.node.receive(said.topic, said.payload)
            message.heard(True)

    def differences(self) -> tuple[list[Point], list[Point]]:
        """Return what was measured and not read, and what was read too often or wrong."""
        said = sorted(
            (one.sensor or "", one.kind, one.time or 0, f"{name}={value}")
            for one in self.read
            for name, value in one.fields.items()
            if name != "event"
        )
        meant = sorted(
            (one.sensor, one.kind, one.time or 0, f"{name}={value}")
            for one in self.truth
            for name, value in one.fields.items()
        )
        missing, surplus = list(meant), []
        for point in said:
            if point in missing:
                missing.remove(point)
            else:
                surplus.append(point)
        return [*missing], [*surplus]


@pytest.mark.parametrize("sign_extended", [False, True])
def test_everything_measured_is_read_once(*, sign_extended: bool) -> None:
    bench = Bench(sign_extended=sign_extended)
    bench.run(300)
    assert bench.differences() == ([], [])
    assert len(bench.truth) > 500
    assert any(str(one.fields.get("temperature")).startswith("-") for one in bench.read)
    assert (bench.node.births, bench.obeyed, bench.rejects) == (1, 0, [])


def test_a_driver_that_comes_late_asks_for_a_birth_and_loses_nothing_that_is_current() -> None:
    bench = Bench()
    bench.node.lose(3)  # the births
    bench.run(200)
    assert bench.node.births == 2
    assert bench.obeyed == len(bench.rejects) == 2, "both devices spoke before the node did as it was told"
    assert bench.differences() == ([], [])
    assert {reject.reason for reject in bench.rejects} == {"unsupported"}
    assert all(reject.detail.endswith("its NBIRTH was not heard") for reject in bench.rejects)


def test_after_a_gap_nothing_is_read_by_alias_until_the_node_is_born_again() -> None:
    bench = Bench()
    bench.obeys = False
    bench.run(5)
    bench.node.lose(1)
    before = len(bench.read)
    bench.run(20)
    assert len(bench.read) <= before + 1  # what came of the turn before the one that was lost
    assert {reject.reason for reject in bench.rejects} == {"unsupported"}
    bench.obeys = True
    bench.run(50)
    assert bench.differences()[1] == []
    assert bench.read[-1].time == bench.now // 1_000_000 * 1_000_000 + 1_000_000  # the second device's millisecond


def test_a_birth_that_was_asked_for_doubles_nothing() -> None:
    bench = Bench()
    for _ in range(30):
        bench.run(3)
        bench.node.lose(1)
    bench.run(2)
    assert bench.node.births == 31
    assert bench.differences() == ([], [])


def test_other_aliases_after_a_restart_are_never_read_as_the_old_ones() -> None:
    bench = Bench()
    for lost in range(6):  # of NBIRTH, two DBIRTHs and what follows
        bench.run(4)
        bench.node.reboot()
        bench.node.lose(lost)
        bench.run(4)
    assert bench.differences()[1] == []


def test_what_was_measured_while_away_comes_later_with_its_own_times() -> None:
    bench = Bench()
    bench.run(5)
    bench.node.go_away()
    bench.run(10)
    assert len({one.time for one in bench.read}) == 2 + 2 * 5
    bench.node.come_back()
    bench.run(5)
    assert bench.differences() == ([], [])
    assert len(bench.truth) > 30


def test_a_device_that_is_unplugged_is_offline_and_back_with_its_birth() -> None:
    bench = Bench()
    bench.run(3)
    bench.carry(bench.node.unplug("bay", bench.now))
    assert bench.read[-1] == Measurement(
        "parking", {"event": "offline"}, "koper/edge-1/bay", bench.now // 1_000_000 * 1_000_000
    )
    bench.run(3)
    assert {one.sensor for one in bench.read[-3:]} == {"koper/edge-1/air"}
    bench.carry(bench.node.plug("bay", bench.now))
    bench.run(10)
    assert bench.differences() == ([], [])
    assert (bench.obeyed, bench.rejects) == (0, [])


def test_a_will_takes_every_device_offline_once() -> None:
    bench = Bench()
    bench.run(3)
    before = len(bench.read)
    bench.carry([bench.node.will(), bench.node.will()])
    assert {(one.sensor, one.kind, one.time) for one in bench.read[before:]} == {
        ("koper/edge-1/air", "air_quality", None),
        ("koper/edge-1/bay", "parking", None),
    }
    assert len(bench.read) == before + 2


def test_the_will_of_an_earlier_connection_comes_too_late_to_mean_anything() -> None:
    bench = Bench()
    bench.run(3)
    old = bench.node.will()
    bench.node.reboot()
    bench.run(3)
    bench.carry([old])
    bench.run(3)
    assert "event" not in {name for one in bench.read for name in one.fields}
    assert (bench.obeyed, bench.differences()) == (0, ([], []))
