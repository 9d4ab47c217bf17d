"""The laws over every driver and codec, found by discovery: a new one is held to them without a line here."""

import gc
import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from copy import deepcopy
from functools import partial
from itertools import pairwise
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import drivers
from gateway.contract import (
    Codec,
    Command,
    Driver,
    FieldValue,
    Measurement,
    Options,
    Reject,
    Remark,
    SerialLink,
    Uplink,
)
from tests.support.recordings import Output, fitting_options, messages_of, streams_of


def _documents_of(driver: Driver) -> list[tuple[str, Any]]:
    """Return topic and content of the messages in a driver's recordings that are JSON, and not nearly so."""
    found = []
    for topic, payload in messages_of(driver.name):
        if payload.lstrip()[:1] in (b"{", b"["):
            with suppress(ValueError):
                found.append((topic, json.loads(payload)))
    return found


DRIVERS = drivers.load_all()
SERIAL = [driver for driver in DRIVERS if isinstance(driver.link, SerialLink)]
MQTT = [driver for driver in DRIVERS if not isinstance(driver.link, SerialLink)]
JSON = [
    driver for driver in MQTT if any(payload.lstrip()[:1] in (b"{", b"[") for _, payload in messages_of(driver.name))
]
CODECS = drivers.load_all_codecs()
READERS = [codec for codec in CODECS if codec.from_object is not None]
"""Codecs that read a network server's object too; servers send it beside the payload, which is enough for most."""


def _name(device: Driver | Codec) -> str:
    return device.name


for_each_serial_driver = pytest.mark.parametrize("driver", SERIAL, ids=_name)
for_each_mqtt_driver = pytest.mark.parametrize("driver", MQTT, ids=_name)
for_each_codec = pytest.mark.parametrize("codec", CODECS, ids=_name)

EXAMPLES = int(os.environ.get("PREHOD_EXAMPLES", "40"))
"""For each law and driver; fifty drivers share the suite's minutes. A release is worth PREHOD_EXAMPLES=1000."""

LAW = settings(deadline=None, derandomize=True, database=None, max_examples=EXAMPLES)

FOREIGN = st.text(alphabet=st.characters(min_codepoint=0x80, max_codepoint=0xFF)).map(
    lambda text: text.encode("latin-1")
)
"""Garbage that no text device can have meant: bytes above 7F, where the binary protocols have their headers."""

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


def _run(driver: Driver, options: Options, chunks: Iterable[bytes], step: int = 0) -> list[Output]:
    decoder: Any = driver.decoder(options)
    said: list[Output] = []
    now = 0
    for data in chunks:
        said += decoder.feed(data, now)
        now += step
    said += decoder.feed(b"", now + 1)
    said += decoder.finish()
    return said


def _cut(stream: bytes, places: list[int]) -> list[bytes]:
    bounds = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    return [stream[start:end] for start, end in pairwise(bounds)]


def _measured(said: Iterable[Output]) -> list[Output]:
    return [output for output in said if not isinstance(output, Reject)]


def _bytes_held(decoder: object) -> int:
    """Return the bytes in every buffer and list that the decoder keeps alive."""
    seen: set[int] = set()
    todo: list[Any] = [decoder]
    total = 0
    while todo:
        one = todo.pop()
        if id(one) in seen or isinstance(one, type | ModuleType | FunctionType | BuiltinFunctionType | MethodType):
            continue
        seen.add(id(one))
        total += len(one) if isinstance(one, bytes | bytearray | str | list) else 0
        todo += gc.get_referents(one)
    return total


# --- serial


@for_each_serial_driver
def test_no_bytes_raise(driver: Driver) -> None:
    own, options = streams_of(driver.name), fitting_options(driver)
    pieces = st.one_of(st.binary(max_size=40), st.sampled_from(own), st.sampled_from(own).map(lambda one: one[7:90]))

    @LAW
    @given(st.lists(pieces, max_size=12), st.integers(0, 10**11))
    def law(chunks: list[bytes], step: int) -> None:
        for output in _run(driver, options, chunks, step):
            assert isinstance(output, Measurement | Reject | Remark)

    law()


@for_each_serial_driver
def test_any_chunking_gives_the_same_output(driver: Driver) -> None:
    own, run = streams_of(driver.name), partial(_run, driver, fitting_options(driver))
    pieces = st.lists(st.one_of(st.sampled_from(own), st.binary(max_size=2000), FOREIGN), max_size=5).map(b"".join)

    @LAW
    @given(pieces, st.lists(st.integers(0, 10**6), max_size=30))
    def law(stream: bytes, places: list[int]) -> None:
        whole = run([stream])
        assert run(_cut(stream, places)) == whole
        assert run([bytes([byte]) for byte in stream]) == whole

    law()


@for_each_serial_driver
def test_good_frames_after_garbage_are_found_again(driver: Driver) -> None:
    run = partial(_run, driver, fitting_options(driver))

    @LAW
    @given(FOREIGN, st.sampled_from(streams_of(driver.name)))
    def law(garbage: bytes, good: bytes) -> None:
        assert _measured(run([garbage + b"\r\n" + good])) == _measured(run([good]))

    law()


CHUNK, CHUNKS = 1000, 100
BABBLE = (b"\x00\xff\x7e\x55", b"{", b"\xaa\xc0", b"\n1.5,", b'{"speed":50}\n')


@for_each_serial_driver
def test_memory_stays_within_a_frame(driver: Driver) -> None:
    kept: dict[bytes, int] = {}
    for babble in BABBLE:
        decoder: Any = driver.decoder(fitting_options(driver))
        fresh = _bytes_held(decoder)
        chunk = (babble * CHUNK)[:CHUNK]
        for now in range(CHUNKS):
            decoder.feed(chunk, now)
        kept[babble] = _bytes_held(decoder) - fresh
    assert {babble: size for babble, size in kept.items() if size > driver.max_frame + 256} == {}


def test_what_drivers_send_is_bytes_and_not_endless() -> None:
    offenders = []
    for driver in SERIAL:
        decoder: Any = driver.decoder(fitting_options(driver))
        if not all(isinstance(command, bytes) and command for command in decoder.start()):
            offenders.append(f"{driver.name}: a command that is no bytes, or empty")
        if not all(isinstance(decoder.poll(), bytes) for _ in range(50)):
            offenders.append(f"{driver.name}: a question that is no bytes")
    assert not offenders, "\n".join(offenders)


# --- messages


@for_each_mqtt_driver
def test_no_message_raises(driver: Driver) -> None:
    own = messages_of(driver.name)
    decoder: Any = driver.decoder(fitting_options(driver))

    def _spoiled(message: tuple[str, bytes], at: int, byte: int) -> tuple[str, bytes]:
        topic, payload = message
        at %= len(payload)
        return topic, payload[:at] + bytes([byte]) + payload[at + 1 :]

    spoiled = st.builds(_spoiled, st.sampled_from(own), st.integers(0, 10**6), st.integers(0, 255))
    foreign = st.tuples(st.text(), st.one_of(st.binary(), VALUES.map(json.dumps).map(str.encode)))

    @LAW
    @given(st.one_of(spoiled, foreign))
    def law(message: tuple[str, bytes]) -> None:
        said = list(decoder.decode(*message))
        assert said, "a message of which nothing is said is nowhere"
        for output in said:
            assert isinstance(output, Measurement | Reject | Remark | Uplink | Command)

    law()


@pytest.mark.parametrize("driver", JSON, ids=_name)
def test_no_value_in_the_wrong_place_raises(driver: Driver) -> None:
    own = _documents_of(driver)
    decoder: Any = driver.decoder(fitting_options(driver))

    @LAW
    @given(st.sampled_from(own), st.data())
    def law(message: tuple[str, dict[str, Any]], data: st.DataObject) -> None:
        topic, original = message
        changed = deepcopy(original)
        inside: Any = changed
        while isinstance(inside, dict | list) and inside:
            place = data.draw(st.sampled_from(sorted(inside) if isinstance(inside, dict) else range(len(inside))))
            if not isinstance(inside[place], dict | list) or data.draw(st.booleans()):
                inside[place] = data.draw(VALUES)
                break
            inside = inside[place]
        said = list(decoder.decode(topic, json.dumps(changed).encode()))
        assert said, "a message of which nothing is said is nowhere"
        for output in said:
            assert isinstance(output, Measurement | Reject | Remark | Uplink | Command)

    law()


SENSELESS: tuple[object, ...] = (None, "", "nan", "--", [], {})
"""What stands in a message where a sensor has no value."""


DECIDING = {
    "f_port",
    "fPort",
    "FPort",
    "frm_payload",
    "data",
    "payload_hex",
    "port",
    "objectJSON",
    "label",
    "type",
    "n",
    "u",
    "t",
    "serialno",
}
"""Names of what decides whose the rest is, of when, or what it means: nothing can be read without it."""


@pytest.mark.parametrize("driver", JSON, ids=_name)
def test_one_senseless_value_costs_no_other(driver: Driver) -> None:
    offenders = [
        f"{path} = {nothing!r}: {sorted(lost)}"
        for topic, document in _documents_of(driver)
        for path in _leaves(document)
        if path[-1] not in DECIDING
        for nothing in SENSELESS
        if (lost := _lost(driver, topic, document, path, nothing))
    ]
    assert not offenders, "\n".join(offenders)


JsonPath = tuple[str | int, ...]


def _leaves(document: Any, path: JsonPath = ()) -> Iterator[JsonPath]:  # noqa: ANN401 -- JSON may hold anything
    if not isinstance(document, dict | list):
        yield path
        return
    for place, inner in document.items() if isinstance(document, dict) else enumerate(document):
        yield from _leaves(inner, (*path, place))


def _lost(
    driver: Driver,
    topic: str,
    document: Any,  # noqa: ANN401 -- the same
    path: JsonPath,
    nothing: object,
) -> set[str]:
    """Return what is read where a value is absent and is not where it has no sense; names and times apart."""
    absent, senseless = deepcopy(document), deepcopy(document)
    *steps, last = path
    for changed in (absent, senseless):
        inside = changed
        for step in steps:
            inside = inside[step]
        if changed is absent and isinstance(inside, dict):
            del inside[last]
        else:
            inside[last] = nothing
    whole, without, with_nothing = (_values(driver, topic, one) for one in (document, absent, senseless))
    return {f"{name} of {series}" for series, name, _ in (whole & without) - with_nothing}


def _values(driver: Driver, topic: str, document: object) -> set[tuple[object, str, FieldValue]]:
    """Return whose values a fresh decoder reads in a message, and of when; of an uplink the envelope alone."""
    decoder: Any = driver.decoder(fitting_options(driver))
    return {
        ((one.sensor, one.time, tuple(getattr(one, "tags", {}).items())), name, value)
        for one in decoder.decode(topic, json.dumps(document).encode())
        if isinstance(one, Measurement | Uplink)
        for name, value in one.fields.items()
    }


HOSTILE: dict[str, tuple[bytes, set[str]]] = {
    "empty": (b"", {"noise"}),
    "not UTF-8": (b"\xff\xfe", {"noise"}),
    "cut": (b"{", {"noise"}),
    "NaN": (b'{"a": NaN}', {"noise", "unsupported"}),
    "infinite": (b'{"a": 1e999}', {"noise", "unsupported"}),
    "text not UTF-8": (b'{"a": "\xff"}', {"noise", "unsupported"}),
    "deep": (b"[" * 100_000, {"noise"}),
    "deep and closed": (b'{"a":' * 5000 + b"1" + b"}" * 5000, {"noise"}),
    "10 MB": (b'{"a": "' + b"x" * 10_000_000 + b'"}', {"length"}),
}
"""Payloads, and why each is refused; what can be mended is JSON, and nothing that a device says."""


def test_hostile_messages_are_rejected_and_little_of_them_is_kept() -> None:
    assert list(_not_rejected()) == []


def _not_rejected() -> Iterator[str]:
    for driver in MQTT:
        decoder: Any = driver.decoder(fitting_options(driver))
        for name, (payload, reasons) in HOSTILE.items():
            said = decoder.decode("application/1/device/70b3d57ed0041234/event/up", payload)
            match said:
                case [Reject() as reject] if reject.reason in reasons and reject.detail and len(reject.raw) <= 1024:
                    pass
                case _:
                    yield f"{driver.name}: {name}: {str(said)[:200]}"


def test_every_driver_of_json_reads_what_is_nearly_json_and_says_so() -> None:
    assert list(_not_mended()) == []


NEARLY: dict[str, Callable[[bytes], bytes]] = {
    "NUL": lambda payload: payload + b"\0",
    "UTF-16": lambda payload: payload.decode().encode("utf-16"),
}


def _not_mended() -> Iterator[str]:
    for driver in JSON:
        for name, spoil in NEARLY.items():
            decoders: list[Any] = [driver.decoder(fitting_options(driver)) for _ in range(2)]
            for topic, payload in messages_of(driver.name):
                if payload.lstrip()[:1] not in (b"{", b"["):
                    continue
                right, said = (
                    [*decoder.decode(topic, sent)]
                    for decoder, sent in zip(decoders, (payload, spoil(payload)), strict=True)
                )
                mended = [one for one in said if isinstance(one, Remark) and one.kind == "mended"]
                taken = [one for one in right if not isinstance(one, Reject | Remark)]
                if taken != [one for one in said if not isinstance(one, Reject | Remark)]:
                    yield f"{driver.name}: {name}: {said}"
                if bool(mended) != bool(taken):
                    yield f"{driver.name}: {name}: what was mended is not said: {said}"


# --- codecs


@for_each_codec
def test_no_payload_raises_and_each_is_a_reading_or_refused(codec: Codec) -> None:
    options = codec.options()

    @LAW
    @given(st.integers(-1, 300), st.binary(max_size=60))
    def law(port: int, payload: bytes) -> None:
        said = list(codec.decode(port, payload, options))
        assert all(isinstance(output, Measurement | Reject | Remark) for output in said)
        assert any(isinstance(output, Measurement | Reject) for output in said), "a remark alone keeps nothing"

    law()


@pytest.mark.parametrize("codec", READERS, ids=_name)
def test_no_object_raises(codec: Codec) -> None:
    read = codec.from_object
    assert read is not None
    bosch = ["type", "occupied", "temperature", "debugCodes", "firmwareVersion", "resetCause"]
    nwave = ["counter_value", "previous_state_duration", "firmware_version", "reset_cause", "tag_id"]
    keys = st.sampled_from([*bosch, *nwave])
    kinds = st.sampled_from(["startup", "heartbeat", "power_on", True, [804.0]])

    @LAW
    @given(st.dictionaries(st.one_of(keys, st.text()), st.one_of(kinds, VALUES)))
    def law(said: dict[str, Any]) -> None:
        for output in read(said, codec.options()):
            assert isinstance(output, Measurement | Reject | Remark)

    law()


# --- all of them


@pytest.mark.parametrize("driver", DRIVERS, ids=_name)
def test_no_driver_takes_anothers_recordings_for_its_own(driver: Driver) -> None:
    options = fitting_options(driver)
    taken: dict[str, list[Output]] = {}
    for other in SERIAL if driver in SERIAL else MQTT:
        if other is driver:
            continue
        if isinstance(driver.link, SerialLink):
            said = [output for stream in streams_of(other.name) for output in _run(driver, options, [stream], 10**12)]
        else:
            decoder: Any = driver.decoder(options)
            said = [output for message in messages_of(other.name) for output in decoder.decode(*message)]
        if measured := _measured(said):
            taken[other.name] = measured
    assert taken == {}
