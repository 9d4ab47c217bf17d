"""ADEC TDC: its frames, the frame count bit, and how vehicles are counted once each."""

import pytest
from pydantic import ValidationError

from drivers.adec_tdc import RESET, SIZES, STATUS, STATUS_EVERY, VEHICLES, AdecTdcOptions, Decoder, vehicles
from drivers.common.ft12 import question
from gateway.contract import Measurement, Reject

SECOND = 10**9
DONE = b"\xe5"
FIRST, OTHER = question(1, VEHICLES, count_bit=True), question(1, VEHICLES, count_bit=False)


def _answer(data: bytes, function: int = VEHICLES, address: int = 1) -> bytes:
    body = bytes((function, address)) + data
    return bytes((0x68, len(body), len(body), 0x68)) + body + bytes((sum(body) & 0xFF, 0x16))


def _passed(count: int, *speeds: int, status: int = 0) -> bytes:
    one = bytes.fromhex("11 0032 00C8 2D")
    return _answer(bytes((status,)) + count.to_bytes(4, "big") + b"".join(bytes((speed,)) + one for speed in speeds))


def _decoder() -> Decoder:
    """Return one whose detector has been reset."""
    decoder = Decoder(AdecTdcOptions(address=1))
    assert decoder.poll() == question(1, RESET)
    assert list(decoder.feed(DONE, 0)) == []
    return decoder


def _fields(decoder: Decoder, data: bytes, at: float = 0) -> list[dict[str, object]]:
    return [dict(one.fields) for one in decoder.feed(data, int(at * SECOND)) if isinstance(one, Measurement)]


def test_questions_are_as_the_protocol_draws_them() -> None:
    assert question(1, RESET) == bytes.fromhex("10 40 01 41 16")
    assert bytes.fromhex("10 78 01 79 16") == FIRST
    assert bytes.fromhex("10 58 01 59 16") == OTHER
    assert question(255, STATUS) == bytes.fromhex("10 49 FF 48 16")


def test_it_is_reset_first_and_again_until_that_is_answered() -> None:
    decoder = Decoder(AdecTdcOptions(address=1))
    assert [decoder.poll() for _ in range(3)] == [question(1, RESET)] * 3
    decoder.feed(DONE, 0)
    assert decoder.poll() == FIRST


def test_the_frame_count_bit_turns_over_with_each_answer_and_only_then() -> None:
    decoder = _decoder()
    assert [decoder.poll(), decoder.poll()] == [FIRST, FIRST]
    decoder.feed(_passed(1, 50), 0)
    assert decoder.poll() == OTHER
    decoder.feed(_passed(2, 50)[:-2] + b"\0\x16", 0)  # damaged
    assert decoder.poll() == OTHER
    decoder.feed(DONE, 0)
    assert decoder.poll() == FIRST


def test_an_answer_that_comes_twice_counts_once() -> None:
    decoder = _decoder()
    decoder.poll()
    assert len(_fields(decoder, _passed(7, 50, 60) * 2)) == 1


def test_a_jump_of_the_count_tells_of_vehicles_that_were_lost() -> None:
    decoder = _decoder()
    decoder.feed(_passed(10, 50), 0)
    (said,) = _fields(decoder, _passed(14, 60, 70), 5)
    assert (said["intensity"], said["sample_count"]) == (4, 2)
    assert "occupancy" not in said


def test_of_an_answer_that_is_in_part_known_the_rest_counts() -> None:
    decoder = _decoder()
    decoder.feed(_passed(10, 50, 60), 0)
    (said,) = _fields(decoder, _passed(11, 60, 70), 5)
    assert (said["intensity"], said["average_vehicle_speed"]) == (1, 70.0)


def test_the_count_goes_round() -> None:
    decoder = _decoder()
    decoder.feed(_passed(2**32 - 1, 50), 0)
    (said,) = _fields(decoder, _passed(1, 60, 70), 5)
    assert said["intensity"] == 2


def test_a_count_that_begins_anew_loses_nobody() -> None:
    decoder = _decoder()
    decoder.feed(_passed(50_000, 50), 0)
    (said,) = _fields(decoder, _passed(1, 60), 5)
    assert said["intensity"] == 1


def test_a_quiet_answer_is_a_count_of_zero_over_its_time() -> None:
    decoder = _decoder()
    decoder.feed(_passed(1, 50), 0)
    decoder.poll()
    assert _fields(decoder, DONE, 5) == [{"intensity": 0, "period": 5.0, "occupancy": 0.0}]


def test_an_e5_that_nobody_asked_for_says_nothing() -> None:
    decoder = _decoder()
    decoder.feed(_passed(1, 50), 0)
    assert _fields(decoder, DONE, 5) == []
    for _ in range(STATUS_EVERY):
        if decoder.poll() == question(1, STATUS):
            break
    assert _fields(decoder, DONE, 60) == []


def test_the_status_is_asked_for_now_and_then() -> None:
    decoder = _decoder()
    asked = [decoder.poll() for _ in range(5 * STATUS_EVERY)]
    assert asked.count(question(1, STATUS)) == 5


@pytest.mark.parametrize(
    ("status", "fields"),
    [
        (0x80, {"device_error": 0x80}),
        (0x4F, {"device_error": 0x4F}),
        (0x20, {"device_error": 0, "event": "queue"}),
        (0x30, {"device_error": 0, "event": "wrong_way"}),
    ],
)
def test_faults_are_told_from_what_happens_on_the_road(status: int, fields: dict[str, object]) -> None:
    assert _fields(_decoder(), _answer(bytes((status,)), 0x0B)) == [fields]
    assert _fields(_decoder(), _answer(bytes((status,)))) == [fields]


def test_the_size_of_an_answer_tells_the_size_of_its_vehicles() -> None:
    assert len(SIZES) == 12
    for size, of in SIZES.items():
        found = vehicles(bytes(5) + bytes(range(1, size + 1)))
        assert found is not None
        assert len(found) == size // of
        assert (found[0].length is None) == (of == 6)
        assert found[0].gap == 0x0506 / 100


@pytest.mark.parametrize("size", [1, 5, 8, 13, 34, 43])
def test_an_answer_of_another_size_is_refused(size: int) -> None:
    (said,) = _decoder().feed(_answer(bytes(5 + size)), 0)
    assert isinstance(said, Reject)
    assert said.reason == "unsupported"


def test_in_sitos_mode_vehicles_come_under_the_function_0() -> None:
    assert _fields(_decoder(), _answer(_passed(3, 50)[6:-2], 0))[0]["intensity"] == 1


def test_a_speed_of_zero_is_none() -> None:
    (said,) = _fields(_decoder(), _passed(2, 0, 50))
    assert (said["intensity"], said["average_vehicle_speed"]) == (2, 50.0)


def test_it_hears_its_own_address_alone() -> None:
    decoder = _decoder()
    said = [*decoder.feed(_answer(b"\x80", address=2), 0), *decoder.finish()]
    assert [one.reason for one in said if isinstance(one, Reject)] == ["noise"]
    assert len(said) == 1


@pytest.mark.parametrize("address", [0, 256])
def test_an_address_that_there_is_not_is_refused(address: int) -> None:
    with pytest.raises(ValidationError):
        AdecTdcOptions(address=address)
