"""When a line is taken to make noise only, and when no more."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

import drivers
from gateway.contract import Driver, Measurement, Reject, SerialLink
from gateway.sources.line_noise import BUDGET, QUIET_RUN, SAMPLE, NoiseBudget, has_sound_frame

GOOD = Measurement("air_quality", {"pm25": 1.0})
NOISE = Reject("noise", b"?")


def test_it_takes_the_whole_budget_without_sense() -> None:
    noise = NoiseBudget()
    assert not noise.count(BUDGET - 1, [NOISE])
    assert not noise.exceeded
    assert noise.count(1, [NOISE])
    assert noise.exceeded
    assert not noise.count(1, [NOISE])
    assert noise.exceeded


@pytest.mark.parametrize("sense", [GOOD, Reject("range", b""), Reject("unsupported", b"")])
def test_one_sound_frame_begins_the_count_anew(sense: Measurement | Reject) -> None:
    noise = NoiseBudget()
    noise.count(BUDGET - 1, [NOISE])
    assert not noise.count(1, [NOISE, sense])
    assert not noise.count(BUDGET - 1, [NOISE])
    assert noise.count(1, [NOISE])
    assert noise.count(1, [sense])
    assert not noise.exceeded


@pytest.mark.parametrize("reason", ["noise", "length", "checksum"])
def test_damaged_frames_are_no_sense(reason: str) -> None:
    assert not has_sound_frame([Reject(reason, b"")])  # type: ignore[arg-type] # mypy does not see the three reasons


def test_a_decoder_that_takes_bytes_and_does_not_complain_knows_them() -> None:
    noise = NoiseBudget()
    for _ in range(10 * BUDGET // 64):
        noise.count(64, [])
    noise.count(BUDGET - 1, [NOISE])
    noise.count(QUIET_RUN, [])
    assert not noise.count(1, [NOISE])
    assert not noise.exceeded


@given(st.lists(st.tuples(st.integers(1, 5000), st.sampled_from([[], [NOISE], [GOOD], [NOISE, GOOD]])), max_size=80))
def test_it_says_so_exactly_when_it_changes(heard: list[tuple[int, list[Measurement | Reject]]]) -> None:
    noise = NoiseBudget()
    for size, results in heard:
        before = noise.exceeded
        assert noise.count(size, results) == (noise.exceeded != before)
        assert not (noise.exceeded and has_sound_frame(results))


SERIAL = [driver for driver in drivers.load_all() if isinstance(driver.link, SerialLink)]
PLAIN = [
    driver for driver in SERIAL if not any(field.is_required() for field in driver.options.model_fields.values())
]


@pytest.mark.parametrize("driver", PLAIN, ids=lambda driver: driver.name)
def test_random_bytes_are_noise_to_every_driver(driver: Driver) -> None:
    noise, random = NoiseBudget(), Random(7)  # noqa: S311 -- the same bytes each time
    decoder = driver.decoder(driver.options())
    for _ in range(1000):
        data = random.randbytes(100)
        noise.count(len(data), list(decoder.feed(data, 1)))  # type: ignore[union-attr] # a serial driver's decoder
    assert noise.exceeded


@pytest.mark.parametrize("driver", SERIAL, ids=lambda driver: driver.name)
def test_a_sample_holds_more_than_two_frames_of_any_device(driver: Driver) -> None:
    assert 2 * driver.max_frame < SAMPLE
