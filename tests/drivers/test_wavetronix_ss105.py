"""The SmartSensor 105; what it says in whole streams is in its recordings."""

import pytest
from pydantic import ValidationError

from drivers.wavetronix_ss105 import Decoder, WavetronixSs105Options, checksum, interval
from gateway.contract import Measurement, Reject

LANE = "1" + "00000008" + "0028" + "0080" + "0300" + "0100" + "0000"
EMPTY = "2" + "00000000" + "0000" * 5


def _decoder(**options: object) -> Decoder:
    return Decoder(WavetronixSs105Options.model_validate(options))


def _summed(payload: str) -> str:
    return f"{payload}{checksum(payload):04X}"


def _line(payload: str, header: str = "Z00001XD") -> bytes:
    return f"{header}{_summed(payload)}~\r".encode()


def _reason(decoder: Decoder, line: bytes) -> str:
    (said,) = decoder.feed(line, 0)
    assert isinstance(said, Reject)
    return said.reason


def test_it_is_asked_by_its_address_in_decimal() -> None:
    decoder = _decoder(address=42)
    assert [decoder.poll() for _ in range(3)] == [b"Z00042XD\r", b"Z00042S5\r", b"Z00042S5\r"]


def test_its_seconds_begin_in_2000() -> None:
    found = interval(_summed("00000000" + LANE))
    assert not isinstance(found, str)
    assert found[0] == 946_684_800 * 10**9


def test_a_lane_is_converted_from_miles_and_1024ths() -> None:
    lanes = list(_decoder(clock="sensor").feed(_line("313CD580" + LANE + EMPTY), 0))
    assert lanes == [
        Measurement(
            "traffic",
            {
                "intensity": 8,
                "occupancy": 0.125,
                "intensity_class_0": 6,
                "intensity_class_1": 2,
                "intensity_class_2": 0,
                "average_vehicle_speed": 64.37,
            },
            time=1_772_755_200_000_000_000,
            key="1772755200000000000",
            tags={"lane": "1"},
        ),
        Measurement(
            "traffic",
            {"intensity": 0, "occupancy": 0.0, **{f"intensity_class_{size}": 0 for size in range(3)}},
            time=1_772_755_200_000_000_000,
            key="1772755200000000000",
            tags={"lane": "2"},
        ),
    ]


def test_by_our_clock_the_interval_found_first_is_passed_over() -> None:
    decoder = _decoder()
    assert _reason(decoder, _line("313CD580" + LANE)) == "unsupported"
    (lane,) = decoder.feed(_line("313CD59E" + LANE), 0)
    assert isinstance(lane, Measurement)
    assert lane.time is None


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"Z00001XDEmpty~\r", "unsupported"),
        (b"Z00001XDInvalid~\r", "unsupported"),
        (b"Z00001XDFailure~\r", "unsupported"),
        (b"Z00002XDEmpty~\r", "noise"),
        (b"Z00001XCEmpty~\r", "noise"),
        (b"#" + _line("313CD580" + LANE), "noise"),
        (b"Z00001XD~\r", "length"),
        (_line("313CD580" + LANE)[:-2] + b"\r", "length"),
        (_line("313CD580"), "length"),
        (_line("313CD580" + LANE + "0"), "length"),
        (_line("313CD580" + LANE.replace("28", "2G")), "length"),
        (_line("313CD580" + LANE).replace(b"28", b"29"), "checksum"),
        (b"Z00001S5\x07~\r", "length"),
    ],
)
def test_a_line_that_says_no_interval_is_rejected_with_its_reason(line: bytes, reason: str) -> None:
    assert _reason(_decoder(clock="sensor"), line) == reason


def test_an_echo_of_the_question_says_nothing() -> None:
    assert list(_decoder().feed(b"Z00001XD\rZ00001S5\r", 0)) == []


@pytest.mark.parametrize("answer", [b"Z00001S5SS105 V2.20~\r", b"Z00001S5Invalid~\r"])
def test_the_firmware_is_not_asked_for_again_once_it_is_told_or_refused(answer: bytes) -> None:
    decoder = _decoder()
    decoder.feed(answer, 0)
    assert {decoder.poll() for _ in range(130)} == {b"Z00001XD\r"}


@pytest.mark.parametrize("address", [-1, 10000])
def test_an_address_has_four_digits(address: int) -> None:
    with pytest.raises(ValidationError):
        WavetronixSs105Options.model_validate({"address": address})
