"""Decentlab's frame, and what its groups mean in each station."""

import pytest

from drivers.codecs.decentlab_dl_ac import Calibration, volts
from gateway.contract import Remark
from tests.support.recordings import decode_payload

NAMES = ("decentlab_dl_pm", "decentlab_dl_ac", "decentlab_dl_lp8p", "decentlab_dl_lid", "decentlab_dl_mbx")
AC = "02 0FA0 003F 66B49B8C 8966803C 8CF58023 8A68804C 903783F4 158A"


@pytest.mark.parametrize(("name", "flags"), list(zip(NAMES, ("0001", "0020", "0008", "0002", "0002"), strict=True)))
def test_often_the_battery_is_all_there_is(name: str, flags: str) -> None:
    (said,) = decode_payload(name, 1, f"02 1B50 {flags} 0C25")
    assert said.fields == {"serial_number": "6992", "battery_voltage": 3.109}


@pytest.mark.parametrize("name", NAMES)
def test_a_frame_whose_length_belies_its_groups_is_damaged(name: str) -> None:
    for hex_ in ("02 1B50 0003 0C25", "02 1B50 0001 0C", "02 1B50"):
        assert decode_payload(name, 1, hex_)[0].reason == "length"


@pytest.mark.parametrize("name", NAMES)
def test_groups_that_the_station_does_not_have_are_unsupported(name: str) -> None:
    assert decode_payload(name, 1, "02 1B50 8000 0C25")[0].reason == "unsupported"


@pytest.mark.parametrize("name", NAMES)
def test_another_protocol_is_not_ours(name: str) -> None:
    assert decode_payload(name, 1, "01 1B50 0001 0C25")[0].reason == "noise"


def test_temperature_and_humidity_come_from_one_sensor() -> None:
    (said,) = decode_payload("decentlab_dl_pm", 1, "02 1B50 0004 67BD 618D")
    assert said.fields["temperature"] == pytest.approx(24.3566, abs=1e-4)
    assert said.fields["relative_humidity"] == pytest.approx(0.416322, abs=1e-6)


def test_without_a_calibration_there_are_voltages_and_no_gas() -> None:
    (said,) = decode_payload("decentlab_dl_ac", 1, AC)
    assert said.fields["no2_electrode"] == pytest.approx(0.220276, abs=1e-6)
    assert not {"no2", "no", "co", "o3"} & said.fields.keys()


def test_a_calibration_gives_that_gas_beside_the_voltages() -> None:
    (said,) = decode_payload("decentlab_dl_ac", 1, AC, no2={"we_0": 256, "aux_0": 227, "s": 0.256})
    assert said.fields["no2"] == pytest.approx(-91.823578 * 1.9125, abs=0.01)
    assert "no2_electrode" in said.fields
    assert "co" not in said.fields


def test_a_concentration_is_the_difference_less_the_zeros_by_the_sensitivity() -> None:
    assert Calibration(we_0=256, aux_0=227, s=0.5).ppb(129.0) == 200.0
    assert volts(0x8000) == 0.0


def test_a_lidar_gives_the_median() -> None:
    (said,) = decode_payload(
        "decentlab_dl_lid", 1, "02 11C9 0001 119B117611BC119E118A119411A811A8119400640199", threshold_mm=4510
    )
    assert (said.fields["distance"], said.fields["occupied"]) == (4510.0, False)


def test_no_valid_sample_is_no_distance() -> None:
    (said,) = decode_payload("decentlab_dl_mbx", 1, "02 012F 0001 1388 0000", threshold_mm=9000)
    assert said.fields == {"serial_number": "303", "sample_count": 0}


def test_a_lidar_without_a_sample_says_nothing_of_the_bay() -> None:
    (said,) = decode_payload(
        "decentlab_dl_lid", 1, "02 11C9 0001 000000000000000000000000000000000000 0000 0199", threshold_mm=4510
    )
    assert said.fields == {"serial_number": "4553", "sample_count": 0}


def test_groups_of_a_later_model_cost_none_of_the_known_ones() -> None:
    said, rest = decode_payload("decentlab_dl_mbx", 1, "02 012F 0007 04D2 0001 0BB1 1234 5678")
    assert (said.fields["distance"], said.fields["battery_voltage"]) == (1234.0, 2.993)
    assert rest == Remark("left out", "groups 100", "this device has 2")


def test_a_frame_with_unknown_groups_that_lacks_the_known_ones_is_damaged() -> None:
    (said,) = decode_payload("decentlab_dl_mbx", 1, "02 012F 0007 04D2 0001 0BB1")
    assert said.reason == "length"
