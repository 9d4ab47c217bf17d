"""What the codecs of LoRaWAN parking sensors read, in the names of the external vectors."""

import re
from collections.abc import Mapping
from functools import partial

from drivers.codecs import (
    bosch_tps110,
    libelium_smart_parking,
    nwave_ncc405,
    nwave_nps310,
    nwave_nps405,
    tekzitel_tekzipark,
)
from drivers.codecs.common import nwave as _nwave_codecs
from gateway.contract import Measurement, Options, Reject
from tests.drivers.vectors.common import Reader, Said, Vector, bytes_of
from tests.drivers.vectors.lorawan import by_codec, events_of


def _placepod(_: Vector, __: bytes, said: list[Measurement]) -> dict[str, object]:
    events = events_of(said)
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
    said = by_codec("libelium_smart_parking", vector, firmware=firmware)
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


def _bosch_tps110(vector: Vector) -> Said:
    data = bytes_of(vector)
    said: Said = []
    for one in bosch_tps110.decode(vector["meta"]["f_port"], data, Options()):
        if isinstance(one, Measurement):
            names = {"firmware": "firmware_version", "reset_cause_raw": "reset_cause", "temperature_C": "temperature"}
            read = {theirs: one.fields.get(ours) for theirs, ours in names.items()}
            said.append({**one.fields, **read, "debug_codes": bosch_tps110.debug_codes(data)})
        else:
            said.append(one)
    return said


DEVICES: Mapping[str, Reader] = {
    "bosch-tps110": _bosch_tps110,
    "libelium-smart-parking": _libelium,
    "nwave-ncc405": partial(by_codec, "nwave_ncc405", more=_nwave),
    "nwave-nps310": partial(by_codec, "nwave_nps310", more=_nwave),
    "nwave-nps405": partial(by_codec, "nwave_nps405", more=_nwave),
    "pni-placepod": partial(by_codec, "pni_placepod", more=_placepod),
    "tekzitel-tekzipark": partial(by_codec, "tekzitel_tekzipark", more=_tekzitel),
}

LEFT_OUT: Mapping[str, frozenset[str]] = {
    "nwave-nps405": frozenset(
        ("previous_state_duration_error", "previous_state_duration_error_min", "battery_health")
    ),
}
"""What Nwave's decoder makes of other values."""
