"""Plantower PMS5003T: its quirks; what it shares with the PMS5003 is tested there."""

from typing import Any

import pytest

from drivers.pms5003t import DRIVER
from gateway.contract import Reject

GOOD = bytes.fromhex(
    "42 4D 00 1C 00 17 00 27 00 29 00 16 00 23 00 29 10 08 04 A9 01 16 00 0C 00 D4 00 E0 9A 00 04 AA"
)


def _spoken(frame: bytes) -> Any:  # noqa: ANN401 -- a measurement or a reject
    decoder: Any = DRIVER.decoder(DRIVER.options())
    (said,) = decoder.feed(frame, 0)
    return said


def _with(at: int, word: int, *more: int) -> bytes:
    changed = b"".join(one.to_bytes(2, "big") for one in (word, *more))
    body = GOOD[:at] + changed + GOOD[at + len(changed) : 30]
    return body + sum(body).to_bytes(2, "big")


def test_temperature_and_humidity_are_in_the_place_of_the_largest_particles() -> None:
    fields = _spoken(GOOD).fields
    assert fields["temperature"] == 21.2
    assert fields["relative_humidity"] == pytest.approx(0.224)
    assert [name for name in fields if name.startswith("particles")] == [
        f"particles_above_{size}" for size in ("03", "05", "1", "25")
    ]


def test_a_temperature_below_zero_is_signed() -> None:
    assert _spoken(_with(24, 0xFFDD)).fields["temperature"] == -3.5


@pytest.mark.parametrize(("large", "larger"), [(0, 0), (6, 6), (29, 29)])
def test_a_pms5003_in_its_place_is_told_by_a_humidity_of_nearly_nothing(large: int, larger: int) -> None:
    said = _spoken(_with(24, large, larger))
    assert isinstance(said, Reject)
    assert said.detail == "no humidity: it is starting, or another model"


def test_the_version_is_no_mark_of_the_model() -> None:
    assert _spoken(_with(28, 0x9700)).fields["firmware_version"] == "0x97"
