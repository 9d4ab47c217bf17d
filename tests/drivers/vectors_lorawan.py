"""What the LoRaWAN codecs read, in the names of the external vectors: one payload, one set of names."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import drivers
from drivers.codecs import (
    cayenne_lpp,
    decentlab_dl_ac,
    decentlab_dl_lid,
    decentlab_dl_lp8p,
    dragino_lht52,
    elsys,
    libelium_smart_parking,
    milesight_udl,
    nwave_nps405,
    parametric_tcr,
    pni_placepod,
    tekzitel_tekzipark,
)
from drivers.codecs._decentlab import Group, present
from drivers.codecs._distance import DistanceOptions
from gateway.contract import Measurement, Reject

Vector = Mapping[str, Any]
Names = Mapping[str, object]
Said = list[Names | Reject]
More = Callable[[Vector, bytes, list[Measurement]], dict[str, object]]
"""What a device has beyond `ALIASES`, from the vector, its payload and the measurements."""

ALIASES: Mapping[str, Mapping[str, float]] = {
    "atmospheric_pressure": {"pressure_hPa": 1, "pressure_Pa": 100},
    "average_dwell_time": {"dwell_avg_s": 1},
    "battery_level": {"battery_pct": 100, "solar_battery_pct": 100},
    "battery_voltage": {"battery_V": 1, "battery_mV": 1000, "solar_battery_V": 1, "solar_battery_mV": 1000},
    "ch2o": {"hcho_mg_m3": 0.001},
    "co2": {"co2_ppm": 1},
    "device_error": {"hw_health": 1, "sensor_error": 1, "error": 1, "fault_code": 1, "co2_sensor_status": 1},
    "device_temperature": {
        "temperature_C": 1,
        "cpu_temperature_C": 1,
        "lidar_temperature_C": 1,
        "barometer_temperature_C": 1,
    },
    "distance": {"distance_mm": 1, "distance_cm": 0.1},
    "external_temperature": {"external_temperature_C": 1, "ext_temperature_C": 1, "temperature_C": 1},
    "illuminance": {"illuminance_lux": 1, "light_lux": 1, "light": 1, "lux": 1},
    "max_dwell_time": {"dwell_max_s": 1},
    "motion": {"activity": 1, "motion": 1},
    "o3": {"o3_ppm": 24.055 / 47.998 / 1000},
    "pm1": {"pm1_0_ug_m3": 1},
    "pm10": {"pm10_ug_m3": 1},
    "pm25": {"pm2_5_ug_m3": 1},
    "pm4": {"pm4_ug_m3": 1},
    "previous_state_duration": {"previous_state_duration_min": 1 / 60},
    "relative_humidity": {"relative_humidity_pct": 100},
    "sample_count": {"valid_samples": 1, "samples": 1},
    "signal_strength": {"signal": 1},
    "solar_power": {"solar_mW": 1000},
    "sound_level": {"sound_avg_dB": 1},
    "sound_level_max": {"sound_peak_dB": 1},
    "surface_temperature": {"ir_external_temperature_C": 1},
    "temperature": {"temperature_C": 1},
    "total_count": {"count": 1, "vehicle_count": 1},
    "tvoc": {"tvoc_ppb": 1, "tvoc_raw": 1},
    "typical_particle_size": {"typical_particle_size_nm": 1000},
}
"""Field -> the vectors' names for it, with what it is multiplied by."""

TEXTS = {"firmware_version": "firmware", "serial_number": "sn"}


def _own_names(measurements: Iterable[Measurement]) -> dict[str, object]:
    names: dict[str, object] = {}
    for one in measurements:
        if one.time is not None:
            continue
        for name, value in one.fields.items():
            names[name] = value
            if isinstance(value, int | float):
                for theirs, factor in ALIASES.get(name, {}).items():
                    if name == "temperature" or theirs not in names:  # the air's own wins over a probe's
                        names[theirs] = value * factor
            elif name in TEXTS:
                names[TEXTS[name]] = value
    return names


def _nothing(_: Vector, __: bytes, ___: list[Measurement]) -> dict[str, object]:
    return {}


def _by_codec(name: str, vector: Vector, more: More = _nothing, **options: object) -> Said:
    codec = drivers.load_codec(name)
    data = bytes.fromhex(vector["input_hex"])
    port = vector.get("meta", {}).get("f_port") or 0
    said = list(codec.decode(port, data, codec.options.model_validate(options)))
    measurements = [one for one in said if isinstance(one, Measurement)]
    if not measurements:
        return [one for one in said if isinstance(one, Reject)]
    names = {**_own_names(measurements), **more(vector, data, measurements)}
    rest = [one.raw.hex() for one in said if isinstance(one, Reject)]
    return [{**names, "unparsed": rest[0]} if rest else names]


def _events(measurements: Iterable[Measurement]) -> list[str]:
    return [event for one in measurements for event in str(one.fields.get("event", "")).split(", ") if event]


def _placepod(_: Vector, data: bytes, said: list[Measurement]) -> dict[str, object]:
    events = _events(said)
    names = {
        "keepalive": "keepalive" in events,
        "rebooted": "reboot" in events,
        "deactivated": "deactivation" in events,
        "recalibrated": "recalibration" in events,
        "reboot_or_recalibration": "reboot or recalibration" in events,
    }
    raw = int.from_bytes(data[2:4], "big")
    return {**names, **({"temperature_C": pni_placepod.celsius(raw)} if data[:2] == b"\x02\x67" else {})}


CAUSES = {1: "watchdog", 2: "power_on", 3: "user_request"}


def _nwave(_: Vector, data: bytes, said: list[Measurement]) -> dict[str, object]:
    fields = said[0].fields
    packed = nwave_nps405.minutes(data[0] & 0x7F)
    return {
        "reset_cause": CAUSES.get(int(fields.get("reset_cause", 0))),
        "previous_state_duration_min": packed,
        "previous_state_duration_overflow": packed is None,
        "tag_id": str(fields.get("tag_id", "")).upper(),
        "battery_mean_V": (2500 + 4 * data[2]) / 1000 if len(data) > 2 else None,
        "tag_battery_V": data[1] / 10 if len(data) == 6 else None,
    }


def _libelium(vector: Vector) -> Said:
    firmware = str(vector.get("note", "v3")).rpartition(" ")[2]
    said = _by_codec("libelium_smart_parking", vector, firmware=firmware)
    if isinstance(said[0], Reject):
        return said
    frame = libelium_smart_parking.parse(bytes.fromhex(vector["input_hex"]), firmware)
    names = {
        "frame_type": frame.type,
        "counter": frame.counter,
        "resets": frame.resets,
        "config_id": frame.configuration,
        "sensor_error": frame.error,
        "config_nack": frame.refused,
        "recalibrated": frame.recalibrated,
        "firmware": frame.firmware,
    }
    return [{**said[0], **names, **dict(zip("xyz", frame.axes or (), strict=False))}]


def _tekzitel(vector: Vector, data: bytes, _: list[Measurement]) -> dict[str, object]:
    read = tekzitel_tekzipark.parse(vector["meta"]["f_port"], data)
    names = read._asdict() | {
        "parking_id": read.bay,
        "temperature_C": read.temperature,
        "obstruction": read.obstructed,
    }
    return names | {"beacon_rssi_dBm": read.beacon_rssi, "beacons": list(read.beacons), "fault_code": read.fault}


def _counters(said: Iterable[Measurement]) -> dict[str, object]:
    names: dict[str, object] = {}
    for one in said:
        line, region, way = (one.tags.get(tag) for tag in ("line", "region", "direction"))
        for field, word in (("total_count", "total"), ("intensity", "period")):
            if field in one.fields:
                names[f"{word}_{way}"] = one.fields[field]
                names[f"line_{line}_{word}_{way}"] = one.fields[field]
                names["people_" + (f"total_{way}" if word == "total" else str(way))] = one.fields[field]
                names[str(way)] = one.fields[field]
        stays = {"people_count": "count", "average_dwell_time": "avg_dwell", "max_dwell_time": "max_dwell"}
        for field, word in stays.items():
            if region and field in one.fields:
                names |= dict.fromkeys((f"region_{region}_{word}", f"region_{region}_{word}_s"), one.fields[field])
    return names


def _milesight(vector: Vector, data: bytes, said: list[Measurement]) -> dict[str, object]:
    now = [one for one in said if one.time is None]
    names, events = _counters(now), _events(now)
    for what in ("total", "count", "temperature", "distance"):
        wanted = "period" if what == "count" else what
        names[f"{wanted}_alarm"] = int(f"{what} alarm" in events)
    tilted = next((one.fields["tilted"] for one in now if "tilted" in one.fields), None)
    names |= {"position": "tilt" if tilted else "normal", "pir": any(one.fields.get("motion") for one in now)}
    occupied = [int(one.tags["region"]) for one in now if one.kind == "parking" and "region" in one.tags]
    taken = [int(one.tags["region"]) for one in now if "region" in one.tags and one.fields.get("occupied")]
    people = next((one.fields["people_count"] for one in now if "people_count" in one.fields and not one.tags), None)
    names |= {"region_count": len(occupied), "regions_occupied": taken, "people_count": people}
    kept: dict[int, dict[str, object]] = {}
    for one in said:
        if one.time is not None:
            names_then = {**_own_names([one._replace(time=None)]), **_counters([one])}
            kept.setdefault(one.time, {"timestamp": one.time // 1_000_000_000}).update(names_then)
    wanted_history = vector["expected"].get("history", [])
    names["history"] = [
        {name: value for name, value in read.items() if name in wanted}
        for read, wanted in zip(kept.values(), wanted_history, strict=False)
    ]
    if vector["kind"] == "nbiot":
        header = milesight_udl.cellular(data)
        assert header is not None
        names |= {
            "data_length": len(header[1]),
            "csq": (float(header[0]["rssi"]) + 113) / 2,
            "imei": data[33:48].decode(),
        }
    return names


CALIBRATIONS = {
    "no2": decentlab_dl_ac.Calibration(we_0=256, s=0.256, aux_0=227),
    "no": decentlab_dl_ac.Calibration(we_0=320, s=0.512, aux_0=288),
    "ox": decentlab_dl_ac.Calibration(we_0=235, s=0.345, aux_0=200),
    "co": decentlab_dl_ac.Calibration(we_0=544, s=0.424, aux_0=301),
}
"""Those of the vendor's example."""


def _decentlab(groups: tuple[Group, ...], number: int, words: Mapping[str, Callable[[Any], object]]) -> More:
    """Return what reads further ``words`` of a group, beside the device's number."""

    def more(_: Vector, data: bytes, __: list[Measurement]) -> dict[str, object]:
        there = present(data, groups)
        assert not isinstance(there, Reject)
        found = dict(there).get(number)
        names: dict[str, object] = {"device_id": int.from_bytes(data[1:3], "big")}
        return names if found is None else names | {name: read(found) for name, read in words.items()}

    return more


def _gases(_: Vector, data: bytes, said: list[Measurement]) -> dict[str, object]:
    names: dict[str, object] = {"device_id": int.from_bytes(data[1:3], "big")}
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


def _elsys(_: Vector, data: bytes, said: list[Measurement]) -> dict[str, object]:
    del said
    names: dict[str, object] = {}
    for entry in elsys.entries(data):
        if not isinstance(entry, Reject):
            type_, value = entry
            names |= {ELSYS[type_]: int.from_bytes(value, "big")} if type_ in ELSYS else {}
            if type_ in (0x0C, 0x19):
                which = "external_temperature_C" if type_ == 0x0C else "external_temperature2_C"
                names[which] = int.from_bytes(value, "big", signed=True) / 10
            if type_ == 0x03:
                names |= {
                    f"acc_{axis}": byte - 256 if byte > 127 else byte for axis, byte in zip("xyz", value, strict=True)
                }
            if type_ == 0x10:
                names["ir_internal_temperature_C"] = int.from_bytes(value[:2], "big", signed=True) / 10
    return names


def _cayenne(_: Vector, data: bytes, __: list[Measurement]) -> dict[str, object]:
    names: dict[str, object] = {}
    for entry in cayenne_lpp.entries(data):
        if isinstance(entry, Reject):
            continue
        channel, type_, value = entry
        read = cayenne_lpp.AIR.get(type_)
        if read is not None:
            aliased = _own_names([Measurement("air_quality", read(int.from_bytes(value, "big")))])
            names |= {f"{name.removesuffix('_C')}_{channel}": said for name, said in aliased.items()}
        if type_ == cayenne_lpp.PRESENCE:
            names |= dict.fromkeys((f"presence_{channel}", f"occupied_{channel}"), int.from_bytes(value, "big"))
    return names


def _ldds75(_: Vector, data: bytes, __: list[Measurement]) -> dict[str, object]:
    return {"sensor_present": len(data) > 7 and data[7] == 1, "interrupt": data[4]}


def _ldds04(_: Vector, data: bytes, said: list[Measurement]) -> dict[str, object]:
    heads = {f"distance{one.tags['head']}_cm": float(one.fields["distance"]) / 10 for one in said if one.tags}
    return {**heads, "trigger": bool(data[0] & 0x80)}


def _lht52(vector: Vector, data: bytes, _: list[Measurement]) -> dict[str, object]:
    if vector["meta"].get("f_port") == 5:
        return {}
    read = dragino_lht52.parse(data[:11])
    return {
        "ext_raw": read.probe,
        "ext_type": read.probe_kind,
        "unix": read.time,
        "ext_temperature_C": read.probe / 100,
    }


def _laq4(_: Vector, data: bytes, __: list[Measurement]) -> dict[str, object]:
    return {"mode": data[2] >> 2 & 0x1F, "alarm": bool(data[2] & 1)}


def _tcr(vector: Vector, data: bytes, _: list[Measurement]) -> dict[str, object]:
    if vector["meta"]["f_port"] == parametric_tcr.CONFIGURATION:
        read = parametric_tcr.settings(data)
        names = {"uplink_interval_min": read.interval, "linkcheck_min": read.link_check, "hold_off_s": read.hold_off}
        return {**names, "sensitivity_pct": read.sensitivity, "classes_kmh": [list(one) for one in read.classes]}
    ways = parametric_tcr.directions(data)
    names = {f"{way}_count": one.vehicles for way, one in ways.items()}
    speeds = {f"{way}_avg_kmh": one.speed for way, one in ways.items()}
    pairs = zip(ways["left"].classes, ways["right"].classes, strict=True)
    return {**names, **speeds, **{f"class{n}": [*left, *right] for n, (left, right) in enumerate(pairs)}}


def _pcr2(_: Vector, __: bytes, said: list[Measurement]) -> dict[str, object]:
    names: dict[str, object] = {}
    for one in said:
        if one.tags:
            way = one.tags["direction"]
            names |= {way: one.fields["intensity"], f"{way}_sum": one.fields.get("total_count")}
    return names


def _particles(_: Vector, data: bytes, said: list[Measurement]) -> dict[str, object]:
    sizes = {"05": "0_5", "1": "1_0", "25": "2_5", "4": "4", "10": "10"}
    counts = {f"nc{size}_per_cm3": said[0].fields.get(f"particles_up_to_{name}") for name, size in sizes.items()}
    return {**counts, "device_id": int.from_bytes(data[1:3], "big")}


LID = decentlab_dl_lid.groups(DistanceOptions())
LID_WORDS = ("avg", "min", "max", "median", "p10", "p25", "p75", "p90", "mode")


def _word(at: int) -> Callable[[Any], object]:
    return lambda words: words[at]


_DISTANCES = {f"distance_{name}_mm": _word(at) for at, name in enumerate(LID_WORDS)}
_CO2 = {
    "co2_lpf_ppm": lambda words: words[1] - 32768,
    "co2_sensor_temperature_C": lambda words: (words[2] - 32768) / 100,
}

_MILESIGHT = {
    "am107": "am",
    "am319": "am",
    "em310-udl": "udl",
    "em400-mud": "udl",
    "em400-udl-nbiot": "udl",
    "em500-co2": "em500_co2",
    "em500-udl": "udl",
    "vs121": "vs121",
    "vs132": "vs13x",
    "vs133": "vs13x",
    "vs135": "vs13x",
    "vs340": "vs340",
    "vs350": "vs350",
}

DEVICES: Mapping[str, Callable[[Vector], Said]] = {
    **{
        f"milesight-{model}": partial(_by_codec, f"milesight_{codec}", more=_milesight)
        for model, codec in _MILESIGHT.items()
    },
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
    "dragino-llds12": partial(_by_codec, "dragino_llds12", probe="tenths"),
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
