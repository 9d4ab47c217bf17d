"""What the drivers of MQTT messages read, in the names of the external vectors.

Every value is one that the driver read; what a message says and its driver leaves out on purpose is in `LEFT_OUT`.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import pytest

import drivers
from drivers import frigate, senml, telraam
from drivers.common.times import nanoseconds
from gateway.contract import Measurement, Options, Reject, Remark, Uplink
from tests.drivers.vectors.common import Names, Reader, Said, Vector, bytes_of


@dataclass(frozen=True, eq=False)
class Moment:
    """A time that a driver gave, equal to each way in which it may be written: as text, or since 1970 in s or ms."""

    ns: int | None

    def __eq__(self, other: object) -> bool:
        """Compare the moments; a text without an offset is UTC."""
        if isinstance(other, str):
            text = other.replace(": ", ":")
            return self.ns is not None and self.ns in (nanoseconds(text), nanoseconds(f"{text}Z"))
        if isinstance(other, int | float) and self.ns is not None:
            return any(abs(other * unit - self.ns) < 1000 for unit in (10**9, 10**6, 1))
        return other is None and self.ns is None

    def __hash__(self) -> int:
        """Return what any way of writing it has."""
        return 0


def _decode(driver: str, vector: Vector, topic: str, **options: object) -> list[Any]:
    found = drivers.load(driver)
    decoder: Any = found.decoder(found.options.model_validate(options))
    said: Iterable[Any] = decoder.decode(vector.get("meta", {}).get("topic", topic), bytes_of(vector))
    return [one for one in said if not isinstance(one, Remark)]


# --- envelopes


def _envelope(driver: str, topic: str) -> Reader:
    def read(vector: Vector) -> Said:
        return [one if isinstance(one, Reject) else _uplink(one) for one in _decode(driver, vector, topic)]

    return read


class Eui(str):
    """A device's identity, equal in capitals as well."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        """Compare without case."""
        return isinstance(other, str) and str(self) == other.lower()

    __hash__ = str.__hash__


def _uplink(one: Uplink) -> Names:
    moment = Moment(one.time)
    return {
        **dict.fromkeys(("dev_eui", "device_eui", "devEui"), Eui(one.sensor)),
        **dict.fromkeys(("f_port", "fport", "port"), one.port),
        **dict.fromkeys(("f_cnt", "fcnt", "frame_counter"), one.fields.get("frame_counter")),
        **dict.fromkeys(("payload_hex", "payload", "data_hex"), one.payload.hex()),
        **dict.fromkeys(("decoded_payload", "object"), one.object),
        **dict.fromkeys(("time", "received_at", "time_utc", "published_at"), moment),
        **dict.fromkeys(("dedup", "deduplication_id", "key"), one.key),
        "session_key_id": str(one.key).rpartition("/")[0],
        "rssi_dBm": one.fields.get("rssi"),
        "snr_dB": one.fields.get("snr"),
        "battery_pct": None if (level := one.fields.get("battery_level")) is None else float(level) * 100,
    }


# --- stations of the air

SIZES = {"03": "0_3", "05": "0_5", "1": "1", "25": "2_5", "5": "5", "10": "10"}
AIR: Mapping[str, Mapping[str, float]] = {
    "pm1": {"pm1_ug_m3": 1, "pm1_atm_ug_m3": 1, "pm1": 1},
    "pm25": dict.fromkeys(("pm2_5_ug_m3", "pm2_5_atm_ug_m3", "pm25"), 1),
    "pm4": {"pm4_ug_m3": 1},
    "pm10": {"pm10_ug_m3": 1, "pm10_atm_ug_m3": 1, "pm10": 1},
    "co2": {"co2_ppm": 1, "co2": 1},
    "co2_equivalent": {"eco2_ppm": 1},
    "temperature": {"temperature_C": 1, "outdoor_temperature_C": 1},
    "device_temperature": {"device_temperature_C": 1},
    "relative_humidity": dict.fromkeys(("relative_humidity_pct", "humidity_pct", "humidity"), 100),
    "atmospheric_pressure": dict.fromkeys(("pressure_hPa", "pressure_abs_hPa", "pressure"), 1),
    "rssi": dict.fromkeys(("rssi_dBm", "signal_dBm", "wifi_dBm"), 1),
    "battery_level": {"battery": 100, "battery_pct": 100},
    "battery_voltage": {"battery_V": 1, "voltage": 1000, "voltage_mV": 1000, "battery_mV": 1000},
    "link_quality": {"linkquality": 1},
    "illuminance": dict.fromkeys(("illuminance_lux", "illuminance_lx", "illuminance"), 1),
    "motion": {"occupancy": 1},
    "sound_level": {"noise_dB": 1, "noise": 1},
    "tvoc": {"tvoc_ppb": 1},
    "tvoc_index": {"voc_index": 1},
    "wind_speed": {"wind_speed_m_s": 1},
    "wind_direction": {"wind_direction_deg": 1, "wind_dir_deg": 1},
    "typical_particle_size": {"typical_particle_size_um": 1},
    **{f"particles_above_{size}": {f"n{words}_per_0_1L": 100, f"pb{words}": 100} for size, words in SIZES.items()},
    **{f"particles_up_to_{size}": {f"nc{SIZES.get(size, size)}_per_cm3": 1} for size in ("05", "1", "25", "4", "10")},
}
"""Field -> the vectors' names for it, with what it is multiplied by; other units of the same are found without."""

TEXTS = {"firmware_version": ("software_version", "firmware", "stationtype"), "serial_number": ("serialno", "serial")}


def _air(driver: str, topic: str, **options: object) -> Reader:
    """Return what reads a message of one station."""

    def read(vector: Vector) -> Said:
        said = _decode(driver, vector, topic, **options)
        return [one if isinstance(one, Reject) else _air_names(one) for one in said]

    return read


def _air_names(one: Measurement) -> Names:
    names: dict[str, object] = dict(one.fields)
    for field, value in one.fields.items():
        if isinstance(value, int | float):
            names |= {theirs: round(value * factor, 6) for theirs, factor in AIR.get(field, {}).items()}
        else:
            names |= dict.fromkeys(TEXTS.get(field, ()), value)
    names |= dict.fromkeys(("sensor", "sensor_id", "device", "station", "esp8266id", "chip_id", "name"), one.sensor)
    return names | dict.fromkeys(("time", "utc", "dateutc", "last_seen", "time_utc"), Moment(one.time))


def _airgradient(vector: Vector) -> Said:
    """Take both of what the monitor says twice: the decoder's word with compensation, and without."""
    names = {"co2": "rco2", "pm1": "pm01", "pm10": "pm10", "tvoc_index": "tvocIndex"}
    names |= {"nox_index": "noxIndex", "rssi": "wifi", "firmware_version": "firmware", "serial_number": "serialno"}
    said: dict[str, object] = {}
    for end, compensated in (("Compensated", True), ("", False)):
        options = {"compensated_climate": compensated, "compensated_dust": compensated}
        (one,) = _decode("airgradient", vector, "airgradient/readings/1", **options)
        if isinstance(one, Reject):
            return [one]
        said |= _air_names(one)
        said |= {theirs: one.fields.get(ours) for ours, theirs in names.items()}
        said |= {f"pm02{end}": one.fields.get("pm25"), f"atmp{end}": one.fields.get("temperature")}
        for theirs, field in (("rhum" + end, "relative_humidity"), ("pm003Count", "particles_above_03")):
            value = one.fields.get(field)
            said[theirs] = None if value is None else round(float(value) * 100, 6)
    return [said]


def _ecowitt(vector: Vector) -> Said:
    """Put the main reading and those of further dust sensors together again."""
    said: dict[str, object] = {}
    for one in _decode("ecowitt", vector, "ecowitt/one"):
        if isinstance(one, Reject):
            return [one]
        channel = one.tags.get("channel", "1")
        said |= _air_names(one) if not one.tags else {"utc": Moment(one.time)}
        said[f"pm2_5_ch{channel}_ug_m3"] = one.fields.get("pm25")
        bars = one.fields.get("battery_level")
        said[f"pm25batt{channel}"] = None if bars is None else round(float(bars) * 5, 6)
    if "pm25_ch1" not in bytes_of(vector).decode():
        said["pm2_5_co2_ug_m3"], said["pm2_5_ch1_ug_m3"] = said.get("pm25"), None
    said |= {"pm10_co2_ug_m3": said.get("pm10"), "wh90batt": said.get("battery_voltage")}
    for name, value in vector["expected"].items():
        if isinstance(value, float) and isinstance(read := said.get(name), float):
            said[name] = round(
                read, len(str(value).partition(".")[2])
            )  # the vector's own digits, after imperial units
    return [said]


# --- others


def _senml(vector: Vector) -> Said:
    found = senml.resolve(orjson.loads(bytes_of(vector)))
    if isinstance(found, str):
        return [Reject("range", b"", found)]
    records = found.records
    read: list[dict[str, object]] = []
    wanted = vector["expected"].get("records", [])
    now = None  # the moment that relative times stand for; the first of them tells it, and the others have to fit
    for record, names in zip(records, wanted, strict=bool(wanted)):
        time = record.time
        if time < senml.RELATIVE and names.get("t", 0) >= senml.RELATIVE:
            now = names["t"] - time if now is None else now
            time += now
        one = {
            "n": record.base + record.name,
            "u": record.unit,
            "t": pytest.approx(time, abs=1e-6),
            "s": record.total,
        }
        one["v"] = None if record.value is None else pytest.approx(record.value, abs=1e-9)
        one |= dict.fromkeys(("vb", "vs", "vd"), record.other)
        read.append({name: one[name] for name in names if name in one})
    return [{"records": read, "count": len(records), "record_count": len(records)}]


def _frigate(vector: Vector) -> Said:
    """Return what the driver counts once the event has ended, whatever step of it the vector is."""
    event = json.loads(bytes_of(vector))
    label = event["after"]["label"]
    now = _decode("frigate", vector, "frigate/events", labels=(label,))
    decoder = frigate.Decoder(frigate.FrigateOptions(labels=(label,)))
    said: Said = []
    for one in decoder.decode("frigate/events", json.dumps({**event, "type": "end"}).encode()):
        if not isinstance(one, Measurement):
            said += [one] if isinstance(one, Reject) else []
            continue
        assert isinstance(one, Measurement)
        names: dict[str, object] = {"id": one.key, "camera": one.sensor, "label": one.tags["vehicle_type"]}
        counted = [which for which in now if isinstance(which, Measurement)]
        names |= {"start_time": Moment(one.time), "counted": bool(counted), "count": len(counted)}
        said.append(names)
    return said


def _telraam(vector: Vector) -> Said:
    said: Said = []
    for row in json.loads(bytes_of(vector))["report"]:
        found = telraam.counts(row)
        if isinstance(found, str):
            said.append(Reject("range", b"", found))
            continue
        read = list(telraam.Decoder(Options()).decode("telraam/1", json.dumps({"report": [row]}).encode()))
        taken = [one for one in read if isinstance(one, Measurement)]
        names: dict[str, object] = {f"{kind}{telraam.ENDS[way]}": count for (kind, way), count in found.items()}
        for kind in telraam.KINDS:
            ways = [count for (of, _), count in found.items() if of == kind]
            names[kind] = pytest.approx(sum(ways), abs=1e-6) if ways else None
        speeds = [one.fields["speed_85th_percentile"] for one in taken if "speed_85th_percentile" in one.fields]
        names |= dict.fromkeys(("v85", "v85_kmh"), speeds[0] if speeds else None)
        names |= {"segment_id": int(str(taken[0].sensor)), "period_s": taken[0].fields.get("period")}
        intervals = {seconds: word for word, seconds in telraam.PERIODS.items()}
        names["interval"] = intervals.get(float(taken[0].fields.get("period", 0)))
        said.append(names | dict.fromkeys(("date", "time", "time_utc"), Moment(taken[0].time)))
    return said


DEVICES: Mapping[str, Reader] = {
    "actility-thingpark": _envelope("actility", "mqtt/things/1/uplink"),
    "airgradient": _airgradient,
    **{
        f"chirpstack-{version}-up": _envelope("chirpstack", "application/1/device/0101010101010101/event/up")
        for version in ("v3", "v4")
    },
    "ecowitt-http": _ecowitt,
    "frigate-events": _frigate,
    "senml-json": _senml,
    "sensor.community": _air("sensor_community", "airrohr/station"),
    "tasmota-tele-sensor": _air("tasmota", "tele/one/SENSOR"),
    "telraam-api": _telraam,
    "ttn-v3-uplink": _envelope("ttn", "v3/app1@tenant1/devices/dev1/up"),
    "zigbee2mqtt": _air("zigbee2mqtt", "zigbee2mqtt/one"),
}

_NETWORK = frozenset(
    (
        *(
            "device_id",
            "application_id",
            "join_eui",
            "tenant_id",
            "gateway_id",
            "gateway_ids",
            "gateways",
            "gateway_count",
        ),
        *(
            "adr",
            "confirmed",
            "dr",
            "data_rate",
            "bandwidth_Hz",
            "coding_rate",
            "channel",
            "airtime_s",
            "consumed_airtime_s",
        ),
        *("simulated", "gateway_time", "location", "late", "lrr_id", "mic_hex", "spreading_factor", "warnings"),
    )
)
"""What the radio network did; which gateway heard it best is in the levels."""

LEFT_OUT: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(("actility-thingpark", "chirpstack-v3-up", "chirpstack-v4-up", "ttn-v3-uplink"), _NETWORK),
    "airgradient": frozenset(("boot", "bootCount", "ledMode", "model", "tvocRaw", "noxRaw")),
    "ecowitt-http": frozenset(
        (
            *(f"pm2_5_{mean}_ch{channel}_ug_m3" for channel in (1, 2, 3, 4) for mean in ("24h", "avg_24h")),
            *("co2_24h_ppm", "pm2_5_24h_co2_ug_m3", "pm10_24h_co2_ug_m3", "co2_temperature_C", "co2_humidity_pct"),
            *(
                "wind_gust_m_s",
                "max_daily_gust_m_s",
                "solar_W_m2",
                "solar_radiation_W_m2",
                "uv",
                "uv_index",
                "rain_mm",
            ),
            *(
                "rain_rate_mm_h",
                "daily_rain_mm",
                "weekly_rain_mm",
                "monthly_rain_mm",
                "yearly_rain_mm",
                "event_rain_mm",
            ),
            *(
                "indoor_temperature_C",
                "temperature_in_C",
                "indoor_humidity_pct",
                "humidity_in_pct",
                "pressure_rel_hPa",
            ),
            *("model", "station_type", "frequency", "interval_s", "runtime_s"),
        )
    ),
    "frigate-events": frozenset(
        (
            "type",
            "end_time",
            "stationary",
            "false_positive",
            "zones",
            "entered_zones",
            "current_zones",
            "score",
            "top_score",
        )
    ),
    "sensor.community": frozenset(
        ("samples", "min_micro", "max_micro", "interval_ms", "bmp_temperature_C", "bme280_temperature_C", "age")
    ),
    "tasmota-tele-sensor": frozenset(
        (
            *("time_local", "time", "dew_point_C", "pressure_unit", "temp_unit"),  # the time has no offset
            *(f"pm{size}_{of}_ug_m3" for size in ("1", "1_0", "2_5", "10") for of in ("cf1", "factory")),
        )
    ),
    "telraam-api": frozenset(
        ("uptime", "hist_sum_pct", "direction", "timezone", "instance_id", "car_speed_hist_0to70plus")
    ),
    "zigbee2mqtt": frozenset(("voc", "formaldehyd", "contact", "state", "action")),
}
