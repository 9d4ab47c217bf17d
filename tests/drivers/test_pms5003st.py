"""Plantower PMS5003ST and PMS5003S: their quirks; what they share with the PMS5003 is tested there."""

from collections.abc import Iterable
from typing import Any

from drivers.pms5003st import DRIVER, parse
from gateway.contract import Reject

DUST = (5, 8, 10, 5, 8, 10, 1650, 481, 82, 6, 2, 0)


def _frame(words: Iterable[int]) -> bytes:
    content = b"".join(word.to_bytes(2, "big") for word in words)
    body = b"\x42\x4d" + (len(content) + 2).to_bytes(2, "big") + content
    return body + sum(body).to_bytes(2, "big")


def _spoken(*words: int) -> Any:  # noqa: ANN401 -- a measurement or a reject
    decoder: Any = DRIVER.decoder(DRIVER.options())
    (said,) = decoder.feed(_frame(words), 0)
    return said


def test_an_st_says_formaldehyde_temperature_and_humidity() -> None:
    fields = _spoken(*DUST, 12, 0xFF9B, 457, 0, 0x9703).fields
    assert (fields["ch2o"], fields["temperature"], fields["relative_humidity"]) == (12.0, -10.1, 0.457)
    assert (fields["firmware_version"], fields["device_error"]) == ("0x97", 3)


def test_an_s_says_formaldehyde_and_neither_version_nor_error() -> None:
    fields = _spoken(*DUST, 24).fields
    assert fields["ch2o"] == 24.0
    assert not fields.keys() & {"temperature", "relative_humidity", "firmware_version", "device_error"}


def test_a_pms5003_in_its_place_is_told_by_formaldehyde_that_nobody_could_breathe() -> None:
    said = _spoken(*DUST, 0x9700)
    assert isinstance(said, Reject)
    assert said.detail == "formaldehyde 38656 ug/m3: a PMS5003?"


def test_the_first_reports_of_an_st_are_no_readings() -> None:
    for words in ((0,) * 16 + (0x9700,), (0, 10, 32, 0, 10, 32, *(0,) * 10, 0x9700)):
        said = _spoken(*words)
        assert isinstance(said, Reject)
        assert said.reason == "unsupported"


def test_a_wrong_sum_is_told_from_a_wrong_length() -> None:
    frame = _frame((*DUST, 24))
    broken, short = parse(frame[:-1] + b"\0"), parse(frame[:-2])
    assert isinstance(broken, Reject)
    assert isinstance(short, Reject)
    assert (broken.reason, short.reason) == ("checksum", "length")
