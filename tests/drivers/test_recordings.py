"""Every recording decodes to what it expects, and every device has one."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import drivers
from gateway.contract import (
    KINDS,
    VOCABULARY,
    Codec,
    Command,
    Driver,
    Measurement,
    MqttLink,
    Reject,
    Remark,
    SerialLink,
)
from tests.support.recordings import Output, Recording, device_of, expected, play, recordings

PYTHON_TYPES = {"float": float, "int": int, "bool": bool, "str": str}


def _of_all(find: Callable[[Recording], Iterator[str]]) -> str:
    """Return what ``find`` finds in each recording, a line each."""
    return "\n".join(f"{recording['name']}: {found}" for recording in recordings() for found in find(recording))


def _as_far_as_told(output: Output, wanted: Mapping[str, Any]) -> Output:
    """Forget of a reject or a remark what the recording leaves open."""
    if isinstance(output, Reject):
        return output._replace(
            raw=output.raw if "hex" in wanted else b"", detail=output.detail if "detail" in wanted else ""
        )
    if isinstance(output, Remark):
        return output._replace(
            what=output.what if "what" in wanted else "", detail=output.detail if "detail" in wanted else ""
        )
    return output


def _differences(recording: Recording) -> Iterator[str]:
    said = play(device_of(recording), recording)
    wanted = recording.get("expect", [])
    if len(said) != len(wanted):
        yield f"{len(said)} outputs where {len(wanted)} are expected: {said}"
        return
    for number, (output, one) in enumerate(zip(said, wanted, strict=True), 1):
        if _as_far_as_told(output, one) != expected(one):
            yield f"output {number} is {output}, expected {expected(one)}"


def test_every_recording_decodes_to_what_it_expects() -> None:
    differences = _of_all(_differences)
    assert not differences, differences


def _unclear_words(recording: Recording) -> Iterator[str]:
    if recording.get("provenance", "").split(":")[0] not in {"data sheet", "captured"}:
        yield "its provenance is neither a data sheet nor captured"
    if strange := set(recording) - {"provenance", "note", "options", "feed", "expect", "device", "name"}:
        yield f"unknown keys {sorted(strange)}"


def test_every_recording_says_where_it_comes_from() -> None:
    unclear = _of_all(_unclear_words)
    assert not unclear, unclear


def _undeclared(recording: Recording) -> Iterator[str]:
    device = device_of(recording)
    declared = {field.name for field in device.fields}
    for output in play(device, recording):
        if isinstance(output, Reject | Remark | Command):
            continue
        if surplus := output.fields.keys() - declared:
            yield f"fields that the device does not declare: {sorted(surplus)}"
        for name, value in output.fields.items():
            if name not in VOCABULARY or type(value) is not PYTHON_TYPES[VOCABULARY[name].type]:
                yield f"{name} is {value!r}, not of the type in the vocabulary"
        if isinstance(output, Measurement) and output.kind not in device.kinds:
            yield f"a kind that the device does not declare: {output.kind}"


def test_every_recording_yields_only_what_its_device_declares() -> None:
    undeclared = _of_all(_undeclared)
    assert not undeclared, undeclared


def test_every_device_has_recordings() -> None:
    recorded = {recording["device"] for recording in recordings()}
    assert recorded == {*drivers.names(), *drivers.codec_names()}


def _unsound(device: Driver | Codec) -> Iterator[str]:
    again = drivers.load_codec(device.name) if isinstance(device, Codec) else drivers.load(device.name)
    if again is not device:
        yield "its name loads another"
    if not device.title:
        yield "it has no title"
    if unknown := set(device.kinds) - set(KINDS):
        yield f"unknown kinds {sorted(unknown)}"
    if isinstance(device, Codec):
        if not device.kinds:
            yield "it has no kinds"
        return
    if not device.fields:
        yield "it has no fields"
    if not isinstance(device.link, MqttLink | SerialLink):
        yield f"its link is {device.link!r}"


def test_every_device_is_declared_soundly() -> None:
    devices: list[Driver | Codec] = [*drivers.load_all(), *drivers.load_all_codecs()]
    unsound = [f"{device.name}: {found}" for device in devices for found in _unsound(device)]
    assert not unsound, "\n".join(unsound)
