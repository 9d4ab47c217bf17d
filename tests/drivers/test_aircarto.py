"""ModuleAir and NebuleAir: codes, a sensor that failed, and hostile posts."""

import json
from typing import Any

import pytest

from drivers.aircarto import Decoder
from gateway.contract import Measurement, Options, Reject, Remark


def _say(**parts: Any) -> list[Measurement | Reject | Remark]:  # noqa: ANN401 -- JSON may hold anything
    message = {"device_id": "m-1", "signal_quality": -61, **parts}
    return list(Decoder(Options()).decode("aircarto/hall", json.dumps(message).encode()))


def test_formaldehyde_is_in_parts_by_volume() -> None:
    (said,) = _say(ISO_VB=100)
    assert isinstance(said, Measurement)
    assert said.fields["ch2o"] == pytest.approx(100 * 30.026 / 24.055)


def test_a_code_that_is_not_known_is_named_and_its_text_is_not() -> None:
    said = _say(ISO_39=3, ISO_03=12.5, ISO_03_unit="12.5 ppb")
    assert [one.what for one in said if isinstance(one, Remark)] == ["ISO_03"]


@pytest.mark.parametrize("parts", [{"version": 1}, {"version_major": 1}, {"version_major": "1"}, {}])
def test_the_formats_version_is_not_the_firmwares(parts: dict[str, object]) -> None:
    (said,) = _say(ISO_39=3, **parts)
    assert isinstance(said, Measurement)
    assert "firmware_version" not in said.fields


@pytest.mark.parametrize("value", [None, "", "nan", -1, True, [], {}])
@pytest.mark.parametrize("code", ["ISO_24", "ISO_17", "ISO_53"])
def test_one_value_without_sense_does_not_cost_the_others(code: str, value: object) -> None:
    said = _say(**{"ISO_39": 3, code: value})
    assert isinstance(said[0], Measurement)
    assert said[0].fields == {"pm25": 3.0, "rssi": -61.0}
    assert [one.what for one in said if isinstance(one, Remark)] == [code]


@pytest.mark.parametrize("device", [None, "", [], "a\x00"])
def test_a_station_without_a_name_is_rejected(device: object) -> None:
    (said,) = _say(device_id=device, ISO_39=3)
    assert isinstance(said, Reject)
    assert said.detail == "no name of a sensor"
