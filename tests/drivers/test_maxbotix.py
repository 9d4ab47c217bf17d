import pytest

from drivers import maxbotix
from firmware_sim.devices.maxbotix import BANNER
from gateway.contract import FieldValue, Measurement


def said(text: bytes, **options: object) -> list[dict[str, FieldValue] | str]:
    decoder = maxbotix.Decoder(maxbotix.MaxbotixOptions.model_validate({"interval": "0s", **options}))
    found = [*decoder.feed(text, 0), *decoder.finish()]
    return [dict(one.fields) if isinstance(one, Measurement) else one.reason for one in found]


@pytest.mark.parametrize(("line", "options", "distance"), [
    (b"R1234\r", {}, 1234.0),
    (b"R123\r", {"unit": "cm"}, 1230.0),
    (b"R0123\r", {"unit": "cm", "digits": 4}, 1230.0),
    (b"R100\r", {"unit": "inch"}, 2540.0),
])  # fmt: skip
def test_digits_and_unit_are_those_of_the_model(line: bytes, options: dict[str, object], distance: float) -> None:
    (one,) = said(line, **options)
    assert isinstance(one, dict)
    assert one["distance"] == pytest.approx(distance)


def test_a_line_with_other_digits_is_torn() -> None:
    assert said(b"R123\r") == ["length"]
    assert said(b"R1234\r", unit="cm") == ["length"]


def test_the_introduction_is_no_reading_and_no_damage() -> None:
    assert said(BANNER + b"R1234\r") == [{"distance": 1234.0}]


def test_stray_ff_bytes_and_a_space_at_the_end_do_no_harm() -> None:
    assert said(b"\xff\xffR1234\xff\rR1235 \r") == [{"distance": 1234.0}, {"distance": 1235.0}]


def test_two_lines_run_together_are_refused() -> None:
    assert said(b"R12R1234\rR1234\r") == ["noise", {"distance": 1234.0}]


@pytest.mark.parametrize(("line", "options", "event"), [
    (b"R0300\r", {}, "blind_zone"),
    (b"R0000\r", {}, "blind_zone"),
    (b"R5000\r", {}, "no_target"),
    (b"R0500\r", {"nearest_mm": 500}, "blind_zone"),
    (b"R9999\r", {"furthest_mm": 9999}, "no_target"),
    (b"R020\r", {"unit": "cm"}, "blind_zone"),
    (b"R765\r", {"unit": "cm"}, "no_target"),
    (b"R254\r", {"unit": "inch"}, "no_target"),
    (b"R006\r", {"unit": "inch"}, "blind_zone"),
])  # fmt: skip
def test_the_nearest_and_the_furthest_value_are_states(line: bytes, options: dict[str, object], event: str) -> None:
    assert said(line, **options) == [{"event": event}]


def test_a_line_that_ran_into_the_next_is_refused_and_the_next_is_read() -> None:
    assert said(b"R1234\x8dR1235\r") == ["noise", {"distance": 1235.0}]


@pytest.mark.parametrize("line", [b"Rw234\r", b"Rabcd \r", b"PN:MB7360MR1234\r"])
def test_a_damaged_line_is_not_taken_for_one_of_the_introduction(line: bytes) -> None:
    assert said(line) == ["noise"]


def test_bytes_that_are_no_text_before_a_line_do_not_cost_it() -> None:
    assert said(b"\x00\xfe\x80R1234\r") == [{"distance": 1234.0}]
