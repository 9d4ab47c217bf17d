"""Vectors that others wrote, where there are any: every ``*.jsonl`` in the folder that PREHOD_VECTORS names.

A line is one vector: ``device``, ``kind``, one of ``input_hex``, ``input_text``, ``input_json``, and ``expected``,
whose names are the vector's own. Each device that has a driver has a function, here or for a whole family of devices
in a ``vectors_*.py`` beside, that says what the driver reads in such names; ``vector_names.py`` knows which names and
units are the same. A name that is not among them fails, as does a device that is in neither table.
"""

import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from runpy import run_path
from typing import Any

import pytest

from drivers import ops243, sds011
from drivers.codecs import bosch_tps110
from drivers.common.framing import Frames
from drivers.common.times import nanoseconds
from gateway.contract import Measurement, Options, Reject

Vector = Mapping[str, Any]
Names = Mapping[str, object]

REFUSED: Callable[..., list[Names | Reject]] = run_path(str(Path(__file__).with_name("vector_whole.py")))["refused"]

FOLDER = os.environ.get("PREHOD_VECTORS", "")
WITHOUT_FOLDER = pytest.param({}, marks=pytest.mark.skip(reason="PREHOD_VECTORS names no folder of vectors"))

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
"""Devices without a driver: a new driver takes its vectors' name from here to `DEVICES`."""


def _bytes(vector: Vector) -> bytes:
    if "input_hex" in vector:
        return bytes.fromhex(vector["input_hex"])
    if "input_text" in vector:
        return str(vector["input_text"]).encode()
    return json.dumps(vector["input_json"]).encode()


def _sds011_names(found: sds011.Report | sds011.Reply) -> Names:
    common = {"device_id": found.device.hex()}
    if isinstance(found, sds011.Report):
        return {**common, "frame": "measurement", "pm2_5_ug_m3": found.pm25, "pm10_ug_m3": found.pm10}
    said = {**common, "frame": "reply", "command_id": found.code, "set": found.data[0], "value": found.value}
    if found.code == sds011.FIRMWARE:
        return said | {"firmware": "-".join(map(str, found.data))}
    return {**said, "new_id": found.device.hex(), **_sds011_meaning(found.code, found.value)}


def _sds011_meaning(code: int, value: int) -> Names:
    of_code: Mapping[int, Names] = {
        sds011.REPORT_MODE: {"report_mode": "query" if value else "active"},
        sds011.SLEEP_WORK: {"state": "work" if value else "sleep"},
        sds011.WORKING_PERIOD: {"working_period_min": value},
    }
    return of_code.get(code, {})


def _sds011(vector: Vector) -> list[Names | Reject]:
    data = _bytes(vector)
    if vector["kind"] == "command":
        code, written, value, new_id, target = data[2], data[3], data[4], data[13:15], data[15:17]
        assert sds011.command(code, value if written else None, new_id=new_id, target=target) == data
        names = {"frame": "command", "command_id": code, "set": written, "value": value}
        return [{**names, **_sds011_meaning(code, value), "target_id": target.hex(), "new_id": new_id.hex()}]
    if vector["kind"] == "bad":
        return REFUSED("sds011", data)
    frames: Frames[sds011.Report | sds011.Reply] = Frames(sds011.HEADERS, sds011.FRAME, lambda _: 10, sds011.parse)
    found = [*frames.feed(data), *frames.finish()]
    return [_sds011_names(one) for one in found if not isinstance(one, Reject)]


def _ops243(vector: Vector) -> list[Names | Reject]:
    if vector["kind"] == "command":
        sent = _bytes(vector).strip()
        assert sent in (*ops243.START, ops243.UNITS)
        return [{"command": sent.decode()}]
    said: list[Names | Reject] = []
    for line in _bytes(vector).splitlines() or [b""]:
        found = ops243.parse(line)
        match found:
            case Reject():
                said.append(found)
            case ops243.Answer(values):
                counts = values.get("TimedSpeedCounts")
                said.append({**values, **(counts if isinstance(counts, dict) else {})})
            case ops243.Report():
                speed = {"object_speed" if found.sure else "speed": abs(found.speed)}
                numbers = {"magnitude": found.magnitude, "time": found.time, "unit": found.unit, "units": found.unit}
                said.append({**speed, **numbers, "direction": found.direction})
    return said


def _bosch_tps110(vector: Vector) -> list[Names | Reject]:
    data = _bytes(vector)
    said: list[Names | Reject] = []
    for one in bosch_tps110.decode(vector["meta"]["f_port"], data, Options()):
        if isinstance(one, Measurement):
            names = {"firmware": "firmware_version", "reset_cause_raw": "reset_cause", "temperature_C": "temperature"}
            read = {theirs: one.fields.get(ours) for theirs, ours in names.items()}
            said.append({**one.fields, **read, "debug_codes": bosch_tps110.debug_codes(data)})
        else:
            said.append(one)
    return said


DEVICES: dict[str, Callable[[Vector], list[Names | Reject]]] = {
    "bosch-tps110": _bosch_tps110,
    "nova-sds011": _sds011,
    "omnipresense-ops24x": _ops243,
}


LEFT_OUT: dict[str, frozenset[str]] = {}
"""Device -> names of what it says and its driver leaves out on purpose: known, and not compared."""

for _family in sorted(Path(__file__).parent.glob("vectors_*.py")):
    _tables = run_path(str(_family))
    DEVICES |= _tables["DEVICES"]
    LEFT_OUT |= _tables.get("LEFT_OUT", {})


NAMES = run_path(str(Path(__file__).with_name("vector_names.py")))


def _same(name: str, said: object, wanted: object, kind: str) -> bool:
    if name == "time" and isinstance(wanted, str) and isinstance(said, int):
        return said == nanoseconds(wanted)
    if name == "f_port":
        return (said or 0) == (wanted or 0)  # the envelope leaves a zero out
    if kind == "conversion":
        return bool(said == pytest.approx(wanted, rel=0.01))  # their sources round to whole numbers
    return bool(NAMES["same"](said, wanted))


def _compare(said: Names, wanted: Mapping[str, object], vector: Vector) -> None:
    left_out = IGNORED | LEFT_OUT.get(vector["device"], frozenset())
    for name in [name for name in wanted if name not in left_out]:
        read, known = NAMES["find"](said, name)
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


def _vectors() -> list[Vector]:
    lines = [line for path in sorted(Path(FOLDER).glob("*.jsonl")) for line in path.read_text("utf-8").splitlines()]
    return [json.loads(line) for line in lines if line.strip()]


def _with_driver() -> list[Any]:
    vectors = _vectors() if FOLDER else []
    return [
        pytest.param(vector, id=f"{vector['device']}-{vector['kind']}-{number}")
        for number, vector in enumerate(vectors)
        if vector["device"] in DEVICES
    ] or [WITHOUT_FOLDER]


@pytest.mark.parametrize("vector", _with_driver())
def test_a_vector_is_read_as_it_expects(vector: Vector) -> None:
    said = DEVICES[vector["device"]](vector)
    expected = vector["expected"]
    if "error" in expected:
        assert said
        assert all(isinstance(one, Reject) for one in said)
        allowed = REASONS.get(expected["error"])
        assert allowed is None or any(isinstance(one, Reject) and one.reason in allowed for one in said)
        return
    wanted = _wanted(expected) if vector["kind"] == "stream" else [expected]
    assert len(said) == len(wanted), said
    for one, names in zip(said, wanted, strict=True):
        assert not isinstance(one, Reject)
        _compare(one, names, vector)


@pytest.mark.skipif(not FOLDER, reason="PREHOD_VECTORS names no folder of vectors")
def test_every_device_of_the_vectors_is_in_a_table() -> None:
    vectors = _vectors()
    assert vectors
    assert {vector["device"] for vector in vectors} <= NOT_YET | set(DEVICES)
    assert not NOT_YET & set(DEVICES)
