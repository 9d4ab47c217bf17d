"""One payload of a LoRaWAN sensor as one set of names: what the families of codecs share."""

from collections.abc import Callable, Iterable, Mapping

import pytest

import drivers
from gateway.contract import Measurement, Reject, Remark
from tests.drivers.vectors.common import Said, Vector

More = Callable[[Vector, bytes, list[Measurement]], dict[str, object]]
"""What a device has beyond `ALIASES`, from the vector, its payload and the measurements."""

ALIASES: Mapping[str, Mapping[str, float]] = {
    "atmospheric_pressure": {"pressure_hPa": 1},
    "average_dwell_time": {"dwell_avg_s": 1},
    "battery_level": dict.fromkeys(("battery_pct", "battery_level_pct", "solar_battery_pct"), 100),
    "battery_voltage": dict.fromkeys(("battery_V", "solar_battery_V"), 1),
    "ch2o": dict.fromkeys(("hcho_ug_m3", "ch2o_ug_m3"), 1),
    "co2": {"co2_ppm": 1},
    "device_error": {
        **dict.fromkeys(
            ("hw_health", "hw_health_status", "hardware_health", "sensor_error", "fault_code", "fault"), 1
        ),
        **dict.fromkeys(("error", "errors", "error_bits", "error_flags", "co2_sensor_status", "status"), 1),
    },
    "device_temperature": {
        f"{where}temperature_C": 1 for where in ("", "device_", "cpu_", "lidar_", "barometer_", "internal_")
    },
    "distance": {"distance_mm": 1},
    "external_temperature": {
        f"{where}temperature_C": 1 for where in ("external_", "external1_", "ext_", "ds18b20_", "probe_", "")
    },
    "illuminance": dict.fromkeys(
        ("illuminance_lux", "illumination_lux", "illumination", "light_lux", "light", "lux"), 1
    ),
    "max_dwell_time": {"dwell_max_s": 1},
    "motion": dict.fromkeys(("activity", "motion"), 1),
    "people_count_max": {"people_max": 1},
    "pm1": {"pm1_0_ug_m3": 1},
    "pm10": {"pm10_ug_m3": 1},
    "pm25": {"pm2_5_ug_m3": 1},
    "pm4": {"pm4_ug_m3": 1},
    "previous_state_duration": dict.fromkeys(("previous_state_duration_s", "previous_state_s"), 1),
    "relative_humidity": {"relative_humidity_pct": 100},
    "sample_count": dict.fromkeys(("valid_samples", "number_of_valid_samples", "samples", "number_of_samples"), 1),
    "signal_strength": dict.fromkeys(("signal", "lidar_signal"), 1),
    "solar_power": dict.fromkeys(("solar_mW", "solar_power_mW"), 1000),
    "sound_level": {"sound_avg_dB": 1},
    "sound_level_max": {"sound_peak_dB": 1},
    "surface_temperature": {"ir_external_temperature_C": 1},
    "temperature": {"temperature_C": 1},
    "total_count": dict.fromkeys(("count", "counter", "counter_value", "vehicle_count"), 1),
    "tvoc": {**dict.fromkeys(("tvoc_ppb", "tvoc_raw", "tvoc"), 1), "tvoc_iaq": 0.01, "tvoc_index": 0.01},
    "tvoc_mass": {"tvoc_ug_m3": 1},
    "typical_particle_size": {"typical_particle_size_nm": 1000, "typical_size_nm": 1000, "typical_size_um": 1},
}
"""Field -> the vectors' names for it, with what it is multiplied by; other units of the same are found without."""

TEXTS = {
    "firmware_version": ("firmware",),
    "hardware_version": ("hardware",),
    "serial_number": ("sn", "serial", "serial_number"),
}


def own_names(measurements: Iterable[Measurement]) -> dict[str, object]:
    """Return what was measured just now; None for what has a name and was not."""
    names: dict[str, object] = {theirs: None for aliases in ALIASES.values() for theirs in aliases}
    for one in measurements:
        if one.time is not None:
            continue
        for name, value in one.fields.items():
            names[name] = value
            if isinstance(value, int | float):
                for theirs, factor in ALIASES.get(name, {}).items():
                    if name == "temperature" or names[theirs] is None:  # the air's own wins over a probe's
                        names[theirs] = value * factor
                if name == "o3":
                    names["o3_ppm"] = round(value / 1000 * 24.055 / 47.998, 6)  # the driver rounds to 0.001 ug/m3
            else:
                names |= dict.fromkeys(TEXTS.get(name, ()), value)
    return names


def _history(vector: Vector, said: Iterable[Measurement], more: More) -> list[dict[str, object]]:
    """Return the readings that the device kept, each with as many names as the vector's own."""
    kept: dict[int, dict[str, object]] = {}
    for one in said:
        if one.time is not None:
            seconds = one.time // 1_000_000_000
            read = kept.setdefault(seconds, dict.fromkeys(("timestamp", "time", "unix"), seconds))
            said_then = {**own_names([now := one._replace(time=None)]), **more(vector, b"", [now])}
            read |= {name: value for name, value in said_then.items() if value is not None}
    wanted = vector["expected"].get("history", [])
    if len(wanted) != len(kept):
        return list(kept.values())
    return [
        {
            name: pytest.approx(value) if isinstance(value, float) else value
            for name, value in read.items()
            if name in names
        }
        for read, names in zip(kept.values(), wanted, strict=True)
    ]


def nothing(_: Vector, __: bytes, ___: list[Measurement]) -> dict[str, object]:
    return {}


UNSTORED = {"cayenne_lpp", "elsys"}
"""Codecs whose payloads may be sound and hold nothing that is stored: their entries are looked at even so."""


def by_codec(name: str, vector: Vector, more: More = nothing, then: More = nothing, **options: object) -> Said:
    codec = drivers.load_codec(name)
    data = bytes.fromhex(vector["input_hex"])
    port = vector.get("meta", {}).get("f_port") or 0
    said = list(codec.decode(port, data, codec.options.model_validate(options)))
    measurements = [one for one in said if isinstance(one, Measurement)]
    rejects = [one for one in said if isinstance(one, Reject)]
    if not measurements and (name not in UNSTORED or vector["kind"] == "bad" or rejects[0].reason != "unsupported"):
        return list(rejects)
    names = {**own_names(measurements), "history": _history(vector, measurements, then)}
    names |= more(vector, data, measurements)
    rests = [one.raw.hex() for one in rejects] + [_rest(one) for one in said if isinstance(one, Remark)]
    return [{**names, "unparsed": rests[0]} if rests else names]


def _rest(remark: Remark) -> str:
    return remark.detail.removeprefix("from ").replace(" ", "").lower()


def events_of(measurements: Iterable[Measurement]) -> list[str]:
    return [event for one in measurements for event in str(one.fields.get("event", "")).split(", ") if event]
