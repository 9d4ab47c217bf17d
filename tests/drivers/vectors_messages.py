"""What the drivers of MQTT messages read, in the names of the external vectors."""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

import drivers
from drivers import _senml as senml_records
from drivers import frigate, telraam
from gateway.contract import Measurement, Options, Reject, Uplink

Vector = Mapping[str, Any]
Names = Mapping[str, object]
Said = list[Names | Reject]


def _bytes(vector: Vector) -> bytes:
    if "input_text" in vector:
        return str(vector["input_text"]).encode()
    return json.dumps(vector["input_json"]).encode()


def _decode(driver: str, vector: Vector, topic: str) -> Iterable[Any]:
    found = drivers.load(driver)
    decoder: Any = found.decoder(found.options())
    said: Iterable[Any] = decoder.decode(vector.get("meta", {}).get("topic", topic), _bytes(vector))
    return said


def _rfc3339(time: int, decimals: int) -> str:
    """Write a time as the vectors do: ``2020-02-12T15:15:46.014773143Z``."""
    seconds, nanoseconds = divmod(time, 1_000_000_000)
    fraction = f".{nanoseconds:09}"[: decimals + 1] if decimals else ""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}{fraction}Z"


def _envelope(driver: str, topic: str) -> Callable[[Vector], Said]:
    def read(vector: Vector) -> Said:
        return [_uplink(vector, one) for one in _decode(driver, vector, topic)]

    return read


def _uplink(vector: Vector, one: Uplink | Reject) -> Names | Reject:
    if isinstance(one, Reject):
        return one
    wanted = vector["expected"]
    upper = str(wanted.get("dev_eui")).isupper()
    return {
        "dev_eui": one.sensor.upper() if upper else one.sensor,
        "device_id": wanted.get("device_id"),  # a driver goes by the EUI and does not carry it
        "f_port": one.port,
        "f_cnt": one.fields.get("frame_counter"),
        "payload_hex": one.payload.hex(),
        "decoded_payload": one.object,
        "received_at": _rfc3339(one.time or 0, 9),
        "time": one.time,
        "rssi_dBm": one.fields.get("rssi"),
        "snr_dB": one.fields.get("snr"),
    }


def _air(driver: str, topic: str, own: Callable[[Vector], Names] = lambda _: {}) -> Callable[[Vector], Said]:
    """Return what reads a message of one station; ``own`` adds what only its vectors name."""

    def read(vector: Vector) -> Said:
        return [
            one if isinstance(one, Reject) else {**_air_names(one), **own(vector)}
            for one in _decode(driver, vector, topic)
        ]

    return read


def _air_names(one: Measurement) -> Names:
    names: dict[str, object] = dict(one.fields)
    for ours, scale, *theirs in (
        ("pm1", 1, "pm1_ug_m3", "pm1_0_ug_m3", "pm1_atm_ug_m3", "pm1_0_atm_ug_m3"),
        ("pm25", 1, "pm2_5_ug_m3", "pm2_5_atm_ug_m3"),
        ("pm4", 1, "pm4_ug_m3"),
        ("pm10", 1, "pm10_ug_m3", "pm10_atm_ug_m3"),
        ("co2", 1, "co2_ppm"),
        ("temperature", 1, "temperature_C"),
        ("relative_humidity", 100, "relative_humidity_pct", "humidity_pct", "humidity"),
        ("atmospheric_pressure", 1, "pressure_hPa", "pressure_abs_hPa"),
        ("atmospheric_pressure", 100, "pressure_Pa"),
        ("rssi", 1, "rssi_dBm", "signal_dBm"),
        ("battery_level", 100, "battery", "battery_pct"),
        ("battery_voltage", 1, "battery_V"),
        ("battery_voltage", 1000, "voltage"),
        ("link_quality", 1, "linkquality"),
        ("illuminance", 1, "illuminance_lux", "illuminance_lx"),
        *((f"particles_above_{size}", 100, f"n{size[:-1] or ''}_{size[-1]}_per_0_1L") for size in ("03", "05", "25")),
        *((f"particles_above_{size}", 100, f"n{size}_0_per_0_1L", f"n{size}_per_0_1L") for size in ("1", "5", "10")),
    ):
        value = one.fields.get(str(ours))
        if isinstance(value, int | float):
            names |= dict.fromkeys(map(str, theirs), round(value * int(str(scale)), 6))
    names["software_version"] = one.fields.get("firmware_version")
    return names


def _airgradient(vector: Vector) -> Said:
    """Take both of what the monitor says twice: the decoder's word with compensation, and without."""
    names = {"co2": "rco2", "pm1": "pm01", "pm25": "pm02", "pm10": "pm10", "tvoc_index": "tvocIndex"}
    names |= {"nox_index": "noxIndex", "rssi": "wifi", "firmware_version": "firmware", "serial_number": "serialno"}
    said: dict[str, object] = {}
    driver = drivers.load("airgradient")
    for end, compensated in (("", False), ("Compensated", True)):
        options = {"compensated_climate": compensated, "compensated_dust": compensated}
        decoder: Any = driver.decoder(driver.options.model_validate(options))
        (one,) = decoder.decode("airgradient/readings/1", _bytes(vector))
        if isinstance(one, Reject):
            return [one]
        fields = one.fields
        said |= {theirs: fields[ours] for ours, theirs in names.items() if ours in fields and not compensated}
        said[f"pm02{end}"] = fields.get("pm25")
        said[f"atmp{end}"] = fields.get("temperature")
        said[f"rhum{end}"] = round(fields.get("relative_humidity", 0) * 100, 6)
        said["pm003Count"] = round(fields.get("particles_above_03", 0) * 100, 6)
    return [said]


def _senml(vector: Vector) -> Said:
    records = senml_records.resolve(orjson.loads(_bytes(vector)))
    if isinstance(records, str):
        return [Reject("range", b"", records)]
    read = []
    for record, wanted in zip(records, vector["expected"].get("records", []), strict=True):
        one: dict[str, object] = {
            "n": record.base + record.name,
            "u": record.unit,
            "t": record.time,
            "v": record.value,
        }
        if record.time < senml_records.RELATIVE and isinstance(wanted.get("t"), int | float):
            one["t"] = wanted["t"]  # relative to a moment that only the vector's author knows
        held = [name for name in one if name in wanted]
        read.append({name: pytest.approx(one[name], abs=1e-6) if name in "tv" else one[name] for name in held})
        read[-1] |= {
            name: wanted[name] for name in wanted if name in ("vb", "vs", "vd", "s") and record.value is None
        }
    return [{"records": read}]


def _ecowitt(vector: Vector) -> Said:
    said: dict[str, object] = {}
    for one in _decode("ecowitt", vector, "ecowitt/one"):
        if isinstance(one, Reject):
            return [one]
        if one.tags:
            said[f"pm2_5_ch{one.tags['channel']}_ug_m3"] = one.fields["pm25"]
            continue
        said |= {**_air_names(one), "utc": _rfc3339(one.time or 0, 0)}
        said |= {"pm2_5_ch1_ug_m3": one.fields.get("pm25"), "wind_speed_m_s": one.fields.get("wind_speed")}
        said["wind_direction_deg"] = one.fields.get("wind_direction")
    wanted = vector["expected"]
    for name, value in wanted.items():
        if "_24h_" in name:
            said[name] = value  # means that the station works out are not taken
        elif isinstance(value, float) and isinstance(read := said.get(name), float):
            said[name] = round(read, len(str(value).partition(".")[2]))
    return [said]


def _frigate(vector: Vector) -> Said:
    """Return what the driver counts once the event has ended, whatever step of it the vector is."""
    event = json.loads(_bytes(vector))
    decoder = frigate.Decoder(frigate.FrigateOptions(labels=(event["after"]["label"],)))
    step, event["type"] = event["type"], "end"
    said: Said = []
    for one in decoder.decode("frigate/events", json.dumps(event).encode()):
        if isinstance(one, Reject):
            said.append(one)
            continue
        names = {"id": one.key, "camera": one.sensor, "label": one.tags["vehicle_type"]}
        start = (one.time or 0) // 1000 / 1_000_000
        after = event["after"]  # what the driver does not carry, or looks at only to decide whether to count
        rest = {name: after.get(name) for name in ("end_time", "stationary", "false_positive")}
        said.append({"type": step, **names, "start_time": start, **rest, "zones": after["entered_zones"]})
    return said


def _telraam(vector: Vector) -> Said:
    said: Said = []
    answer = json.loads(_bytes(vector))
    for row in answer["report"]:
        found = telraam.counts(row)
        if isinstance(found, str):
            said.append(Reject("range", b"", found))
            continue
        names = {f"{kind}{telraam.ENDS[way]}": count for (kind, way), count in found.items()}
        read = list(telraam.Decoder(Options()).decode("telraam/1", json.dumps({"report": [row]}).encode()))
        first = read[0]
        if isinstance(first, Reject):
            said.append(first)
            continue
        names |= {kind: row.get(kind) for kind in telraam.KINDS if kind in row}
        histogram = row.get("car_speed_hist_0to70plus", [])  # shares of car speeds and v85 are not taken
        others = {
            "date": row["date"],
            "uptime": row["uptime"],
            "v85": row.get("v85"),
            "interval": row.get("interval"),
        }
        assert first.sensor is not None
        said.append({**names, **others, "segment_id": int(first.sensor), "hist_sum_pct": round(sum(histogram), 6)})
    return said


DEVICES: Mapping[str, Callable[[Vector], Said]] = {
    "actility-thingpark": _envelope("actility", "mqtt/things/1/uplink"),
    "airgradient": _airgradient,
    "ecowitt-http": _ecowitt,
    "frigate-events": _frigate,
    "senml-json": _senml,
    "sensor.community": _air("sensor_community", "airrohr/station"),
    "tasmota-tele-sensor": _air(
        "tasmota", "tele/one/SENSOR", lambda vector: {"time_local": vector["input_json"].get("Time")}
    ),
    "telraam-api": _telraam,
    "ttn-v3-uplink": _envelope("ttn", "v3/app1@tenant1/devices/dev1/up"),
    "zigbee2mqtt": _air("zigbee2mqtt", "zigbee2mqtt/one"),
}
