"""LoRaWAN sensors of rooms and doors: Browan, IMBuildings, Adeunis, MClimate, Tektelic, Netvox, Terabee, MOKO."""

from typing import Any

import pytest

from gateway.contract import Measurement, Quality, Reject
from tests.support.recordings import decode_payload


def readings(name: str, port: int, hex_: str, **options: object) -> list[Measurement]:
    return [one for one in decode_payload(name, port, hex_, **options) if isinstance(one, Measurement)]


def fields(name: str, port: int, hex_: str, **options: object) -> dict[str, Any]:
    return dict(readings(name, port, hex_, **options)[0].fields)


# --- Browan Tabs


@pytest.mark.parametrize(("battery", "volts"), [("0B", 3.6), ("7B", 3.6), ("F0", 2.5)])
def test_of_a_tabs_battery_only_the_lower_half_is_a_voltage(battery: str, volts: float) -> None:
    assert fields("browan_tabs", 103, f"00 {battery} 36 1D")["battery_voltage"] == volts


def test_a_tabs_sensor_that_failed_gives_no_climate() -> None:
    assert fields("browan_tabs", 103, "00 0B 7F 7F") == {"battery_voltage": 3.6, "event": "sensor failure"}
    assert "relative_humidity" not in fields("browan_tabs", 103, "00 0B 36 65")


def test_the_upper_bit_of_a_tabs_temperature_and_humidity_is_no_number() -> None:
    said = fields("browan_tabs", 103, "00 0B B6 9D")
    assert (said["temperature"], said["relative_humidity"]) == (22.0, 0.29)


def test_the_board_of_a_tabs_is_not_the_air() -> None:
    said = fields("browan_tabs", 103, "00 0B 36 1D 3502 0000 3C00 35")
    assert (said["device_temperature"], said["temperature"], said["co2_equivalent"]) == (22.0, 21.0, 565.0)
    assert "temperature" not in fields("browan_tabs", 102, "01 7B 34 1600 510C00")


def test_movements_in_all_are_a_count_and_none_now_is_zero() -> None:
    air, traffic = readings("browan_tabs", 102, "00 7B 34 1600 510C00")
    assert (air.fields["motion"], traffic.kind, traffic.fields) == (0, "traffic", {"total_count": 3153})


def test_zeros_alone_are_no_reading() -> None:
    assert decode_payload("browan_tabs", 102, "00" * 8)[0].reason == "unsupported"


# --- IMBuildings


def test_with_the_beam_blocked_the_count_is_doubtful() -> None:
    own, a, b = readings("imbuildings", 1, "0206 0004A30B00F6B569 00 00F8 0000 0000 80 0603 05E6 61")
    assert (own.fields["event"], a.quality, b.quality) == ("beam blocked", *[Quality.INCONSISTENT] * 2)
    assert (a.fields, a.tags) == ({"intensity": 0, "total_count": 1539}, {"direction": "a"})


def test_a_port_of_its_own_stands_for_the_head_that_is_not_sent() -> None:
    whole = readings("imbuildings", 1, "0206 0004A30B00F6B569 08 00F8 0003 0002 20 0603 05E6 61")
    assert readings("imbuildings", 26, "08 00F8 0003 0002 20 0603 05E6 61") == whole
    assert [dict(one.fields) for one in readings("imbuildings", 27, "00 0603 05E6")] == [
        {"total_count": 1539},
        {"total_count": 1510},
    ]


def test_the_comfort_sensor_below_zero_is_signed() -> None:
    said = fields("imbuildings", 1, "0103 0004A30B00F6B569 00 0130 FF9C 12C0 0271 00")
    assert (said["temperature"], said["motion"]) == (-1.0, 0)


# --- Adeunis


TWO = "6A {} 00E12D0258 00E02E0262"


def test_older_readings_of_a_message_get_their_times_from_the_period() -> None:
    newest, older = (
        one
        for one in readings("adeunis_comfort_co2", 1, TWO.format("24") + "152A9C40", period="10min")
        if one.time is not None
    )
    assert (newest.time, newest.fields["co2"]) == (1_712_112_448_000_000_000, 600.0)
    assert (older.time, older.fields["co2"]) == (1_712_111_848_000_000_000, 610.0)


@pytest.mark.parametrize("options", [{}, {"period": "10min"}])
def test_older_readings_without_a_time_are_left_out_and_named(options: dict[str, object]) -> None:
    said = decode_payload("adeunis_comfort_co2", 1, TWO.format("20"), **options)
    assert said[0].fields == {"temperature": 22.5, "relative_humidity": 0.45, "co2": 600.0, "battery_low": False}
    assert (said[1].kind, said[1].what) == ("left out", "older readings of a message")


def test_an_alarm_names_what_it_is_about_and_tells_its_end() -> None:
    assert fields("adeunis_comfort_co2", 1, "6B20 20 00E12D0258")["event"] == "CO2 alarm"
    assert fields("adeunis_comfort_co2", 1, "6B20 00 00E12D0258")["event"] == "alarm over"


def test_an_input_is_a_series_of_its_own() -> None:
    said = readings("adeunis_comfort_co2", 1, "5220 01 0000002A 0003")
    assert (said[0].fields, said[0].tags) == ({"total_count": 42, "intensity": 3}, {"input": "2"})


@pytest.mark.parametrize("frame", ["10", "1F", "20", "30", "33"])
def test_settings_and_extremes_are_no_readings(frame: str) -> None:
    assert decode_payload("adeunis_comfort_co2", 1, f"{frame}20 0000 0000")[0].reason == "unsupported"


# --- MClimate


@pytest.mark.parametrize(
    ("hex_", "co2"),
    [
        ("01 0271 0273 84 ED", 625.0),
        ("01 0258 80 0CE4 90 20 012C", 1168.0),
        ("01 0258 80 0CE4 90 20 012C 01", 1168.0),
        ("51 05F4 80 A0 90 20 07", 1168.0),
    ],
)
def test_length_and_first_byte_tell_the_mclimates_apart(hex_: str, co2: float) -> None:
    assert fields("mclimate_co2", 1, hex_)["co2"] == co2


def test_the_lower_bits_beside_the_co2_are_the_source_of_power() -> None:
    assert fields("mclimate_co2", 1, "01 0258 80 0CE4 90 27 012C")["co2"] == 1168.0


def test_an_mclimate_below_zero_counts_from_40_below() -> None:
    assert fields("mclimate_co2", 1, "01 0271 0064 84 ED")["temperature"] == -30.0


def test_behind_answers_stands_the_reading() -> None:
    said = decode_payload("mclimate_co2", 1, "12 0A 1D 0201 01 0271 0273 84 ED")
    assert said[0].fields["co2"] == 625.0
    assert (said[1].kind, said[1].detail) == ("left out", "12 0A 1D 02 01")
    assert isinstance(decode_payload("mclimate_co2", 1, "99 0A 01 0271 0273 84 ED")[0], Reject)


# --- Tektelic, Netvox, Terabee


def test_raw_co2_never_runs_into_the_filtered_series() -> None:
    said = readings("tektelic_breeze", 10, "0EE4 0274 0BE4 0271")
    assert [(one.fields["co2"], one.tags) for one in said] == [(628.0, {"filter": "raw"}), (625.0, {})]


def test_a_breeze_below_zero_is_signed_and_big_endian() -> None:
    assert fields("tektelic_breeze", 10, "0367 FF9C") == {"temperature": -10.0}


def test_another_netvox_with_co2_in_the_same_place_is_refused() -> None:
    assert decode_payload("netvox_ra0716", 6, "01 39 01 24 09E5 135F 000C 00")[0].reason == "noise"


def test_a_netvox_without_battery_has_none_and_the_upper_bit_says_low() -> None:
    assert "battery_voltage" not in fields("netvox_ra0716", 6, "01 35 01 00 09E5 135F 000C 00")
    said = fields("netvox_ra0716", 6, "01 35 01 A0 09E5 135F 000C 00")
    assert (said["battery_voltage"], said["battery_low"]) == (3.2, True)


def test_dust_of_zero_is_a_value_and_ones_alone_are_none() -> None:
    assert fields("netvox_ra0716", 6, "01 35 01 24 09E5 135F 0000 00")["pm25"] == 0.0
    assert "pm25" not in fields("netvox_ra0716", 6, "01 35 01 24 09E5 135F FFFF 00")


@pytest.mark.parametrize(("flags", "quality"), [("00", Quality.GOOD), ("08", Quality.GOOD), ("02", Quality.STUCK)])
def test_sums_of_a_counter_that_stands_are_doubtful(flags: str, quality: Quality) -> None:
    came, went = readings("terabee_people_counting", 1, f"00000002 00000003 {flags}")[-2:]
    assert (came.quality, went.quality) == (quality, quality)
    assert (came.fields, went.fields) == ({"total_count": 2}, {"total_count": 3})


# --- MOKO


HEAD = "55 01 65E0AA4E 0001 {} 01 00"


@pytest.mark.parametrize(("state", "quality"), [("0C", Quality.GOOD), ("0D", Quality.INCONSISTENT)])
def test_a_strong_magnet_makes_the_bay_doubtful(state: str, quality: Quality) -> None:
    (said,) = readings("moko_lw009", 1, HEAD.format("0006") + f"0201{state} 320101")
    assert (said.fields["occupied"], said.quality) == (True, quality)


def test_an_unknown_entry_is_passed_over_by_its_length_and_named() -> None:
    said = decode_payload("moko_lw009", 1, HEAD.format("0008") + "7703ABCDEF 320100")
    assert (said[0].fields, said[1].what) == ({"occupied": False}, "entry 77")


def test_a_climate_sensor_that_failed_gives_none() -> None:
    assert fields("moko_lw009", 1, HEAD.format("0009") + "020111 0B0119 320100") == {
        "occupied": False,
        "event": "climate sensor failure",
    }


@pytest.mark.parametrize("payload", ["55016 5E0AA4E 0001 0003 01 01 320100", HEAD.format("0004") + "320100"])
def test_what_is_encrypted_or_cut_is_refused(payload: str) -> None:
    (said,) = decode_payload("moko_lw009", 1, payload.replace(" ", ""))
    assert isinstance(said, Reject)
