"""Forms: how they are encoded, and what is none."""

from typing import Any

import pytest

from drivers.form import DRIVER, MOST_NAMES
from gateway.contract import Measurement, Reject

WANTED = {"kind": "air_quality", "sensor": "station", "fields": {"temperature": "temp"}}


def say(payload: bytes) -> Measurement | Reject:
    decoder: Any = DRIVER.decoder(DRIVER.options.model_validate(WANTED))
    (said,) = decoder.decode("form/upload", payload)
    assert isinstance(said, Measurement | Reject)
    return said


@pytest.mark.parametrize(
    "payload",
    [
        b"station=roof&temp=21.5",
        b"temp=21.5&station=roof&empty=\r\n",
        b"?station=roof&temp=21.5",
        b"/weather/update.php?station=roof&temp=21.5",
        b"station=roof&temp=21.5&temp=99",
        b"station=%72oof&temp=21%2E5",
        b"station=+roof+&temp=+21.5",
    ],
)
def test_a_form_is_read_however_it_is_encoded(payload: bytes) -> None:
    assert say(payload) == Measurement("air_quality", {"temperature": 21.5}, "roof")


@pytest.mark.parametrize("payload", [b"", b"hello", b"{}", b"\xff\xfe"])
def test_what_is_no_form_of_ours_is_noise(payload: bytes) -> None:
    said = say(payload)
    assert isinstance(said, Reject)
    assert said.reason == "noise"


def test_a_form_of_other_names_is_told_what_it_lacks() -> None:
    said = say(b"a=b&c=1")
    assert isinstance(said, Reject)
    assert (said.reason, said.detail) == ("unsupported", "temperature: nothing at temp")


def test_a_form_of_more_names_than_any_station_has_is_refused() -> None:
    said = say(b"&".join(b"n%d=1" % number for number in range(MOST_NAMES + 1)))
    assert isinstance(said, Reject)
    assert said.reason == "length"
