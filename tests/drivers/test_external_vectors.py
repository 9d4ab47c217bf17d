"""Vectors that others wrote, where there are any: every ``*.jsonl`` in the folder that PREHOD_VECTORS names.

A line is one vector: ``device``, ``kind``, one of ``input_hex``, ``input_text``, ``input_json``, and ``expected``,
whose names are the vector's own. `tests.drivers.vectors` says what the drivers read in such names, and its ``names``
which names and units are the same. A name that is not among them fails, as does a device that is in no table.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from drivers.common.times import nanoseconds
from gateway.contract import Reject
from tests.drivers.vectors import DEVICES, LEFT_OUT
from tests.drivers.vectors.common import Names, Said, Vector
from tests.drivers.vectors.names import find, same

FOLDER = os.environ.get("PREHOD_VECTORS", "")
pytestmark = pytest.mark.skipif(not FOLDER, reason="PREHOD_VECTORS names no folder of vectors")

REASONS = {
    "header": {"noise"},
    "checksum": {"checksum", "length"},  # what is cut short has no sum either
    "length": {"length", "noise", "range"},
    "length field": {"length", "noise"},
    "json": {"length", "noise"},
    "empty": {"length", "noise", "unsupported", "range"},
    "range": {"range", "unsupported"},
}
"""The vectors' words for what is wrong -> reasons that say the same; for other words every reason does."""

IGNORED = {"device_name", "application_id", "tags", "dr", "frequency", "frequency_Hz", "spreading_factor", "dev_addr"}
"""Names of things that drivers do not carry on purpose."""

NOT_YET: set[str] = set()
"""Devices without a driver: a new driver takes its vectors' name from here to the table of its family."""


def _same(name: str, said: object, wanted: object, kind: str) -> bool:
    if name == "time" and isinstance(wanted, str) and isinstance(said, int):
        return said == nanoseconds(wanted)
    if name == "f_port":
        return (said or 0) == (wanted or 0)  # the envelope leaves a zero out
    if kind == "conversion":
        return bool(said == pytest.approx(wanted, rel=0.01))  # their sources round to whole numbers
    return bool(same(said, wanted))


def _compare(said: Names, wanted: Mapping[str, object], vector: Vector) -> None:
    left_out = IGNORED | LEFT_OUT.get(vector["device"], frozenset())
    for name in [name for name in wanted if name not in left_out]:
        read, known = find(said, name)
        assert known, f"no driver reads {name!r}"
        assert _same(name, read, wanted[name], vector["kind"]), f"{name}: {read!r}, wanted {wanted[name]!r}"


def _wanted(stream: Mapping[str, Any]) -> list[Mapping[str, object]]:
    """Return the frames of a stream: as they are told, or each with its share of lists, or only so many of them.

    ``{"distances_mm": [1, 2]}`` is ``[{"distance_mm": 1}, {"distance_mm": 2}]``.
    """
    frames = stream.get("frames", 1)
    if isinstance(frames, list):
        return frames
    ones = {re.sub("s(?=_|$)", "", name, count=1): values for name, values in stream.items() if name != "frames"}
    if ones and all(isinstance(values, list) for values in ones.values()):
        return [dict(zip(ones, values, strict=True)) for values in zip(*ones.values(), strict=True)]
    return [{name: value for name, value in stream.items() if name != "frames"}] * frames


@cache
def _vectors() -> list[Vector]:
    lines = [line for path in sorted(Path(FOLDER).glob("*.jsonl")) for line in path.read_text("utf-8").splitlines()]
    return [json.loads(line) for line in lines if line.strip()]


def _check(vector: Vector, said: Said) -> None:
    expected = vector["expected"]
    if "error" in expected:
        assert said, "nothing was said of it"
        assert all(isinstance(one, Reject) for one in said), f"not refused: {said}"
        allowed = REASONS.get(expected["error"])
        reasons = {one.reason for one in said if isinstance(one, Reject)}
        assert allowed is None or reasons & allowed, f"refused for {reasons}, wanted {allowed}"
        return
    wanted = _wanted(expected) if vector["kind"] == "stream" else [expected]
    assert len(said) == len(wanted), said
    for one, names in zip(said, wanted, strict=True):
        assert not isinstance(one, Reject), one
        _compare(one, names, vector)


def _difference(vector: Vector) -> str | None:
    try:
        _check(vector, DEVICES[vector["device"]](vector))
    except AssertionError as error:
        return str(error)
    return None


def _differences() -> Iterator[str]:
    for number, vector in enumerate(_vectors()):
        if vector["device"] in DEVICES and (difference := _difference(vector)) is not None:
            yield f"{vector['device']}-{vector['kind']}-{number}: {difference}"


def test_every_vector_is_read_as_it_expects() -> None:
    differences = list(_differences())
    assert not differences, "\n".join(differences)


def test_every_device_of_the_vectors_is_in_a_table() -> None:
    vectors = _vectors()
    assert vectors
    assert {vector["device"] for vector in vectors} <= NOT_YET | set(DEVICES)
    assert not NOT_YET & set(DEVICES)
