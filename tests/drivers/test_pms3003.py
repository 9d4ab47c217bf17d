"""Plantower PMS3003: its quirks; what it shares with the PMS5003 is tested there."""

from typing import Any

from drivers.common.plantower import Report
from drivers.pms3003 import DRIVER, parse
from gateway.contract import Measurement, Quality, Reject

GOOD = bytes.fromhex("42 4D 00 14 00 03 00 05 00 09 00 03 00 05 00 08 00 00 00 00 00 51 01 15")
CLEAN = bytes.fromhex("42 4D 00 14 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 51 00 F4")


def _decoder(warm_up: str = "30s") -> Any:  # noqa: ANN401 -- a driver's decoder is known by its protocol alone
    return DRIVER.decoder(DRIVER.options.model_validate({"warm_up": warm_up}))


def test_reports_have_24_bytes_and_no_particles() -> None:
    said = _decoder("0s").feed(GOOD, 0)
    assert said == [Measurement("air_quality", {"pm1": 3.0, "pm25": 5.0, "pm10": 8.0})]


def test_nothing_tells_its_first_reports_from_good_ones_so_they_are_marked() -> None:
    (said,) = _decoder().feed(GOOD, 0)
    assert said.quality == Quality.WARM_UP


def test_what_the_last_word_means_is_not_known_and_it_is_left_alone() -> None:
    assert parse(CLEAN) == Report([0, 0, 0], [0, 0, 0])


def test_nothing_but_zeros_is_no_reading() -> None:
    zeros = bytes.fromhex("42 4D 00 14" + "00" * 18 + "00 A3")
    (said,) = _decoder().feed(zeros, 0)
    assert said.reason == "unsupported"


def test_a_report_of_a_pms5003_is_too_long_to_be_its_own() -> None:
    longer = bytes.fromhex("42 4D 00 1C" + "00" * 24 + "97 00 01 42")
    noise, reading = _decoder().feed(longer + GOOD, 0)
    assert (noise.reason, noise.raw) == ("noise", longer)
    assert reading.fields["pm10"] == 8.0


def test_zeros_that_outlast_the_warm_up_are_clean_air() -> None:
    zeros, decoder = bytes.fromhex("42 4D 00 14" + "00" * 18 + "00 A3"), _decoder("10s")
    said = [one for second in range(0, 15, 5) for one in decoder.feed(zeros, second * 10**9)]
    assert [one.reason for one in said if isinstance(one, Reject)] == ["unsupported"] * 2
    assert [dict(one.fields) for one in said[2:]] == [{"pm1": 0.0, "pm25": 0.0, "pm10": 0.0}]
