"""What the drivers of serial dust sensors read, in the names of the external vectors."""

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

from drivers import hpma115, pms3003, pms5003, pms5003st, pms5003t, sds011, sds198, sps30
from drivers.common import plantower, shdlc
from drivers.common.framing import Frames
from gateway.contract import Reject
from tests.drivers.vectors.common import Names, Reader, Said, Vector, bytes_of, refused


class Model(NamedTuple):
    """A Plantower sensor: its driver, the lengths of its reports, what reads one."""

    driver: str
    lengths: tuple[int, ...]
    parse: plantower.Parse


def _report_names(found: plantower.Report | plantower.Reply) -> Names:
    if isinstance(found, plantower.Reply):
        return {"frame": "reply", "command": found.code, "data": found.value, "success": True}
    said: dict[str, object] = {"version": found.version, "error_code": found.error}
    for size, factory, outdoors in zip(("1_0", "2_5", "10"), found.factory, found.outdoors, strict=True):
        said |= {f"pm{size}_cf1_ug_m3": factory, f"pm{size}_atm_ug_m3": outdoors}
    for size, count in zip(("0_3", "0_5", "1_0", "2_5", "5_0", "10"), found.particles, strict=False):
        said[f"n{size}_per_0_1L"] = count
    said |= {"temperature_C": found.temperature, "formaldehyde_ug_m3": found.formaldehyde}
    if found.humidity is not None:
        said["relative_humidity_pct"] = found.humidity * 100
    return said


def _plantower(model: Model, vector: Vector) -> Said:
    data = bytes.fromhex(vector["input_hex"])
    if vector["kind"] == "command":
        code, value = data[2], int.from_bytes(data[3:5], "big")
        assert plantower.command(code, value) == data
        return [{"command": code, "data": value}]
    if vector["kind"] == "bad":
        wrong = len(data) == 7 and plantower.command(data[2], int.from_bytes(data[3:5], "big")) != data
        return [*refused(model.driver, data), *([Reject("checksum", data, "of a command")] if wrong else [])]
    known = {length - 4: length for length in (8, *model.lengths)}
    frames: Frames[plantower.Report | plantower.Reply] = Frames(
        (plantower.HEADER,),
        max(model.lengths),
        lambda head: known.get(int.from_bytes(head[2:4], "big"), -1) if len(head) >= 4 else 0,
        model.parse,
    )
    found = [*frames.feed(data), *frames.finish()]
    return [_report_names(one) for one in found if not isinstance(one, Reject)]


def _sps30_names(found: shdlc.Reply) -> Names:
    said: dict[str, object] = {"command": found.command, "length": len(found.data), "error_code": found.state}
    said |= {"state": found.state | (shdlc.ERROR_FLAG if found.flagged else 0), "data": found.data.hex()}
    said |= {"error_flag": found.flagged, "empty": not found.data, "new_data": bool(found.data)}
    about = sps30.about(found.command, found.data)
    said |= {"text": about.get("serial_number"), "firmware": about.get("firmware_version")}
    said |= dict.fromkeys(("serial_number", "serial", "product_type", "device_type"), about.get("serial_number"))
    if isinstance(register := about.get("device_error"), int):
        bits = {"speed_warning": 21, "fan_speed_warning": 21, "laser_error": 5, "fan_error": 4}
        said |= {
            "status_register": register,
            "status": register,
            **{name: bool(register >> bit & 1) for name, bit in bits.items()},
        }
    if found.command == 0x80:
        said["auto_clean_interval_s"] = int.from_bytes(found.data, "big")
    if found.command == 0xD1 and len(found.data) == 7:
        about_itself = ("firmware_major", "firmware_minor", "", "hardware_revision", "", "shdlc_major", "shdlc_minor")
        said |= dict(zip(about_itself, found.data, strict=True))
        said |= {"hardware": found.data[3], "shdlc": ".".join(map(str, found.data[5:]))}
    if ten := sps30.values(found.data):
        sizes = [f"pm{size}_ug_m3" for size in ("1_0", "2_5", "4_0", "10")]
        sizes += [f"nc{size}_per_cm3" for size in ("0_5", "1_0", "2_5", "4_0", "10")]
        said |= dict(zip((*sizes, "typical_size_um"), ten, strict=True))
        whole = len(found.data) == 20
        said |= {"format": "integer" if whole else "float", "typical_size_nm": round(ten[9] * 1000, 6)}
    return said


def _sps30(vector: Vector) -> Said:
    data = bytes.fromhex(vector["input_hex"])
    if vector["kind"] == "codec":
        return [{"unstuffed_hex": shdlc.unstuff(data).hex(" "), "stuffed_hex": shdlc.stuff(data).hex(" ")}]
    if vector["kind"] == "command":
        code, *_ = plain = shdlc.unstuff(data[1:-1])[1:-1]
        assert shdlc.unstuff(shdlc.command(code, plain[2:])) == shdlc.unstuff(data)  # some print it unstuffed
        return [{"command": code, "data": plain[2:].hex()}]
    if vector["kind"] == "bad":
        return refused("sps30", data)
    frames: Frames[shdlc.Reply] = Frames((shdlc.HEADER,), 128, shdlc.length, shdlc.parse)
    found = [*frames.feed(data), *frames.finish()]
    return [_sps30_names(one) for one in found if not isinstance(one, Reject)]


def _sds198(vector: Vector) -> Said:
    data = bytes.fromhex(vector["input_hex"])
    if vector["kind"] == "bad":
        return refused("sds198", data)
    frames: Frames[sds198.Report | sds011.Reply] = Frames(
        (sds198.REPORT, sds198.REPLY), sds011.FRAME, lambda _: sds011.FRAME, sds198.parse
    )
    found = [*frames.feed(data), *frames.finish()]
    return [
        {"frame": "measurement", "pm100_ug_m3": one.pm100, "device_id": one.device.hex()}
        if isinstance(one, sds198.Report)
        else {"frame": "reply", "command_id": one.code, "value": one.value, "device_id": one.device.hex()}
        for one in found
        if not isinstance(one, Reject)
    ]


def _hpma115(vector: Vector) -> Said:
    data = bytes.fromhex(vector["input_hex"])
    if vector["kind"] == "command":
        own = data[3:-1]
        assert hpma115.command(data[2], own) == data
        value = dict.fromkeys(("customer_factor", "coefficient", "factor", "value"), own[0] if own else None)
        return [{"command": data[2], "data": own.hex(), **value}]
    if vector["kind"] == "bad":
        return refused("hpma115", data)
    lengths = hpma115.LENGTHS
    frames: Frames[Names] = Frames(
        tuple(lengths),
        max(lengths.values()),
        lambda head: next((size for header, size in lengths.items() if head.startswith(header)), -1),
        _hpma115_names,
    )
    return [one for one in [*frames.feed(data), *frames.finish()] if not isinstance(one, Reject)]


def _hpma115_names(frame: bytes) -> Names | Reject:
    found = hpma115.parse(frame)
    if isinstance(found, Reject):
        return {"frame": "reply", "ack": False} if frame == hpma115.NOT_DONE else found
    if isinstance(found, hpma115.Reply):
        coefficient = dict.fromkeys(("customer_factor", "coefficient", "factor", "value"), found.value)
        return {"frame": "reply", "ack": True, "command": found.code, **coefficient}
    names = {"pm1": "pm1_ug_m3", "pm25": "pm2_5_ug_m3", "pm4": "pm4_ug_m3", "pm10": "pm10_ug_m3"}
    return {names[name]: mass for name, mass in found.masses.items()}


def _sds011_names(found: sds011.Report | sds011.Reply) -> Names:
    common = {"device_id": found.device.hex()}
    if isinstance(found, sds011.Report):
        return {**common, "frame": "measurement", "pm2_5_ug_m3": found.pm25, "pm10_ug_m3": found.pm10}
    said = {**common, "frame": "reply", "command_id": found.code, "set": found.data[0], "value": found.value}
    if found.code == sds011.FIRMWARE:
        return said | {"firmware": "-".join(map(str, found.data))}
    return {**said, "new_id": found.device.hex(), **_sds011_meaning(found.code, found.value)}


def _sds011_meaning(code: int, value: int) -> Names:
    of_code: Mapping[int, Names] = {
        sds011.REPORT_MODE: {"report_mode": "query" if value else "active"},
        sds011.SLEEP_WORK: {"state": "work" if value else "sleep"},
        sds011.WORKING_PERIOD: {"working_period_min": value},
    }
    return of_code.get(code, {})


def _sds011(vector: Vector) -> Said:
    data = bytes_of(vector)
    if vector["kind"] == "command":
        code, written, value, new_id, target = data[2], data[3], data[4], data[13:15], data[15:17]
        assert sds011.command(code, value if written else None, new_id=new_id, target=target) == data
        names = {"frame": "command", "command_id": code, "set": written, "value": value}
        return [{**names, **_sds011_meaning(code, value), "target_id": target.hex(), "new_id": new_id.hex()}]
    if vector["kind"] == "bad":
        return refused("sds011", data)
    frames: Frames[sds011.Report | sds011.Reply] = Frames(sds011.HEADERS, sds011.FRAME, lambda _: 10, sds011.parse)
    found = [*frames.feed(data), *frames.finish()]
    return [_sds011_names(one) for one in found if not isinstance(one, Reject)]


DEVICES: Mapping[str, Reader] = {
    "honeywell-hpma115c0": _hpma115,
    "honeywell-hpma115s0": _hpma115,
    "nova-sds011": _sds011,
    "nova-sds198": _sds198,
    "plantower-pms3003": partial(_plantower, Model("pms3003", (pms3003.FRAME,), pms3003.parse)),
    "plantower-pms5003/pms7003": partial(_plantower, Model("pms5003", (pms5003.FRAME,), pms5003.parse)),
    "plantower-pms5003s": partial(
        _plantower, Model("pms5003st", (pms5003st.FRAME, pms5003st.FRAME_S), pms5003st.parse)
    ),
    "plantower-pms5003st": partial(
        _plantower, Model("pms5003st", (pms5003st.FRAME, pms5003st.FRAME_S), pms5003st.parse)
    ),
    "plantower-pms5003t": partial(_plantower, Model("pms5003t", (pms5003t.FRAME,), pms5003t.parse)),
    "sensirion-sps30": _sps30,
}
