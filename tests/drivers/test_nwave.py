"""Nwave NPS405, NPS310 and NCC405."""

import pytest

from drivers import load_codec
from drivers.codecs.nwave_nps405 import minutes
from gateway.contract import Measurement, Reject, Remark
from tests.support.recordings import decode_payload


@pytest.mark.parametrize(
    ("packed", "expected"),
    [(0, 0), (89, 89), (90, 90), (91, 95), (119, 235), (120, 240), (121, 300), (126, 600), (127, None)],
)
def test_a_duration_grows_coarser_and_ends(packed: int, expected: int | None) -> None:
    assert minutes(packed) == expected


def test_eleven_hours_or_more_give_no_duration() -> None:
    (said,) = decode_payload("nwave_nps405", 1, "FF")
    assert said.fields == {"occupied": True, "event": "status"}


def test_a_heartbeat_has_the_temperature_in_halves_above_ten() -> None:
    (said,) = decode_payload("nwave_nps405", 2, "00 D3 D8")
    assert (said.fields["temperature"], said.fields["battery_voltage"]) == (-10.0, 3.344)


def test_a_registration_may_lack_the_battery_of_the_permit() -> None:
    with_battery, without = (decode_payload("nwave_nps405", 10, hex_) for hex_ in ("D1 20 1F345678", "D1 1F345678"))
    assert with_battery == without


def test_a_registration_with_bit_7_clear_tells_nothing_of_the_bay() -> None:
    (said,) = decode_payload("nwave_nps405", 10, "00 1F345678")
    assert "occupied" not in said.fields
    assert "previous_state_duration" not in said.fields


@pytest.mark.parametrize(("byte", "occupied"), [("01", True), ("FE", False)])
def test_of_the_nps310_only_bit_0_counts(byte: str, occupied: bool) -> None:
    assert decode_payload("nwave_nps310", 1, byte)[0].fields["occupied"] is occupied


@pytest.mark.parametrize(("byte", "health"), [("A8", 21), ("00", 0), ("07", 0), ("FF", 31)])
def test_the_health_of_the_counter_is_in_the_upper_five_bits(byte: str, health: int) -> None:
    assert decode_payload("nwave_ncc405", 2, f"{byte} 66 61")[0].fields["device_error"] == health


def test_a_count_that_goes_on_is_no_intensity() -> None:
    (said,) = decode_payload("nwave_ncc405", 1, "06 AA")
    assert (said.kind, said.fields["total_count"]) == ("traffic", 1706)
    assert "intensity" not in said.fields


@pytest.mark.parametrize("name", ["nwave_nps405", "nwave_nps310", "nwave_ncc405"])
def test_port_6_is_the_makers_own(name: str) -> None:
    assert decode_payload(name, 6, "00")[0].reason == "unsupported"


@pytest.mark.parametrize(
    ("name", "port", "hex_", "said"),
    [
        (
            "nwave_nps405",
            2,
            "00D3D800590B",
            {
                "type": "heartbeat",
                "occupied": False,
                "battery_voltage": 3.344,
                "temperature": -10,
                "hw_health_status": 0,
            },
        ),
        ("nwave_nps405", 1, "CA", {"type": "parking_status", "occupied": True, "previous_state_duration": 74}),
        (
            "nwave_nps405",
            10,
            "D11F345678",
            {"type": "user_registration", "occupied": True, "previous_state_duration": 81, "tag_id": "1F345678"},
        ),
        (
            "nwave_nps310",
            3,
            "010D000200",
            {"type": "startup", "firmware_version": "1.13.0", "reset_cause": "power_on", "occupied": False},
        ),
        ("nwave_ncc405", 1, "06AA", {"type": "counter_update", "counter_value": 1706.0}),
    ],
    ids=str,
)
def test_the_vendors_object_says_the_same_as_the_payload(
    name: str, port: int, hex_: str, said: dict[str, object]
) -> None:
    codec = load_codec(name)
    assert codec.from_object is not None
    assert list(codec.from_object(said, codec.options())) == decode_payload(name, port, hex_)


def test_an_overflow_gives_no_duration_in_an_object_either() -> None:
    codec = load_codec("nwave_nps405")
    assert codec.from_object is not None
    (said,) = codec.from_object({"type": "parking_status", "occupied": True, "previous_state_duration": 660}, None)
    assert isinstance(said, Measurement)
    assert said.fields == {"occupied": True, "event": "status"}


@pytest.mark.parametrize(
    "said", [{}, {"type": "debug"}, {"type": []}, {"type": "heartbeat", "occupied": "yes"}], ids=str
)
def test_an_object_without_a_reading_is_rejected(said: dict[str, object]) -> None:
    codec = load_codec("nwave_nps405")
    assert codec.from_object is not None
    (rejected,) = codec.from_object(said, None)
    assert isinstance(rejected, Reject)


def test_a_value_of_an_object_that_is_none_costs_no_other() -> None:
    codec = load_codec("nwave_nps405")
    assert codec.from_object is not None
    said, *remarks = codec.from_object({"type": "heartbeat", "occupied": 1, "temperature": "hot"}, None)
    assert isinstance(said, Measurement)
    assert said.fields == {"occupied": True, "event": "heartbeat"}
    assert [one.what for one in remarks if isinstance(one, Remark)] == ["temperature"]
