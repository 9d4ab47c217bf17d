"""Winsen ZH03B: its order of values, its sleep, and what it is not."""

from drivers.common.duty_cycle import Sleeping
from drivers.common.winsen import with_sum
from drivers.winsen_zh import Decoder
from gateway.contract import Measurement, Quality, Reject

READ = bytes.fromhex("FF 01 86 00 00 00 00 00 79")
SLEEP = bytes.fromhex("FF 01 A7 01 00 00 00 00 57")
WAKE = bytes.fromhex("FF 01 A7 00 00 00 00 00 58")
ASK = bytes.fromhex("FF 01 78 41 00 00 00 00 46")
CONFIRMED = bytes.fromhex("FF A7 01 00 00 00 00 00 58")
ANSWER = bytes.fromhex("FF 86 00 85 00 96 00 65 FA")
SECOND = 10**9


def _decoder(**options: str) -> Decoder:
    return Decoder(Sleeping.model_validate(options))


def test_it_is_woken_and_set_to_be_asked_first() -> None:
    assert list(_decoder().start()) == [WAKE, ASK]


def test_the_answer_has_pm25_first_and_pm1_last() -> None:
    said = _decoder(warm_up="0s").feed(ANSWER, 0)
    assert said == [Measurement("air_quality", {"pm1": 101.0, "pm25": 133.0, "pm10": 150.0})]


def test_where_it_does_not_answer_it_is_woken_and_set_and_asked_again() -> None:
    decoder = _decoder()
    assert [decoder.poll() for _ in range(5)] == [READ, WAKE, ASK, READ, WAKE]
    decoder.feed(ANSWER, 0)
    assert decoder.poll() == READ


def test_with_a_working_period_it_sleeps_after_a_good_reading_until_it_is_woken_in_time() -> None:
    decoder = _decoder(working_period="5min")
    decoder.feed(ANSWER, 0)
    assert decoder.poll() == READ  # it is warm only after half a minute
    (warm,) = decoder.feed(ANSWER, 30 * SECOND)
    assert isinstance(warm, Measurement)
    assert warm.quality == Quality.GOOD
    assert [decoder.poll(), decoder.poll()] == [SLEEP, SLEEP]
    decoder.feed(CONFIRMED, 31 * SECOND)
    assert decoder.poll() == b""
    decoder.feed(b"", 300 * SECOND)
    assert [decoder.poll() for _ in range(3)] == [WAKE, ASK, READ]
    (cold,) = decoder.feed(ANSWER, 310 * SECOND)
    assert isinstance(cold, Measurement)
    assert cold.quality == Quality.WARM_UP


def test_a_sensor_that_never_confirms_is_not_told_to_sleep_for_ever() -> None:
    decoder = _decoder(working_period="5min")
    decoder.feed(b"", 0)
    decoder.feed(ANSWER, 30 * SECOND)
    assert [decoder.poll() for _ in range(5)] == [SLEEP, SLEEP, SLEEP, b"", b""]


def test_without_a_working_period_it_never_sleeps() -> None:
    decoder = _decoder(warm_up="0s")
    for second in range(100):
        decoder.feed(ANSWER, second * SECOND)
        assert decoder.poll() == READ


def test_pm10_below_pm25_is_kept_and_marked_and_none_at_all_is_no_reading() -> None:
    below, none = _decoder(warm_up="0s").feed(
        with_sum(bytes.fromhex("FF 86 00 0F 00 0C 00 09")) + with_sum(bytes.fromhex("FF 86 00 0F 00 00 00 09")), 0
    )
    assert isinstance(below, Measurement)
    assert below.quality == Quality.INCONSISTENT
    assert isinstance(none, Reject)
    assert none.reason == "range"


def test_clean_air_is_a_reading() -> None:
    (said,) = _decoder(warm_up="0s").feed(with_sum(b"\xff\x86" + bytes(6)), 0)
    assert said == Measurement("air_quality", {"pm1": 0.0, "pm25": 0.0, "pm10": 0.0})


def test_the_frames_it_uploads_are_left_to_the_driver_of_the_pms3003() -> None:
    decoder = _decoder()
    body = bytes.fromhex("42 4D 00 14") + bytes(18)
    assert decoder.feed(body + sum(body).to_bytes(2, "big"), 0) == []
    assert [one.reason for one in decoder.finish()] == ["noise"]
