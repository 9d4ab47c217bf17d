"""Frames and messages from the field: every line of ``devices.jsonl`` in the folder that PREHOD_CASES names.

A line is a vector as in `tests.drivers.test_external_vectors`, with ``driver``, the module that reads it. Its names
are the vocabulary's with the unit behind them (``pm25_ug_m3``). A name that is none of the vocabulary's and is not in
`OTHER_NAMES` or `LEFT_OUT` fails, so that nothing is compared by accident with nothing.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import drivers
from drivers.common.times import nanoseconds
from gateway.contract import VOCABULARY, Codec, Driver, Measurement, Reject, Remark
from tests.drivers.vectors.names import same

FOLDER = os.environ.get("PREHOD_CASES", "")
needs_cases = pytest.mark.skipif(not FOLDER, reason="PREHOD_CASES names no folder of cases")

UNITS: Mapping[str, float] = {
    **dict.fromkeys(("ug_m3", "per_cm3", "ppm", "ppb", "hPa", "degC", "mm", "lx", "km_h", "m_s", "deg", "V", "m"), 1),
    "mV": 0.001,
}
"""A unit as the end of a name -> how many of the vocabulary's it is."""

OTHER_NAMES: Mapping[str, str] = {
    "battery": "battery_voltage",
    "hdop": "horizontal_dilution",
    "hw_health": "device_error",
    "left_to_right": "intensity",
    "left_to_right_speed": "average_vehicle_speed",
    "motion_count": "motion",
    "pulses_total": "total_count",
    "right_to_left": "intensity",
    "right_to_left_speed": "average_vehicle_speed",
    "strength": "signal_strength",
    "tvoc_ug_m3": "tvoc_mass",
}
"""A case's name -> the vocabulary's."""

LEFT_OUT = {
    *("note", "command", "gps", "grid_eye", "analog", "setpoint", "battery_24h_mean"),  # nothing that is stored
    *("type", "category", "interval_end"),
}
"""Names of what a device says and no field holds."""

MISTAKEN = {("milesight-am102", "2023-02-15T02:31:24Z"): "2023-02-15T02:33:00Z"}
"""Device and time of a case -> the time that its bytes say: 5C 44 EC 63 is 1676428380 s."""

TAGS = ("probe", "vehicle_type")

WHERE: Mapping[str, Mapping[str, str]] = {
    "left_to_right": {"direction": "left_to_right"},
    "left_to_right_speed": {"direction": "left_to_right"},
    "right_to_left": {"direction": "right_to_left"},
    "right_to_left_speed": {"direction": "right_to_left"},
}
"""Names of one direction -> the tags of its measurement."""

OPTIONS: Mapping[str, Mapping[str, object]] = {
    "dragino_ldds75": {"probe": "tenths"},
    "frigate": {"speed_unit": "km/h"},
    "nmea0183": {"interval": "0s"},
    "sparkplug_b": {"kind": "air_quality"},
}
"""What a technician has set for such a device, where a case needs it; a case's own options come before."""

MODELS = {
    "milesight-am102": {"model": "am102"},
    "milesight-am103": {"model": "am103"},
}


@dataclass
class Heard:
    """What a driver said of one case."""

    device: str
    measured: list[Measurement] = field(default_factory=list)
    refused: list[Reject] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)

    def add(self, said: Iterable[object]) -> None:
        for one in said:
            if isinstance(one, Measurement):
                self.measured.append(one)
            elif isinstance(one, Reject):
                self.refused.append(one)
            elif isinstance(one, Remark):
                self.remarks.append(one)

    def values(self, name: str, tags: Mapping[str, str]) -> list[object]:
        found = [one for one in self.measured if all(one.tags.get(tag) == value for tag, value in tags.items())]
        return [one.fields[name] for one in found if name in one.fields]


def options_of(case: Mapping[str, Any]) -> dict[str, object]:
    meta = case.get("meta", {})
    options: dict[str, object] = {**OPTIONS.get(case["driver"], {}), **MODELS.get(case["device"], {})}
    said = meta.get("options", ())
    pairs = said.items() if isinstance(said, dict) else (one.split("=") for one in said)
    return options | {name: {"true": True, "false": False}.get(value, value) for name, value in pairs}


def payload_of(case: Mapping[str, Any]) -> bytes:
    if "input_hex" in case:
        return bytes.fromhex(case["input_hex"])
    if "input_text" in case:
        return str(case["input_text"]).encode() + b"\r\n"
    return json.dumps(case["input_json"]).encode()


def messages_of(case: Mapping[str, Any]) -> list[tuple[str, bytes]]:
    """Return topic and payload of each message of a case; of a Sparkplug node first those that came before."""
    if case["kind"] != "stream":
        return [(case.get("meta", {}).get("topic", ""), payload_of(case))]
    messages = [(one["topic"], bytes.fromhex(one["payload_hex"])) for one in case["input_json"]]
    if case["driver"] == "sparkplug_b" and "/NBIRTH/" not in messages[0][0]:
        return [*_counted_around(), *messages]
    return messages


def _counted_around() -> Iterator[tuple[str, bytes]]:
    """Return what a Sparkplug node says up to message 255: births, then data that says nothing new."""
    name = b"temperature"
    alias = bytes((0x0A, len(name))) + name + b"\x10\x07\x18\x01\x20\x03\x38\x01"  # null
    yield "spBv1.0/g/NBIRTH/n", b"\x08\x01\x18\x00"
    yield "spBv1.0/g/DBIRTH/n/d", b"\x08\x01\x12" + bytes((len(alias),)) + alias + b"\x18\x01"
    for number in range(2, 256):
        seq = bytes((number,)) if number < 0x80 else bytes((number & 0x7F | 0x80, 1))
        yield "spBv1.0/g/DDATA/n/d", b"\x08\x02\x18" + seq


def _named(name: str) -> tuple[str, float]:
    """Return the vocabulary's name for a case's, and what the number is multiplied by."""
    if name in VOCABULARY or name in OTHER_NAMES or name in LEFT_OUT:
        return OTHER_NAMES.get(name, name), 1
    for unit in sorted(UNITS, key=len, reverse=True):
        if name.endswith(f"_{unit}"):
            stem = name.removesuffix(f"_{unit}")
            return OTHER_NAMES.get(stem, stem), UNITS[unit]
    return name, 1


def reader_of(case: Mapping[str, Any]) -> Driver | Codec:
    """Return the driver or the codec that reads a case."""
    name = case["driver"]
    return drivers.load_codec(name) if name in drivers.codec_names() else drivers.load(name)


def impossible(driver: Driver | Codec, heard: Heard) -> Iterator[str]:
    """Return the fields of what was said that are beyond what the driver says that can be."""
    lowest = {one.name: one.low for one in driver.fields}
    for measured in heard.measured:
        for name, value in measured.fields.items():
            low = lowest.get(name)
            if isinstance(value, int | float) and low is not None and value < low:
                yield f"{name} {value} is beyond its bound {low}"


def _times(heard: Heard) -> set[object]:
    return {one.time for one in heard.measured} | {one.fields.get("satellite_time") for one in heard.measured}


def differences(case: Mapping[str, Any], heard: Heard) -> Iterator[str]:
    expected = case["expected"]
    if "error" in expected:
        if heard.measured or not heard.refused:
            yield f"not refused: {heard}"
        return
    if "error_or_absent" in expected:
        if not heard.measured or any("pm25" in one.fields and not one.quality for one in heard.measured):
            yield f"neither absent nor marked: {heard.measured}"
        return
    if not heard.measured and set(expected) - {"note", "gps", "grid_eye", "analog_mV", "command"}:
        yield f"nothing read: {heard.refused}"
        return
    if "absent" in expected:
        yield from impossible(reader_of(case), heard)
    if "error_or_mark" in expected and not list(impossible(reader_of(case), heard)):
        yield "what cannot be is not marked"
    for name, wanted in expected.items():
        if name not in ("absent", "error_or_mark"):
            yield from _compared(name, wanted, heard)


def _compared(name: str, wanted: Any, heard: Heard) -> Iterator[str]:  # noqa: ANN401 -- cases hold anything
    ours, factor = _named(name)
    if name == "sensor":
        found: Sequence[object] = sorted({str(one.sensor) for one in heard.measured})
    elif name == "time_utc":
        found, wanted = [nanoseconds(MISTAKEN.get((heard.device, wanted), wanted)) in _times(heard)], True
    elif name in TAGS:
        found = [one.tags[name] for one in heard.measured if name in one.tags]
    elif ours in LEFT_OUT:
        return
    elif ours not in VOCABULARY:
        yield f"no field is called {name}"
        return
    else:
        where = WHERE.get(name.removesuffix("_km_h"), {})
        found = [one / factor if isinstance(one, float) else one for one in heard.values(ours, where)]
    if isinstance(wanted, list):
        named = {word.strip(",") for remark in heard.remarks for word in remark.detail.split()}
        alone = (
            found == wanted[-1:] and {str(one) for one in wanted[:-1]} <= named
        )  # the newest holds, others are told
        sound = alone or (len(wanted) == len(found) and all(map(_same, found, wanted)))
    else:
        sound = bool(found) and all(_same(one, wanted) for one in found)
    if not sound:
        yield f"{name}: {found}, wanted {wanted!r}"


def _same(value: object, wanted: object) -> bool:
    if isinstance(wanted, bool) and isinstance(value, int) and not isinstance(value, bool):
        return bool(value) == wanted
    if isinstance(wanted, str) and isinstance(value, str):
        return wanted.replace(" ", "") in value.replace(" ", "")
    return same(value, wanted)


def read_cases() -> list[dict[str, Any]]:
    path = Path(FOLDER) / "devices.jsonl"
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
