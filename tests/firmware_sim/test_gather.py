"""Metrics of one field each are put together to the readings they were, of every kind there is."""

import pytest

from firmware_sim.servers.readback import KINDS, gather
from firmware_sim.truth.points import StoredPoint
from gateway.vocabulary import KINDS as EVERY_KIND


def test_the_kinds_are_those_of_the_vocabulary() -> None:
    assert KINDS == EVERY_KIND


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_a_reading_of_any_kind_is_whole_again(kind: str) -> None:
    tags = {"sensor": "x"}
    metrics = [StoredPoint(f"{kind}_{name}", tags, {"value": value}, 7) for name, value in (("a_b", 1.5), ("c", 2.0))]
    assert gather(metrics) == [StoredPoint(kind, tags, {"a_b": 1.5, "c": 2.0}, 7)]
