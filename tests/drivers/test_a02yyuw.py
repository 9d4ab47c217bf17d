import pytest

from drivers import a02yyuw
from drivers.common.sonar import Echo, parse
from gateway.contract import FieldValue, Measurement, Reject


def said(hex_: str, **options: object) -> list[dict[str, FieldValue] | str]:
    given = a02yyuw.A02yyuwOptions.model_validate({"interval": "0s", **options})
    decoder = a02yyuw.Decoder(given)
    found = [*decoder.feed(bytes.fromhex(hex_), 0), *decoder.finish()]
    return [dict(one.fields) if isinstance(one, Measurement) else one.reason for one in found]


def test_the_worked_frame_is_1953_mm() -> None:
    frame = bytes.fromhex("FF07A1A7")
    assert parse(frame) == Echo(1953, frame)


@pytest.mark.parametrize("frame", ["FF07FF05", "FF00FFFE", "FF0100 00"])
def test_ff_as_data_or_sum_is_no_header(frame: str) -> None:
    (first, second) = said(frame * 2)
    assert first == second
    assert isinstance(first, dict)


def test_a_stream_entered_in_the_middle_is_found_by_its_sum() -> None:
    assert said("A1A7 FF07A1A7 FF07A1A7") == ["noise", {"distance": 1953.0}, {"distance": 1953.0}]


def test_a_lost_byte_costs_one_frame() -> None:
    assert said("FF07A7 FF07A1A7") == ["checksum", {"distance": 1953.0}]


@pytest.mark.parametrize(
    ("frame", "event"),
    [("FF0000FF", "unclear"), ("FF001413", "blind_zone"), ("FFFFFDFB", "no_target"), ("FFFFFEFC", "unclear")],
)
def test_no_echo_and_the_blind_zone_are_states_and_not_distances(frame: str, event: str) -> None:
    assert said(frame) == [{"event": event}]


def test_each_model_has_its_own_range() -> None:
    at_5_m, at_20_cm = "FF13889A", "FF00C8C7"
    assert said(at_5_m) == ["range"]
    assert said(at_5_m, model="a01nyub") == [{"distance": 5000.0}]
    assert said(at_20_cm) == [{"distance": 200.0}]
    assert said(at_20_cm, model="a01nyub") == [{"event": "blind_zone"}]


def test_the_sum_of_the_other_kind_is_refused() -> None:
    found = parse(bytes.fromhex("FF00DEDE"))
    assert isinstance(found, Reject)
    assert found.reason == "checksum"


def test_it_says_whether_the_bay_is_occupied_where_a_threshold_is_set() -> None:
    assert said("FF07A1A7", threshold_mm=2000, debounce="0s") == [{"distance": 1953.0, "occupied": True}]
