"""What the codecs of LoRaWAN sensors of air, distance and traffic read, in the names of the external vectors."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from drivers.codecs import (
    cayenne_lpp,
    decentlab_dl_ac,
    decentlab_dl_lid,
    decentlab_dl_lp8p,
    dragino_lht52,
    elsys,
    parametric_tcr,
)
from drivers.codecs.common.decentlab import Group, present
from drivers.codecs.common.distance import DistanceOptions
from gateway.contract import Measurement, Reject, Remark
from tests.drivers.vectors.common import Reader, Vector
from tests.drivers.vectors.lorawan import More, by_codec, own_names

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
        if isinstance(entry, Remark):
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
            aliased = own_names([Measurement("air_quality", read(int.from_bytes(value, "big")))])
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

DEVICES: Mapping[str, Reader] = {
    "cayenne-lpp": partial(by_codec, "cayenne_lpp", more=_cayenne),
    "decentlab-dl-ac": partial(by_codec, "decentlab_dl_ac", more=_gases),
    "decentlab-dl-lid": partial(by_codec, "decentlab_dl_lid", more=_decentlab(LID, 0, _DISTANCES)),
    "decentlab-dl-lp8p": partial(by_codec, "decentlab_dl_lp8p", more=_decentlab(decentlab_dl_lp8p.GROUPS, 2, _CO2)),
    "decentlab-dl-mbx": partial(by_codec, "decentlab_dl_mbx", more=_particles),
    "decentlab-dl-pm": partial(by_codec, "decentlab_dl_pm", more=_particles),
    "dragino-laq4": partial(by_codec, "dragino_laq4", more=_laq4),
    "dragino-ldds04": partial(by_codec, "dragino_ldds04", more=_ldds04, generation="first"),
    "dragino-ldds75": partial(by_codec, "dragino_ldds75", more=_ldds75, probe="tenths"),
    "dragino-lht52": partial(by_codec, "dragino_lht52", more=_lht52),
    "dragino-llds12": partial(by_codec, "dragino_llds12", more=_llds12, probe="tenths"),
    "elsys": partial(by_codec, "elsys", more=_elsys),
    "parametric-pcr2": partial(by_codec, "parametric_pcr2", more=_pcr2),
    "parametric-tcr": partial(by_codec, "parametric_tcr", more=_tcr),
}

_INFORMATION = frozenset(("model", "sensor_model", "frequency_band", "band", "sub_band"))

LEFT_OUT: Mapping[str, frozenset[str]] = {
    **{name: _INFORMATION for name in DEVICES if name.startswith("dragino-")},
}
"""What Dragino's devices say of the band they were made for."""
