"""Vectors that others wrote, where there are any: every ``*.jsonl`` in the folder that PREHOD_VECTORS names.

A line is one vector: ``device``, ``kind``, one of ``input_hex``, ``input_text``, ``input_json``, and ``expected``,
whose names are the vector's own. Each device that has a driver has a function, here or for a whole family of devices
in a ``vectors_*.py`` beside, that says what the driver reads in those names; a name it does not know fails, as does a
device that is in neither table.
"""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from runpy import run_path
from typing import Any

import pytest

from drivers import _omnipresense, chirpstack, sds011
from drivers._framing import Frames
from drivers._times import nanoseconds
from drivers.codecs import bosch_tps110
from gateway.contract import Measurement, Options, Reject, Uplink

Vector = Mapping[str, Any]
Names = Mapping[str, object]

FOLDER = os.environ.get("PREHOD_VECTORS", "")
WITHOUT_FOLDER = pytest.param({}, marks=pytest.mark.skip(reason="PREHOD_VECTORS names no folder of vectors"))

REASONS = {
    "header": {"noise"},
    "checksum": {"checksum"},
    "length": {"length", "noise"},
    "length field": {"length", "noise"},
    "json": {"length", "noise"},
    "empty": {"length", "noise", "unsupported"},
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
    of_code: Mapping[int, Names] = {
        sds011.REPORT_MODE: {"report_mode": "query" if found.value else "active"},
        sds011.SLEEP_WORK: {"state": "work" if found.value else "sleep"},
        sds011.FIRMWARE: {"firmware": "-".join(map(str, found.data))},
        sds011.WORKING_PERIOD: dict.fromkeys(
            ("working_period", "working_period_min", "period_min", "period"), found.value
        ),
        sds011.SET_ID: {"new_id": found.device.hex()},
    }
    return said | dict(of_code.get(found.code, {}))


def _sds011(vector: Vector) -> list[Names | Reject]:
    data = _bytes(vector)
    if vector["kind"] == "command":
        code, written, value, new_id, target = data[2], data[3], data[4], data[13:15], data[15:17]
        assert sds011.command(code, value if written else None, new_id=new_id, target=target) == data
        names = {"frame": "command", "command_id": code, "set": written, "value": value}
        return [{**names, "target_id": target.hex(), "new_id": new_id.hex()}]
    if vector["kind"] == "bad":
        decoder = sds011.Decoder(sds011.Sds011Options())
        said = [*decoder.feed(data, 0), *decoder.finish()]
        return [one if isinstance(one, Reject) else dict(one.fields) for one in said]
    frames: Frames[sds011.Report | sds011.Reply] = Frames(sds011.HEADERS, sds011.FRAME, lambda _: 10, sds011.parse)
    found = [*frames.feed(data), *frames.finish()]
    return [_sds011_names(one) for one in found if not isinstance(one, Reject)]


def _ops243(vector: Vector) -> list[Names | Reject]:
    said: list[Names | Reject] = []
    for line in _bytes(vector).splitlines() or [b""]:
        found = _omnipresense.parse(line)
        match found:
            case Reject():
                said.append(found)
            case _omnipresense.Answer(values):
                counts = values.get("TimedSpeedCounts")
                said.append({**values, **(counts if isinstance(counts, dict) else {})})
            case _omnipresense.Report():
                speed = {"object_speed" if found.sure else "speed": abs(found.speed)}
                numbers = {"magnitude": found.magnitude, "time": found.time, "unit": found.unit, "units": found.unit}
                said.append({**speed, **numbers, "direction": found.direction})
    return said


def _chirpstack(vector: Vector) -> list[Names | Reject]:
    topic = vector.get("meta", {}).get("topic", "application/1/device/0101010101010101/event/up")
    return [
        one
        if isinstance(one, Reject)
        else {
            "dev_eui": one.sensor,
            "f_port": one.port,
            "payload_hex": one.payload.hex(),
            "object": one.object,
            "time": one.time,
            "dedup": one.key,
            "f_cnt": one.fields.get("frame_counter"),
            "rssi_dBm": one.fields.get("rssi"),
            "snr_dB": one.fields.get("snr"),
        }
        for one in chirpstack.Decoder(Options()).decode(topic, _bytes(vector))
        if isinstance(one, Reject | Uplink)
    ]


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
    "chirpstack-v4-up": _chirpstack,
    "nova-sds011": _sds011,
    "omnipresense-ops24x": _ops243,
}


for _family in sorted(Path(__file__).parent.glob("vectors_*.py")):
    DEVICES |= run_path(str(_family))["DEVICES"]


def _same(name: str, said: object, wanted: object) -> bool:
    if name == "time" and isinstance(wanted, str) and isinstance(said, int):
        return said == nanoseconds(wanted)
    if name == "f_port":
        return (said or 0) == (wanted or 0)  # the envelope leaves a zero out
    if isinstance(said, int | float) and isinstance(wanted, int | float):
        return said == pytest.approx(wanted, abs=1e-9)
    return said == wanted


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
    wanted = expected.get("frames", [expected])
    assert len(said) == (wanted if isinstance(wanted, int) else len(wanted)), said
    for one, names in zip(said, wanted if isinstance(wanted, list) else [], strict=False):
        assert not isinstance(one, Reject)
        for name, value in names.items():
            assert name in one or name in IGNORED, f"no driver reads {name!r}"
            assert name in IGNORED or _same(name, one[name], value), f"{name}: {one[name]!r}, wanted {value!r}"


@pytest.mark.skipif(not FOLDER, reason="PREHOD_VECTORS names no folder of vectors")
def test_every_device_of_the_vectors_is_in_a_table() -> None:
    vectors = _vectors()
    assert vectors
    assert {vector["device"] for vector in vectors} <= NOT_YET | set(DEVICES)
    assert not NOT_YET & set(DEVICES)
