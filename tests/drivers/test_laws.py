"""The laws over every driver and codec, found by discovery: a new one is held to them without a line here."""

import gc
import json
import os
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from functools import partial
from itertools import pairwise
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import drivers
from gateway.contract import Codec, Command, Driver, Measurement, Options, Reject, SerialLink, Uplink

Output = Measurement | Reject | Uplink | Command
Recording = Mapping[str, Any]
Chunk = Callable[[Mapping[str, Any]], bytes]
Fitting = Callable[[Driver | Codec], Options]

EXAMPLES = int(os.environ.get("PREHOD_EXAMPLES", "40"))
"""For each law and driver; fifty drivers share the suite's minutes. A release is worth PREHOD_EXAMPLES=1000."""

LAW = settings(deadline=None, derandomize=True, max_examples=EXAMPLES)

FOREIGN = st.text(alphabet=st.characters(min_codepoint=0x80, max_codepoint=0xFF)).map(
    lambda text: text.encode("latin-1")
)
"""Garbage that no text device can have meant: bytes above 7F, where the binary protocols have their headers."""

BINARY = {"sparkplug_b"}
"""Drivers of messages that are no JSON."""

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


def _streams(recordings: Iterable[Recording], name: str, chunk: Chunk) -> list[bytes]:
    return [b"".join(map(chunk, one["feed"])) for one in recordings if one["device"] == name]


def _messages(recordings: Iterable[Recording], name: str, chunk: Chunk) -> list[tuple[str, bytes]]:
    return [(feed["topic"], chunk(feed)) for one in recordings if one["device"] == name for feed in one["feed"]]


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


def test_no_bytes_raise(serial: Driver, recordings: list[Recording], chunk: Chunk, fitting_options: Fitting) -> None:
    own = _streams(recordings, serial.name, chunk)
    pieces = st.one_of(st.binary(max_size=40), st.sampled_from(own), st.sampled_from(own).map(lambda one: one[7:90]))

    @LAW
    @given(st.lists(pieces, max_size=12), st.integers(0, 10**11))
    def law(chunks: list[bytes], step: int) -> None:
        for output in _run(serial, fitting_options(serial), chunks, step):
            assert isinstance(output, Measurement | Reject)

    law()


def test_any_chunking_gives_the_same_output(
    serial: Driver, recordings: list[Recording], chunk: Chunk, fitting_options: Fitting
) -> None:
    own = _streams(recordings, serial.name, chunk)
    pieces = st.lists(st.one_of(st.sampled_from(own), st.binary(max_size=2000), FOREIGN), max_size=5).map(b"".join)

    @LAW
    @given(pieces, st.lists(st.integers(0, 10**6), max_size=30))
    def law(stream: bytes, places: list[int]) -> None:
        run = partial(_run, serial, fitting_options(serial))
        whole = run([stream])
        assert run(_cut(stream, places)) == whole
        assert run([bytes([byte]) for byte in stream]) == whole

    law()


def test_good_frames_after_garbage_are_found_again(
    serial: Driver, recordings: list[Recording], chunk: Chunk, fitting_options: Fitting
) -> None:
    own = st.sampled_from(_streams(recordings, serial.name, chunk))

    @LAW
    @given(FOREIGN, own)
    def law(garbage: bytes, good: bytes) -> None:
        run = partial(_run, serial, fitting_options(serial))
        assert _measured(run([garbage + b"\r\n" + good])) == _measured(run([good]))

    law()


@pytest.mark.parametrize("babble", [b"\x00\xff\x7e\x55", b"{", b"\xaa\xc0", b"\n1.5,", b'{"speed":50}\n'])
def test_memory_stays_within_a_frame(serial: Driver, fitting_options: Fitting, babble: bytes) -> None:
    decoder: Any = serial.decoder(fitting_options(serial))
    fresh = _bytes_held(decoder)
    for now in range(100):
        decoder.feed(babble * 500, now)
    assert _bytes_held(decoder) - fresh <= serial.max_frame + 256


def test_what_a_driver_sends_is_bytes_and_not_endless(serial: Driver, fitting_options: Fitting) -> None:
    decoder: Any = serial.decoder(fitting_options(serial))
    assert all(isinstance(command, bytes) and command for command in decoder.start())
    assert all(isinstance(decoder.poll(), bytes) for _ in range(50))


# --- messages


def test_no_message_raises(mqtt: Driver, recordings: list[Recording], chunk: Chunk, fitting_options: Fitting) -> None:
    own = _messages(recordings, mqtt.name, chunk)
    decoder: Any = mqtt.decoder(fitting_options(mqtt))

    def _spoiled(message: tuple[str, bytes], at: int, byte: int) -> tuple[str, bytes]:
        topic, payload = message
        at %= len(payload)
        return topic, payload[:at] + bytes([byte]) + payload[at + 1 :]

    spoiled = st.builds(_spoiled, st.sampled_from(own), st.integers(0, 10**6), st.integers(0, 255))
    foreign = st.tuples(st.text(), st.one_of(st.binary(), VALUES.map(json.dumps).map(str.encode)))

    @LAW
    @given(st.one_of(spoiled, foreign))
    def law(message: tuple[str, bytes]) -> None:
        for output in decoder.decode(*message):
            assert isinstance(output, Measurement | Reject | Uplink | Command)

    law()


def test_no_value_in_the_wrong_place_raises(
    mqtt: Driver, recordings: list[Recording], chunk: Chunk, fitting_options: Fitting
) -> None:
    written = [
        message for message in _messages(recordings, mqtt.name, chunk) if message[1].lstrip()[:1] in (b"{", b"[")
    ]
    own = [(topic, json.loads(payload)) for topic, payload in written]
    if not own:
        pytest.skip("this driver reads no JSON")
    decoder: Any = mqtt.decoder(fitting_options(mqtt))

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
        for output in decoder.decode(topic, json.dumps(changed).encode()):
            assert isinstance(output, Measurement | Reject | Uplink | Command)

    law()


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "noise"),
        (b"\xff\xfe", "noise"),
        (b"{", "noise"),
        (b'{"a": NaN}', "noise"),
        (b'{"a": 1e999}', "noise"),
        (b'{"a": "\xff"}', "noise"),
        (b"[" * 100_000, "noise"),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, "noise"),
        (b'{"a": "' + b"x" * 10_000_000 + b'"}', "length"),
    ],
    ids=["empty", "not UTF-8", "cut", "NaN", "infinite", "text not UTF-8", "deep", "deep and closed", "10 MB"],
)
def test_a_hostile_message_is_rejected_and_little_of_it_is_kept(
    mqtt: Driver, fitting_options: Fitting, payload: bytes, reason: str
) -> None:
    decoder: Any = mqtt.decoder(fitting_options(mqtt))
    (said,) = decoder.decode("application/1/device/70b3d57ed0041234/event/up", payload)
    assert said.reason == reason
    assert said.detail
    assert len(said.raw) <= 1024


# --- codecs


def test_no_payload_raises(codec: Codec) -> None:
    options = codec.options()

    @LAW
    @given(st.integers(-1, 300), st.binary(max_size=60))
    def law(port: int, payload: bytes) -> None:
        for output in codec.decode(port, payload, options):
            assert isinstance(output, Measurement | Reject)

    law()


READERS = [codec for codec in drivers.load_all_codecs() if codec.from_object is not None]
"""Codecs that read a network server's object too; servers send it beside the payload, which is enough for most."""


@pytest.mark.parametrize("reader", READERS, ids=lambda codec: str(codec.name))
def test_no_object_raises(reader: Codec) -> None:
    read = reader.from_object
    assert read is not None
    bosch = ["type", "occupied", "temperature", "debugCodes", "firmwareVersion", "resetCause"]
    nwave = ["counter_value", "previous_state_duration", "firmware_version", "reset_cause", "tag_id"]
    keys = st.sampled_from([*bosch, *nwave])
    kinds = st.sampled_from(["startup", "heartbeat", "power_on", True, [804.0]])

    @LAW
    @given(st.dictionaries(st.one_of(keys, st.text()), st.one_of(kinds, VALUES)))
    def law(said: dict[str, Any]) -> None:
        for output in read(said, reader.options()):
            assert isinstance(output, Measurement | Reject)

    law()


# --- all of them


def test_no_driver_takes_anothers_recordings_for_its_own(
    device: Driver, recordings: list[Recording], chunk: Chunk, fitting_options: Fitting
) -> None:
    for other in drivers.load_all():
        if other is device or isinstance(other.link, SerialLink) != isinstance(device.link, SerialLink):
            continue
        options = fitting_options(device)
        if isinstance(device.link, SerialLink):
            for stream in _streams(recordings, other.name, chunk):
                assert not _measured(_run(device, options, [stream], 10**12))
        else:
            decoder: Any = device.decoder(options)
            for topic, payload in _messages(recordings, other.name, chunk):
                assert not _measured(decoder.decode(topic, payload))
