"""When a line is taken to make noise only, and when no more."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

import drivers
from gateway.contract import Driver, Measurement, Reject, SerialLink
from gateway.sources.line_noise import BUDGET, QUIET_RUN, SAMPLE, Noise, makes_sense

GOOD = Measurement("air_quality", {"pm25": 1.0})
NOISE = Reject("noise", b"?")


def test_it_takes_the_whole_budget_without_sense() -> None:
    noise = Noise()
    assert not noise.heard(BUDGET - 1, [NOISE])
    assert not noise.only
    assert noise.heard(1, [NOISE])
    assert noise.only
    assert not noise.heard(1, [NOISE])
    assert noise.only


@pytest.mark.parametrize("sense", [GOOD, Reject("range", b""), Reject("unsupported", b"")])
def test_one_sound_frame_begins_the_count_anew(sense: Measurement | Reject) -> None:
    noise = Noise()
    noise.heard(BUDGET - 1, [NOISE])
    assert not noise.heard(1, [NOISE, sense])
    assert not noise.heard(BUDGET - 1, [NOISE])
    assert noise.heard(1, [NOISE])
    assert noise.heard(1, [sense])
    assert not noise.only


@pytest.mark.parametrize("reason", ["noise", "length", "checksum"])
def test_damaged_frames_are_no_sense(reason: str) -> None:
    assert not makes_sense([Reject(reason, b"")])  # type: ignore[arg-type] # mypy does not see the three reasons


def test_a_decoder_that_takes_bytes_and_does_not_complain_knows_them() -> None:
    noise = Noise()
    for _ in range(10 * BUDGET // 64):
        noise.heard(64, [])
    noise.heard(BUDGET - 1, [NOISE])
    noise.heard(QUIET_RUN, [])
    assert not noise.heard(1, [NOISE])
    assert not noise.only


@given(st.lists(st.tuples(st.integers(1, 5000), st.sampled_from([[], [NOISE], [GOOD], [NOISE, GOOD]])), max_size=80))
def test_it_says_so_exactly_when_it_changes(heard: list[tuple[int, list[Measurement | Reject]]]) -> None:
    noise = Noise()
    for size, results in heard:
        before = noise.only
        assert noise.heard(size, results) == (noise.only != before)
        assert not (noise.only and makes_sense(results))


SERIAL = [driver for driver in drivers.load_all() if isinstance(driver.link, SerialLink)]
PLAIN = [
    driver for driver in SERIAL if not any(field.is_required() for field in driver.options.model_fields.values())
]


@pytest.mark.parametrize("driver", PLAIN, ids=lambda driver: driver.name)
def test_random_bytes_are_noise_to_every_driver(driver: Driver) -> None:
    noise, random = Noise(), Random(7)  # noqa: S311 -- the same bytes each time
    decoder = driver.decoder(driver.options())
    for _ in range(1000):
        data = random.randbytes(100)
        noise.heard(len(data), list(decoder.feed(data, 1)))  # type: ignore[union-attr] # a serial driver's decoder
    assert noise.only


@pytest.mark.parametrize("driver", SERIAL, ids=lambda driver: driver.name)
def test_a_sample_holds_more_than_two_frames_of_any_device(driver: Driver) -> None:
    assert 2 * driver.max_frame < SAMPLE
