"""PurpleAir: two lasers, a thermometer in its case, two kinds of dust, and hostile messages."""

import json
from typing import Any

import pytest

from drivers.purpleair import Decoder, PurpleAirOptions
from gateway.contract import Measurement, Quality, Reject, Remark


def _say(options: PurpleAirOptions | None = None, **said: Any) -> list[Measurement | Reject | Remark]:  # noqa: ANN401 -- JSON
    message = {"SensorId": "a:b", "DateTime": "2026/03/01T06:07:08z", "hardwarediscovered": "2.0", **said}
    return list(Decoder(options or PurpleAirOptions()).decode("purpleair/a", json.dumps(message).encode()))


def _readings(options: PurpleAirOptions | None = None, **said: Any) -> list[Measurement]:  # noqa: ANN401 -- the same
    return [one for one in _say(options, **said) if isinstance(one, Measurement)]


def test_the_second_laser_is_a_series_of_its_own() -> None:
    first, second = _readings(pm2_5_atm=3, pm2_5_atm_b=4)
    assert (dict(first.fields), dict(first.tags)) == ({"pm25": 3.0}, {})
    assert (dict(second.fields), dict(second.tags)) == ({"pm25": 4.0}, {"channel": "b"})


@pytest.mark.parametrize(
    ("first", "second", "doubted"),
    [(3, 8, False), (3, 8.1, True), (100, 200, False), (100, 210, True), (0, 0, False)],
)
def test_lasers_that_contradict_each_other_are_both_marked(first: float, second: float, doubted: object) -> None:
    marks = {one.quality for one in _readings(pm2_5_atm=first, pm2_5_atm_b=second)}
    assert marks == {Quality.INCONSISTENT if doubted else Quality.GOOD}


def test_one_laser_that_is_silent_does_not_cost_the_other() -> None:
    said = _say(pm2_5_atm=None, pm2_5_atm_b=4)
    assert [one.tags for one in said if isinstance(one, Measurement)] == [{"channel": "b"}]
    assert [one.what for one in said if isinstance(one, Remark)] == ["one laser"]


def test_the_wanted_estimate_is_taken() -> None:
    both: dict[str, Any] = {"pm2_5_atm": 30, "pm2_5_cf_1": 40}
    (outdoor,), (indoor,) = _readings(**both), _readings(PurpleAirOptions(factor="cf_1"), **both)
    assert (outdoor.fields["pm25"], indoor.fields["pm25"]) == (30.0, 40.0)


def test_the_climate_is_that_of_the_case_or_corrected_on_demand() -> None:
    said: dict[str, Any] = {"pm2_5_atm": 3, "current_temp_f": 76, "current_humidity": 40}
    (case,), (air,) = _readings(**said), _readings(PurpleAirOptions(climate="air"), **said)
    assert case.fields["device_temperature"] == pytest.approx(24.444444444)
    assert case.fields["device_humidity"] == 0.4
    assert "temperature" not in case.fields
    assert (air.fields["temperature"], air.fields["relative_humidity"]) == (20.0, 0.44)


@pytest.mark.parametrize("stamp", [None, "", "noon", 5, "1970/01/01T00:00:09z", "2026-13-01T00:00:00z"])
def test_a_clock_that_was_never_set_leaves_it_to_the_time_of_arrival(stamp: object) -> None:
    said = _say(DateTime=stamp, pm2_5_atm=3)
    assert [one.time for one in said if isinstance(one, Measurement)] == [None]
    assert [one.what for one in said if isinstance(one, Remark)] == ["DateTime"]


@pytest.mark.parametrize("value", [None, "", "nan", -1, True, [], {}])
@pytest.mark.parametrize("name", ["pm1_0_atm", "p_0_3_um", "pressure"])
def test_one_value_without_sense_does_not_cost_the_others(name: str, value: object) -> None:
    spoiled: dict[str, Any] = {"pm2_5_atm": 3, name: value}
    said = _say(**spoiled)
    assert isinstance(said[0], Measurement)
    assert said[0].fields == {"pm25": 3.0}
    assert [one.what for one in said if isinstance(one, Remark)] == [name]


@pytest.mark.parametrize("sensor", [None, "", [], "a\x00"])
def test_a_sensor_without_a_name_is_rejected(sensor: object) -> None:
    (said,) = _say(SensorId=sensor, pm2_5_atm=3)
    assert isinstance(said, Reject)
    assert said.detail == "no name of a sensor"
