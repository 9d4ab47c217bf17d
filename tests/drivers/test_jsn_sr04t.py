import pytest

from drivers import jsn_sr04t
from gateway.contract import FieldValue, Measurement

WITH, WITHOUT = "with_header", "without_header"


def said(hex_: str, checksum: str = WITH) -> list[dict[str, FieldValue] | str]:
    decoder = jsn_sr04t.Decoder(jsn_sr04t.JsnSr04tOptions.model_validate({"checksum": checksum}))
    found = [*decoder.feed(bytes.fromhex(hex_), 0), *decoder.finish()]
    return [dict(one.fields) if isinstance(one, Measurement) else one.reason for one in found]


@pytest.mark.parametrize(("frame", "distance", "checksum"), [
    ("FF13889A", 5000.0, WITH), ("FF00DEDE", 222.0, WITHOUT), ("FF00DEDD", 222.0, WITH),
])  # fmt: skip
def test_the_sum_is_the_configured_one_and_no_other(frame: str, distance: float, checksum: str) -> None:
    assert said(frame, checksum) == [{"distance": distance}]
    assert said(frame, WITHOUT if checksum == WITH else WITH) == ["checksum"]


def test_it_is_asked_at_each_poll() -> None:
    decoder = jsn_sr04t.Decoder(jsn_sr04t.JsnSr04tOptions())
    assert list(decoder.start()) == []
    assert [decoder.poll(), decoder.poll()] == [b"\x55", b"\x55"]


@pytest.mark.parametrize("frame", ["FF0000FF", "FF00C7C6"])
def test_no_echo_and_the_probes_ringing_are_unclear(frame: str) -> None:
    assert said(frame) == [{"event": "unclear"}]


def test_further_than_any_of_them_can_see_is_refused() -> None:
    assert said("FF1F405E") == [{"distance": 8000.0}]
    assert said("FF1F415F") == ["range"]


def test_each_answer_is_a_reading() -> None:
    assert len(said("FF13889A" * 3)) == 3


def test_a_board_that_does_not_answer_is_asked_in_both_ways_until_it_does() -> None:
    decoder = jsn_sr04t.Decoder(jsn_sr04t.JsnSr04tOptions())
    assert [decoder.poll() for _ in range(8)] == [b"\x55"] * 5 + [b"\x01", b"\x55", b"\x01"]
    decoder.feed(bytes.fromhex("FF13889A"), 0)
    assert [decoder.poll() for _ in range(3)] == [b"\x01"] * 3
