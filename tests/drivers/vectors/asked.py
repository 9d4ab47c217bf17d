"""What the drivers of Modbus, NextPM and Winsen devices read, in the names of the external vectors; and gases."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

from drivers import mhz19, nextpm, nextpm_modbus, pms3003, senseair_k30, senseair_s8, sm300d2, winsen_ze
from drivers.common import modbus_rtu as modbus
from drivers.common import winsen
from drivers.common.framing import Frames
from drivers.common.gases import micrograms
from drivers.common.nextpm import flags
from drivers.common.plantower import Report
from gateway.contract import Measurement, Quality, Reject
from tests.drivers.vectors.common import Names, Reader, Said, Vector, refused

Read = Callable[[bytes], Names | Reject]


class Shape(NamedTuple):
    """How a device's frames are found in a stream: their beginnings, the longest, their lengths."""

    headers: tuple[bytes, ...]
    longest: int
    length: Callable[[bytes], int]


def _framed(driver: str, shape: Shape, read: Read, vector: Vector) -> Said:
    data = bytes.fromhex(vector["input_hex"])
    if vector["kind"] == "bad":
        return _of_the_whole(driver, read, data)
    if vector["kind"] != "stream" and not isinstance(alone := read(data), Reject):
        return [alone]
    frames: Frames[Names] = Frames(shape.headers, shape.longest, shape.length, read)
    return [one for one in [*frames.feed(data), *frames.finish()] if not isinstance(one, Reject)]


def _of_the_whole(driver: str, read: Read, data: bytes) -> Said:
    """Return what the whole decoder says of ``data``, and what is wrong with it as one frame."""
    alone = read(data)
    return [*refused(driver, data), *([alone] if isinstance(alone, Reject) else [])]


# --- Modbus


def _question(data: bytes) -> Names | None:
    """Return what a question asks; None for what is none that our drivers would send alike."""
    address, function, register, number = data[0], data[1], int.from_bytes(data[2:4], "big"), data[4:-2]
    value = int.from_bytes(number, "big")
    if function == senseair_k30.READ_MEMORY:
        sent = senseair_k30.question(address, register, value)
    else:
        sent = modbus.question(address, function, register, value)
    if sent != data:
        return None
    return {"address": address, "function": function, "register": register, "count": value, "value": value}


def _modbus(driver: str, about: Callable[[modbus.Answer], Names], vector: Vector) -> Said:
    if vector["kind"] == "command":
        asked = _question(bytes.fromhex(vector["input_hex"]).lstrip(b"\0"))
        return [asked] if asked else []
    if vector["kind"] == "checksum":
        return [{"crc16": int.from_bytes(modbus.crc(bytes.fromhex(vector["input_hex"])), "little")}]
    headers = (b"\x01",) if driver == "nextpm_modbus" else (b"\xfe",)
    return _framed(driver, Shape(headers, 256, _answer_length), partial(_answer, about), vector)


def _answer_length(head: bytes) -> int:
    if len(head) < 3:
        return 0
    return 8 if head[1] == modbus.WRITE else 5 if head[1] & modbus.REFUSED else 5 + head[2]


def _answer(about: Callable[[modbus.Answer], Names], data: bytes) -> Names | Reject:
    if len(data) == 8 and (asked := _question(data)):
        return asked
    found = modbus.parse(data)
    if isinstance(found, Reject):
        refused = len(data) == 5 and data[1] & modbus.REFUSED and found.reason == "unsupported"
        return {"address": data[0], "function": data[1], "exception": data[2]} if refused else found
    return {"address": data[0], "function": found.function, **about(found)}


def _s8(answer: modbus.Answer) -> Names:
    said: dict[str, object] = {"abc_h": answer.word(0), "abc_period_h": answer.word(0), "value": answer.word(0)}
    found = senseair_s8.understand(answer)
    if not isinstance(found, Reject) and found is not None:
        said |= {"co2_ppm": found.fields.get("co2"), "firmware": found.fields.get("firmware_version")}
        said |= dict.fromkeys(("status", "meter_status"), found.fields.get("device_error"))
        said["out_of_range"] = bool(found.quality & Quality.OUT_OF_RANGE)
    return said


def _k30(answer: modbus.Answer) -> Names:
    if answer.function == modbus.INPUT:
        return _s8(answer)  # which is the driver for those who ask a K30 in plain Modbus
    found = senseair_k30.understand(answer)
    return {} if isinstance(found, Reject) else {"co2_ppm": found.fields["co2"]}


def _nextpm_modbus(answer: modbus.Answer) -> Names:
    word = answer.word(0)
    said: dict[str, object] = {"firmware": word, "status": word, "state": word, "flags": flags(word)}
    means = nextpm_modbus.means(answer)
    averages = (*(f"_{average}" for average in nextpm_modbus.MEANS), "_900s") if len(means) == 3 else ("",)
    for average, mean in zip(averages, [*means, means[-1]] if means else [], strict=False):
        for size, number, mass in zip(("1", "2_5", "10"), mean[:3], mean[3:], strict=False):
            said |= {f"n_pm{size}_per_L{average}": number, f"pm{size}_ug_m3{average}": mass}
    return said


# --- NextPM's own protocol


def _nextpm_length(head: bytes) -> int:
    return nextpm.LENGTHS.get(head[1], -1) if len(head) > 1 else 0


def _nextpm(data: bytes) -> Names | Reject:
    if len(data) == 3 and nextpm.question(data[1]) == data:
        return {"command": data[1]}
    found = nextpm.parse(data)
    if isinstance(found, Reject):
        return found
    said: dict[str, object] = {"command": found.command, "state": found.state, "flags": flags(found.state)}
    numbers = found.numbers()
    if found.command in nextpm.MEANS.values():
        said["average_s"] = {0x11: 10, 0x12: 60, 0x13: 900}[found.command]
        for size, number, tenths in zip(("1", "2_5", "10"), numbers[:3], numbers[3:], strict=True):
            said |= {f"n_pm{size}_per_L": number, f"pm{size}_ug_m3": tenths / 10}
    elif found.command == nextpm.INSIDE:
        said |= {"internal_temperature_C": numbers[0] / 100, "internal_humidity_pct": numbers[1] / 100}
    elif found.command == nextpm.FIRMWARE:
        said["firmware"] = numbers[0]
    elif found.command not in (nextpm.TOGGLE, nextpm.STATE):
        value = found.data[-1] if found.data else found.state
        said |= dict.fromkeys(("address", "modbus_address", "fan_speed_pct", "value", "data"), value)
    return said


# --- Winsen


def _winsen(data: bytes) -> Names | Reject:
    if data.startswith(UPLOADED_DUST):
        upload = pms3003.parse(data)
        sizes = ("pm1_ug_m3", "pm2_5_ug_m3", "pm10_ug_m3")
        return dict(zip(sizes, upload.outdoors, strict=True)) if isinstance(upload, Report) else Reject("noise", data)
    if data[1:2] == b"\x01" and winsen.command(*data[2:8]) == data:
        return _winsen_command(data[2], data[3:8])
    found = winsen.parse(data)
    return found if isinstance(found, Reject) else _winsen_names(found)


def _winsen_command(code: int, data: bytes) -> Names:
    said: dict[str, object] = {"frame": "command", "command": code, "data": data[0], "value": data[0]}
    if code == mhz19.ABC:
        said["abc"] = data[0] == 0xA0
    if code in (mhz19.SPAN, mhz19.RANGE):
        number = int.from_bytes(data[:2] if code == mhz19.SPAN else data[3:], "big")
        said |= {"value": number, "span_ppm" if code == mhz19.SPAN else "range_ppm": number}
    return said


def _winsen_names(found: winsen.Frame) -> Names:
    if found.code == winsen.READ:
        first, second, third = (found.number(at) for at in (0, 2, 4))
        co2 = {
            "frame": "co2",
            "is_reading": True,
            "co2_ppm": first,
            "temperature_raw_C": found.data[2] - 40,
            "status": found.data[3],
        }
        dust = {"pm2_5_ug_m3": first, "pm10_ug_m3": second, "pm1_ug_m3": third}
        return co2 | dust | {"u": third, "ug_m3": first, "ppb": third, "concentration_raw": first}
    if found.code in (*winsen_ze.GASES, *winsen_ze.OTHERS):
        return _uploaded_gas(found)
    said: dict[str, object] = dict.fromkeys(("command", "reply_to", "command_reply"), found.code)
    return said | {"frame": "reply", "success": found.data[0] == 1, "result": found.data[0], "is_reading": False}


def _uploaded_gas(found: winsen.Frame) -> Names:
    unit, decimals = found.data[:2]
    raw, full, gas = found.number(2), found.number(4), winsen_ze.GASES.get(found.code, "")
    said: dict[str, object] = {"gas_code": found.code, "unit_code": unit, "decimals": decimals, "gas": gas}
    said |= {"concentration_raw": raw, "full_range": full}
    if unit in winsen_ze.PPB and decimals < 4:
        ppb = raw * winsen_ze.PPB[unit] / 10**decimals
        named = {"unit": "ppb" if unit == 4 else "ppm", "concentration": raw / 10**decimals, "ppm": ppb / 1000}
        said |= {**named, "ppb": ppb, "concentration_ppb": ppb, f"{gas}_ppb": ppb, "full_range_raw": full}
        said["full_range_ppb"] = full * winsen_ze.PPB[unit] / 10**decimals
    return said


def _answered_gas(gas: str, data: bytes) -> Names | Reject:
    """Return what a module for one gas says, which its answers do not name."""
    found = winsen.parse(data)
    said = _winsen(data)
    if isinstance(found, Reject) or isinstance(said, Reject) or found.code != winsen.READ:
        return said
    if gas == "co":
        return {**said, "co_ppm": found.number(0) / 10}
    return {**said, f"{gas}_ug_m3": found.number(0), f"{gas}_ppb": found.number(4)}


def _ze15(data: bytes) -> Names | Reject:
    """Return what a ZE15 says, whose highest bit is no part of the value."""
    said, found = _answered_gas("co", data), winsen.parse(data)
    if isinstance(said, Reject) or isinstance(found, Reject) or "concentration_raw" not in said:
        return said
    reading = (winsen_ze.uploaded if found.code != winsen.READ else winsen_ze.answered)(found, ZE15)
    failed = isinstance(reading, Measurement) and bool(reading.fields["device_error"])
    raw = found.number(0 if found.code == winsen.READ else 2) & winsen_ze.VALUE_BITS
    return {**said, "concentration_raw": raw, "co_ppm": raw / 10, **dict.fromkeys(("sensor_fault", "fault"), failed)}


# --- the rest


def _sm300d2(data: bytes) -> Names | Reject:
    found = sm300d2.parse(data)
    if isinstance(found, Reject):
        return found
    names = ("co2_ppm", "formaldehyde_ug_m3", "tvoc_ug_m3", "pm2_5_ug_m3", "pm10_ug_m3")
    climate = {"temperature_C": found.temperature, "relative_humidity_pct": found.relative_humidity * 100}
    about = {"address": data[0], "function": data[1]} if data.startswith(sm300d2.MODBUS) else {}
    return dict(zip(names, found.values, strict=True)) | climate | about


def _conversion(vector: Vector) -> Said:
    """Give the mass of what was asked for, and, where a mass was, how many parts it is."""
    asked = vector["input_json"]
    gas = asked["gas"].lower()
    parts = {"ppb": 1, "nmol_mol": 1, "no_ppb": 1, "no2_ppb": 1, "ppm": 1000, "umol_mol": 1000}
    ppb = sum(asked[name] * factor for name, factor in parts.items() if name in asked)
    if "ug_m3" in asked:
        return [{"ppb": asked["ug_m3"] / micrograms(gas, 1)}]
    return [{"ug_m3": micrograms(gas, ppb)}]


UPLOADED_DUST = b"\x42\x4d\x00\x14"
WINSEN = Shape((b"\xff", UPLOADED_DUST), 24, lambda head: winsen.LENGTH if head[0] == 0xFF else 24)
NEXTPM = Shape((b"\x81",), 16, _nextpm_length)
SM300D2 = Shape((sm300d2.PLAIN, sm300d2.MODBUS), 19, lambda head: sm300d2.LENGTHS[head[0]])
ZE15 = winsen_ze.WinsenZeOptions(mode="asked", model="ze15", gas="co")
GAS_OF = {
    "winsen-ze03": "co",
    "winsen-ze07-ch2o": "ch2o",
    "winsen-ze07-co": "co",
    "winsen-ze08-ch2o": "ch2o",
    "winsen-ze12": "no2",
    "winsen-ze12-co": "co",
    "winsen-ze12-no2": "no2",
    "winsen-ze12-o3": "o3",
    "winsen-ze12-so2": "so2",
    "winsen-ze25-o3": "o3",
}

DEVICES: Mapping[str, Reader] = {
    "conversion-ppb-ugm3": _conversion,
    "senseair-k30": partial(_modbus, "senseair_k30", _k30),
    "senseair-s8": partial(_modbus, "senseair_s8", _s8),
    "sm300d2": partial(_framed, "sm300d2", SM300D2, _sm300d2),
    "sm300d2-modbus-variant": partial(_framed, "sm300d2", SM300D2, _sm300d2),
    "tera-nextpm": partial(_framed, "nextpm", NEXTPM, _nextpm),
    "tera-nextpm-modbus": partial(_modbus, "nextpm_modbus", _nextpm_modbus),
    "winsen-mh-z19b": partial(_framed, "mhz19", WINSEN, _winsen),
    "winsen-ze15-co": partial(_framed, "winsen_ze", WINSEN, _ze15),
    "winsen-ze/zh": partial(_framed, "winsen_zh", WINSEN, _winsen),
    "winsen-zh03b": partial(_framed, "winsen_zh", WINSEN, _winsen),
    **{name: partial(_framed, "winsen_ze", WINSEN, partial(_answered_gas, gas)) for name, gas in GAS_OF.items()},
}
