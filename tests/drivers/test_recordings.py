"""Every recording decodes to what it expects, and every device has one."""

from collections.abc import Callable, Mapping
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
    SerialLink,
    Uplink,
)

Output = Measurement | Reject | Uplink | Command
Recording = Mapping[str, Any]
Play = Callable[[Driver | Codec, Recording], list[Output]]

PYTHON_TYPES = {"float": float, "int": int, "bool": bool, "str": str}


def _of(recording: Recording) -> Driver | Codec:
    name = recording["device"]
    return drivers.load_codec(name) if name in drivers.codec_names() else drivers.load(name)


def _plain(output: Output, wanted: Mapping[str, Any]) -> Output:
    """Forget of a reject what the recording leaves open."""
    if isinstance(output, Reject):
        return output._replace(
            raw=output.raw if "hex" in wanted else b"", detail=output.detail if "detail" in wanted else ""
        )
    return output


def test_a_recording_decodes_to_what_it_expects(
    recording: Recording, play: Play, expected: Callable[[Mapping[str, Any]], Output]
) -> None:
    said = play(_of(recording), recording)
    wanted = recording.get("expect", [])
    assert len(said) == len(wanted), said
    for output, one in zip(said, wanted, strict=True):
        assert _plain(output, one) == expected(one)


def test_a_recording_says_where_it_comes_from(recording: Recording) -> None:
    assert recording["provenance"].split(":")[0] in {"data sheet", "captured"}
    assert set(recording) <= {"provenance", "note", "options", "feed", "expect", "device", "name"}


def test_a_recording_yields_only_what_the_device_declares(recording: Recording, play: Play) -> None:
    device = _of(recording)
    declared = {field.name for field in device.fields}
    for output in play(device, recording):
        if isinstance(output, Reject | Command):
            continue
        assert set(output.fields) <= declared
        for name, value in output.fields.items():
            assert type(value) is PYTHON_TYPES[VOCABULARY[name].type], name
        if isinstance(output, Measurement):
            assert output.kind in device.kinds


def test_every_device_has_recordings(recordings: list[Recording]) -> None:
    recorded = {recording["device"] for recording in recordings}
    assert recorded == {*drivers.names(), *drivers.codec_names()}


def test_a_device_is_declared_soundly(device: Driver) -> None:
    assert drivers.load(device.name) is device
    assert set(device.kinds) <= set(KINDS)
    assert device.title
    assert device.fields
    assert isinstance(device.link, MqttLink | SerialLink)


def test_a_codec_is_declared_soundly(codec: Codec) -> None:
    assert drivers.load_codec(codec.name) is codec
    assert codec.kinds
    assert set(codec.kinds) <= set(KINDS)
    assert codec.title
