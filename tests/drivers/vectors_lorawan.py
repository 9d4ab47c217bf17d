"""What the LoRaWAN codecs read, in the names of the external vectors: one payload, one set of names."""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import pytest

import drivers
from drivers.codecs import (
    cayenne_lpp,
    decentlab_dl_ac,
    decentlab_dl_lid,
    decentlab_dl_lp8p,
    dragino_lht52,
    elsys,
    libelium_smart_parking,
    nwave_ncc405,
    nwave_nps310,
    nwave_nps405,
    parametric_tcr,
    tekzitel_tekzipark,
)
from drivers.codecs.common import nwave as _nwave_codecs
from drivers.codecs.common.decentlab import Group, present
from drivers.codecs.common.distance import DistanceOptions
from gateway.contract import Measurement, Reject

Vector = Mapping[str, Any]
Names = Mapping[str, object]
Said = list[Names | Reject]
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


def _own_names(measurements: Iterable[Measurement]) -> dict[str, object]:
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
            said_then = {**_own_names([now := one._replace(time=None)]), **more(vector, b"", [now])}
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


def _nothing(_: Vector, __: bytes, ___: list[Measurement]) -> dict[str, object]:
    return {}


UNSTORED = {"cayenne_lpp", "elsys"}
"""Codecs whose payloads may be sound and hold nothing that is stored: their entries are looked at even so."""


def _by_codec(name: str, vector: Vector, more: More = _nothing, then: More = _nothing, **options: object) -> Said:
    codec = drivers.load_codec(name)
    data = bytes.fromhex(vector["input_hex"])
    port = vector.get("meta", {}).get("f_port") or 0
    said = list(codec.decode(port, data, codec.options.model_validate(options)))
    measurements = [one for one in said if isinstance(one, Measurement)]
    rejects = [one for one in said if isinstance(one, Reject)]
    if not measurements and (name not in UNSTORED or vector["kind"] == "bad" or rejects[0].reason != "unsupported"):
        return list(rejects)
    names = {**_own_names(measurements), "history": _history(vector, measurements, then)}
    names |= more(vector, data, measurements)
    return [{**names, "unparsed": rejects[0].raw.hex()} if rejects else names]


def _events(measurements: Iterable[Measurement]) -> list[str]:
    return [event for one in measurements for event in str(one.fields.get("event", "")).split(", ") if event]


def _placepod(_: Vector, __: bytes, said: list[Measurement]) -> dict[str, object]:
    events = _events(said)
    names: dict[str, object] = {
        "keepalive": "keepalive" in events,
        "rebooted": "reboot" in events,
        "deactivated": "deactivation" in events,
        "recalibrated": "recalibration" in events,
        "reboot_or_recalibration": "reboot or recalibration" in events,
    }
    names |= {"reboot": names["rebooted"], "recalibration": names["recalibrated"]}
    counted = [one.fields["total_count"] for one in said if "total_count" in one.fields]
    return {**names, **dict.fromkeys(("vehicle_count", "count"), counted[-1] if counted else None)}


CAUSES = {
    f"nwave-{codec.__name__[-6:]}": {number: word for word, number in codec.CAUSES.items()}
    for codec in (nwave_ncc405, nwave_nps310, nwave_nps405)
}
EVENTS = {"status": "parking_status", "registration": "user_registration", "count": "counter_update"}
MEANS = ("mean_V", "24h_V", "V_mean", *(f"{mean}_24h_V" for mean in ("mean", "avg")), "24h_mean_V", "V_mean_24h")
"""The vectors' words for the battery's mean of 24 hours."""


def _nwave(vector: Vector, data: bytes, said: list[Measurement]) -> dict[str, object]:
    fields = said[0].fields
    packed, cause = nwave_nps405.minutes(data[0] & 0x7F), fields.get("reset_cause")
    event = str(fields.get("event"))
    names: dict[str, object] = {
        "type": EVENTS.get(event, event),
        "reset_cause": None if cause is None else CAUSES[vector["device"]].get(int(cause)),
        "reset_cause_raw": cause,
        "previous_state_duration_overflow": packed is None,
        "overflow": packed is None,
        "tag_id": str(fields.get("tag_id", "")).upper(),
        "tag_battery_V": data[1] / 10 if len(data) == 6 else None,
        "occupied": fields.get("occupied"),
    }
    if vector["device"] == "nwave-ncc405" and len(data) == 3:
        names |= dict.fromkeys((f"battery_{word}" for word in MEANS), _nwave_codecs.volts(data[2]))
    return names


FRAMES = ("info", "keep_alive", "daily_update", "error", "start1", "start2", "service", "downlink", "rssi")
ERRORS = (
    *((f"error_{axis}", f"error_{axis}axis", f"error_{axis}_axis") for axis in "zyx"),
    *((f"error_{part}",) for part in ("rtc", "lorawan", "sigfox")),
)
"""The vectors' words for the bits of an error frame, the lowest first."""
SETTINGS = (
    *("nm_start", "nm_period", "nm_sleep_time", "nm_keep_alive"),
    *("radio_mode", "sleep_time", "keep_alive", "threshold"),
)


def _libelium(vector: Vector) -> Said:
    firmware = (re.findall("v[23]", str(vector.get("note"))) or ["v3"])[-1]
    said = _by_codec("libelium_smart_parking", vector, firmware=firmware)
    if isinstance(said[0], Reject):
        return said
    frame = libelium_smart_parking.parse(bytes.fromhex(vector["input_hex"]), firmware)
    names = {
        "frame_type": frame.type,
        "frame_type_name": FRAMES[frame.type],
        "counter": frame.counter,
        "resets": frame.resets,
        "config_id": frame.configuration,
        "sensor_error": frame.error,
        "config_nack": frame.refused,
        "recalibrated": frame.recalibrated,
        "config_ack": None if frame.refused is None else not frame.refused,
        "firmware": frame.firmware,
        "firmware_version": frame.firmware,
        "battery_state": int(frame.battery_low),
        "battery_state_name": "change" if frame.battery_low else "good",
        "errors": frame.error,
        **{name: bool((frame.error or 0) >> n & 1) for n, words in enumerate(ERRORS) for name in words},
        **dict(zip(SETTINGS, frame.settings or (), strict=False)),
    }
    for axis, value in zip("xyz", frame.axes or (), strict=False):
        names |= dict.fromkeys((axis, f"{axis}_axis", f"mag_{axis}"), value)
    hour, minute = frame.clock or (None, None)
    names |= {"hours": hour, "hour": hour, "minutes": minute, "minute": minute}
    return [{**said[0], **names}]


def _tekzitel(vector: Vector, data: bytes, _: list[Measurement]) -> dict[str, object]:
    read = tekzitel_tekzipark.parse(vector["meta"]["f_port"], data)
    names = read._asdict() | {
        "parking_id": read.bay,
        "temperature_C": read.temperature,
        "obstruction": read.obstructed,
    }
    for what in ("deflection", "baseline"):
        axes = list(getattr(read, what) or ())
        names |= {what: axes, **{f"{what}_{axis}": value for axis, value in zip("xyz", axes, strict=False)}}
    names |= {"beacon_rssi_dBm": read.beacon_rssi, "beacons": list(read.beacons), "beacon_count": len(read.beacons)}
    return names | {"fault_code": read.fault, "d_reflection": read.reflection, "keep_alive": read.keepalive}


CALIBRATIONS = {
    "no2": decentlab_dl_ac.Calibration(we_0=256, s=0.256, aux_0=227),
    "no": decentlab_dl_ac.Calibration(we_0=320, s=0.512, aux_0=288),
    "ox": decentlab_dl_ac.Calibration(we_0=235, s=0.345, aux_0=200),
    "co": decentlab_dl_ac.Calibration(we_0=544, s=0.424, aux_0=301),
}
"""Those of the vendor's example."""


def _decentlab_head(data: bytes) -> dict[str, object]:
    return {"device_id": int.from_bytes(data[1:3], "big"), **dict.fromkeys(("protocol", "protocol_version"), data[0])}


def _decentlab(groups: tuple[Group, ...], number: int, words: Mapping[str, Callable[[Any], object]]) -> More:
    """Return what reads further ``words`` of a group, beside the device's number."""

    def more(_: Vector, data: bytes, __: list[Measurement]) -> dict[str, object]:
        there = present(data, groups)
        assert not isinstance(there, Reject)
        found = dict(there).get(number)
        names = _decentlab_head(data)
        return names if found is None else names | {name: read(found) for name, read in words.items()}

    return more


def _gases(_: Vector, data: bytes, said: list[Measurement]) -> dict[str, object]:
    names = _decentlab_head(data)
    for gas, calibration in CALIBRATIONS.items():
        electrode, difference = (said[0].fields.get(f"{gas}_electrode{end}") for end in ("", "_difference"))
        if isinstance(electrode, float) and isinstance(difference, float):
            names |= {f"{gas}_we_mV": electrode * 1000, f"{gas}_we_minus_aux_mV": difference * 1000}
            names[f"{gas}_ppb_we_minus_aux"] = round(calibration.ppb(difference * 1000), 6)
            names[f"{gas}_ppb_we"] = round((electrode * 1000 - calibration.we_0) / calibration.s, 6)
    return {name: round(value, 6) if isinstance(value, float) else value for name, value in names.items()} | {
        "temperature_C": round(float(said[0].fields.get("temperature", 0)), 6)
    }


ELSYS = {
    0x0D: "digital1",
    0x0F: "acc_motion",
    0x11: "occupancy",
    0x12: "water",
    0x1A: "digital2",
    0x08: "analog1_mV",
    0x18: "analog2_mV",
    0x1B: "analog_uV",
    0x07: "battery_mV",
    0x0A: "pulse1",
    0x0B: "pulse1_abs",
    0x16: "pulse2",
    0x17: "pulse2_abs",
}
"""Types that hold one number."""


SIGNED = {0x1B}
TENTHS = {0x0C: ("external_temperature", "ext_temperature"), 0x19: ("external_temperature2", "ext_temperature2")}
MORE_WORDS = {
    "acc_motion": "acceleration_motion",
    "analog_uV": "external_analog_uV",
    "digital1": "digital",
    "water": "water_leak",
    "pulse1_abs": "pulse_abs",
}


def _elsys(_: Vector, data: bytes, said: list[Measurement]) -> dict[str, object]:
    del said
    names: dict[str, object] = {}
    for entry in elsys.entries(data):
        if isinstance(entry, Reject):
            names["settings"] = entry.raw[1:].hex()
            continue
        type_, value = entry
        if type_ in ELSYS:
            word, number = ELSYS[type_], int.from_bytes(value, "big", signed=type_ in SIGNED)
            names |= dict.fromkeys((word, MORE_WORDS.get(word, word)), number)
        degrees = int.from_bytes(value[:2], "big", signed=True) / 10
        names |= {f"{word}_C": degrees for word in TENTHS.get(type_, ())}
        if type_ == 0x03:
            axes = [byte - 256 if byte > 127 else byte for byte in value]
            names |= {
                f"{word}{axis}": number for axis, number in zip("xyz", axes, strict=True) for word in ("acc_", "")
            }
            names["acceleration"] = axes
        if type_ == 0x09:
            place = [int.from_bytes(value[at : at + 3], "big", signed=True) / 10000 for at in (0, 3)]
            names |= dict(zip(("latitude", "longitude", "lat", "lon"), place * 2, strict=True))
        if type_ == 0x10:
            names |= dict.fromkeys(("ir_internal_temperature_C", "internal_temperature_C"), degrees)
        if type_ == 0x13:
            names["grideye_ref"] = value[0]
        if type_ == 0x3D:
            names["debug"] = value.hex()
    return names


LPP_WORDS: Mapping[int, tuple[tuple[str, ...], float]] = {
    0x00: (("digital_in", "digital_input"), 1),
    0x01: (("digital_out", "digital_output"), 1),
    0x02: (("analog_in", "analog_input"), 0.01),
    0x03: (("analog_out", "analog_output"), 0.01),
    cayenne_lpp.PRESENCE: (("presence", "occupied"), 1),
    cayenne_lpp.LIGHT: (("luminosity", "illuminance", "light", "lux"), 1),
    cayenne_lpp.HUMIDITY: (("relative_humidity", "humidity"), 0.5),
    cayenne_lpp.PRESSURE: (("barometric_pressure", "barometer", "pressure"), 0.1),
}
"""Type -> the vectors' words for it, with what the number is multiplied by."""
LPP_AXES: Mapping[int, tuple[tuple[str, ...], tuple[str, ...], tuple[float, ...]]] = {
    0x71: (("accelerometer", "acceleration"), ("x", "y", "z"), (0.001,) * 3),
    0x86: (("gyrometer", "gyroscope"), ("x", "y", "z"), (0.01,) * 3),
    0x88: (("gps", "location"), ("latitude", "longitude", "altitude"), (0.0001, 0.0001, 0.01)),
}


def _cayenne(_: Vector, data: bytes, __: list[Measurement]) -> dict[str, object]:
    names: dict[str, object] = {}
    for entry in cayenne_lpp.entries(data):
        if isinstance(entry, Reject):
            continue
        channel, type_, value = entry
        read = cayenne_lpp.AIR.get(type_)
        if read is not None:
            aliased = _own_names([Measurement("air_quality", read(int.from_bytes(value, "big")))])
            for name, said in aliased.items():
                if said is not None:
                    names |= dict.fromkeys((f"{name}_{channel}", f"{name.removesuffix('_C')}_{channel}"), said)
        words, factor = LPP_WORDS.get(type_, ((), 1))
        number = int.from_bytes(value, "big", signed=type_ in (0x02, 0x03)) * factor
        for word in words:
            ends = ("", "_hPa", "_pct", "_lux") if type_ in cayenne_lpp.AIR else ("",)
            names |= {f"{word}_{channel}{end}": round(number, 6) for end in ends}
            names |= {f"{word}{end}_{channel}": round(number, 6) for end in ends}
        words, axes, factors = LPP_AXES.get(type_, ((), (), ()))
        size = len(value) // 3
        parts = [int.from_bytes(value[at : at + size], "big", signed=True) for at in range(0, 3 * size, size or 1)]
        scaled = [round(part * by, 6) for part, by in zip(parts, factors, strict=False)]
        for word in words:
            names[f"{word}_{channel}"] = scaled if type_ != 0x88 else dict(zip(axes, scaled, strict=True))
            names |= {f"{word}_{channel}_{axis}": part for axis, part in zip(axes, scaled, strict=True)}
            names |= {f"{axis}_{channel}": part for axis, part in zip(axes, scaled, strict=True)}
    return names


def _ldds75(_: Vector, data: bytes, said: list[Measurement]) -> dict[str, object]:
    names: dict[str, object] = {"sensor_present": len(data) > 7 and data[7] == 1}
    names["distance_valid"] = "distance" in said[0].fields
    return names | dict.fromkeys(("interrupt", "irq", "interrupt_flag"), data[4] if len(data) > 4 else None)


def _llds12(_: Vector, data: bytes, __: list[Measurement]) -> dict[str, object]:
    irq = dict.fromkeys(("interrupt", "irq", "interrupt_flag"), data[8])
    return {**irq, **dict.fromkeys(("message_type", "type"), data[10])}


def _ldds04(_: Vector, data: bytes, said: list[Measurement]) -> dict[str, object]:
    heads = {one.tags["head"]: float(one.fields["distance"]) for one in said if one.tags}
    cm = {f"distance{head}_cm": heads.get(head, 0.0) / 10 for head in "1234"}  # 0: not connected, and not stored
    mm = {f"distance{head}_mm": heads.get(head, 0.0) for head in "1234"}
    trigger = dict.fromkeys(("trigger", "exti_trigger", "interrupt"), bool(data[0] & 0x80))
    return {
        **cm,
        "distances_cm": list(cm.values()),
        **mm,
        **trigger,
        **dict.fromkeys(("message_type", "type"), data[10]),
    }


def _lht52(vector: Vector, data: bytes, said: list[Measurement]) -> dict[str, object]:
    if vector["meta"].get("f_port") == 5:
        return {}
    read = dragino_lht52.parse(data[:11])
    return {
        "ext_raw": read.probe,
        "ext_type": read.probe_kind,
        "unix": read.time,
        **dict.fromkeys(("time", "timestamp"), read.time),
        **dict.fromkeys(("probe_missing", "ext_missing"), "external_temperature" not in said[0].fields),
    }


def _laq4(_: Vector, data: bytes, __: list[Measurement]) -> dict[str, object]:
    mode, alarm = data[2] >> 2 & 0x1F, bool(data[2] & 1)
    return {**dict.fromkeys(("mode", "work_mode"), mode), **dict.fromkeys(("alarm", "alarm_status"), alarm)}


TCR_SETUP = ("device_type", "operating_mode", "device_class", "uplink_type", "ltr_lane_distance", "rtl_lane_distance")


def _setup(data: bytes) -> tuple[int, ...]:
    return (data[3], *data[7:10], *data[17:19])


def _tcr(vector: Vector, data: bytes, _: list[Measurement]) -> dict[str, object]:
    if vector["meta"]["f_port"] == parametric_tcr.CONFIGURATION:
        read = parametric_tcr.settings(data)
        names = {"uplink_interval_min": read.interval, "linkcheck_min": read.link_check, "hold_off_s": read.hold_off}
        more = {"payload_version": data[2], "version": data[2], **dict(zip(TCR_SETUP, _setup(data), strict=True))}
        classes = [list(one) for one in read.classes]
        return {**names, **more, "sensitivity_pct": read.sensitivity, "classes_kmh": classes}
    ways = parametric_tcr.directions(data)
    names = {f"{way}_count": one.vehicles for way, one in ways.items()}
    speeds = {f"{way}_avg_kmh": one.speed for way, one in ways.items()}
    pairs = zip(ways["left"].classes, ways["right"].classes, strict=True)
    names |= {"payload_version": data[2], "version": data[2]}
    return {**names, **speeds, **{f"class{n}": [*left, *right] for n, (left, right) in enumerate(pairs)}}


def _pcr2(_: Vector, __: bytes, said: list[Measurement]) -> dict[str, object]:
    names: dict[str, object] = {}
    for one in said:
        if one.tags:
            way = one.tags["direction"]
            for word in (way, "ltr" if way == "left_to_right" else "rtl"):
                names |= dict.fromkeys((word, f"{word}_count"), one.fields["intensity"])
                names[f"{word}_sum"] = one.fields.get("total_count")
    return names


def _particles(_: Vector, data: bytes, said: list[Measurement]) -> dict[str, object]:
    sizes = {"05": "0_5", "1": "1_0", "25": "2_5", "4": "4", "10": "10"}
    names = _decentlab_head(data)
    for ours, size in sizes.items():
        words = [f"{word}{end}_per_cm3" for word in ("nc", "n", "pm", "nc_") for end in (size, f"{size}_0")]
        names |= dict.fromkeys((*words, f"nc{size}", f"nc{size}_cm3"), said[0].fields.get(f"particles_up_to_{ours}"))
    return names


LID = decentlab_dl_lid.groups(DistanceOptions())
LID_WORDS = (
    *(("avg", "average"), ("min", "minimum"), ("max", "maximum"), ("median",)),
    *((f"p{part}", f"{part}th_percentile") for part in (10, 25, 75, 90)),
    ("mode", "most_frequent", "most_frequent_value"),
)


def _word(at: int) -> Callable[[Any], object]:
    return lambda words: words[at]


_DISTANCES = {
    **{f"distance_{name}_mm": _word(at) for at, names in enumerate(LID_WORDS) for name in names},
    **dict.fromkeys(
        ("acquisition_time_ms", "total_acquisition_time_ms", "acquisition_ms"), lambda words: words[10] / 1.024
    ),
}
_CO2 = {
    "co2_lpf_ppm": lambda words: words[1] - 32768,
    "co2_sensor_temperature_C": lambda words: (words[2] - 32768) / 100,
    **dict.fromkeys(("capacitor1_V", "capacitor_1_V", "capacitor_voltage_1_V"), lambda words: words[3] / 1000),
    **dict.fromkeys(("capacitor2_V", "capacitor_2_V", "capacitor_voltage_2_V"), lambda words: words[4] / 1000),
    **dict.fromkeys(("raw_ir", "raw_ir_reading", "ir_raw"), lambda words: words[6]),
    **dict.fromkeys(("raw_ir_lpf", "raw_ir_reading_lpf", "ir_raw_lpf"), lambda words: words[7]),
}

DEVICES: Mapping[str, Callable[[Vector], Said]] = {
    "cayenne-lpp": partial(_by_codec, "cayenne_lpp", more=_cayenne),
    "decentlab-dl-ac": partial(_by_codec, "decentlab_dl_ac", more=_gases),
    "decentlab-dl-lid": partial(_by_codec, "decentlab_dl_lid", more=_decentlab(LID, 0, _DISTANCES)),
    "decentlab-dl-lp8p": partial(_by_codec, "decentlab_dl_lp8p", more=_decentlab(decentlab_dl_lp8p.GROUPS, 2, _CO2)),
    "decentlab-dl-mbx": partial(_by_codec, "decentlab_dl_mbx", more=_particles),
    "decentlab-dl-pm": partial(_by_codec, "decentlab_dl_pm", more=_particles),
    "dragino-laq4": partial(_by_codec, "dragino_laq4", more=_laq4),
    "dragino-ldds04": partial(_by_codec, "dragino_ldds04", more=_ldds04),
    "dragino-ldds75": partial(_by_codec, "dragino_ldds75", more=_ldds75, probe="tenths"),
    "dragino-lht52": partial(_by_codec, "dragino_lht52", more=_lht52),
    "dragino-llds12": partial(_by_codec, "dragino_llds12", more=_llds12, probe="tenths"),
    "elsys": partial(_by_codec, "elsys", more=_elsys),
    "libelium-smart-parking": _libelium,
    "nwave-ncc405": partial(_by_codec, "nwave_ncc405", more=_nwave),
    "nwave-nps310": partial(_by_codec, "nwave_nps310", more=_nwave),
    "nwave-nps405": partial(_by_codec, "nwave_nps405", more=_nwave),
    "parametric-pcr2": partial(_by_codec, "parametric_pcr2", more=_pcr2),
    "parametric-tcr": partial(_by_codec, "parametric_tcr", more=_tcr),
    "pni-placepod": partial(_by_codec, "pni_placepod", more=_placepod),
    "tekzitel-tekzipark": partial(_by_codec, "tekzitel_tekzipark", more=_tekzitel),
}

_INFORMATION = frozenset(("model", "sensor_model", "frequency_band", "band", "sub_band"))

LEFT_OUT: Mapping[str, frozenset[str]] = {
    **{name: _INFORMATION for name in DEVICES if name.startswith("dragino-")},
    "nwave-nps405": frozenset(
        ("previous_state_duration_error", "previous_state_duration_error_min", "battery_health")
    ),
}
"""What Dragino's devices say of the band they were made for, and what Nwave's decoder makes of other values."""
