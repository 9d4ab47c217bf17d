"""What the drivers of Modbus, NextPM and Winsen devices read, in the names of the external vectors; and gases."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pytest

import drivers
from drivers import _modbus as modbus
from drivers import _nextpm as nextpm
from drivers import _winsen as winsen
from drivers import _winsen_ze as winsen_ze
from drivers import nextpm_modbus, pms3003, senseair_k30, senseair_s8, sm300d2
from drivers._gases import micrograms
from drivers._plantower import Report
from gateway.contract import Reject

Vector = Mapping[str, Any]
Names = Mapping[str, object]
Said = list[Names | Reject]
Read = Callable[[bytes], Names | Reject]


def _refused(driver: str, read: Read, data: bytes) -> Said:
    """Return what is wrong with ``data`` according to the whole decoder, and to the function that reads a frame."""
    found = drivers.load(driver)
    decoder: Any = found.decoder(found.options())
    said = [*decoder.feed(data, 0), *decoder.finish()]
    return [*(one if isinstance(one, Reject) else dict(one.fields) for one in said), read(data)]


def _framed(driver: str, read: Read, vector: Vector) -> Said:
    data = bytes.fromhex(vector["input_hex"])
    return _refused(driver, read, data) if vector["kind"] == "bad" else [read(data)]


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
    names = {"address": address, "function": function, "count": value, "value": value}
    return names | dict.fromkeys(("register", "start", "start_register"), register)


def _answer(about: Callable[[modbus.Answer], Names], data: bytes) -> Names | Reject:
    if len(data) in (7, 8) and (asked := _question(data)):
        return asked
    found = modbus.parse(data)
    if isinstance(found, Reject):
        return found
    return {"address": data[0], "function": found.function, **about(found)}


def _s8(answer: modbus.Answer) -> Names:
    said: dict[str, object] = {"abc_hours": answer.word(0), "abc_period_h": answer.word(0), "value": answer.word(0)}
    found = senseair_s8.understand(answer)
    if not isinstance(found, Reject) and found is not None:
        said |= {"co2_ppm": found.fields.get("co2"), "firmware": found.fields.get("firmware_version")}
        said |= dict.fromkeys(("status", "meter_status"), found.fields.get("device_error"))
    return said


def _k30(answer: modbus.Answer) -> Names:
    found = senseair_k30.understand(answer)
    return {} if isinstance(found, Reject) else {"co2_ppm": found.fields["co2"]}


def _nextpm_modbus(answer: modbus.Answer) -> Names:
    word = answer.word(0)
    said: dict[str, object] = {"firmware": word, "status": word, "state": word, "flags": nextpm.flags(word)}
    means = nextpm_modbus.means(answer)
    for average, mean in zip(nextpm_modbus.MEANS, means if len(means) == 3 else means * 3, strict=True):
        for size, number, mass in zip(("1", "2_5", "10"), mean[:3], mean[3:], strict=False):
            said |= {f"n_pm{size}_per_L_{average}": number, f"pm{size}_ug_m3_{average}": mass}
    return said


# --- NextPM's own protocol


def _nextpm(data: bytes) -> Names | Reject:
    if len(data) == 3 and nextpm.question(data[1]) == data:
        return {"command": data[1]}
    found = nextpm.parse(data)
    if isinstance(found, Reject):
        return found
    said: dict[str, object] = {"command": found.command, "state": found.state, "flags": nextpm.flags(found.state)}
    numbers = found.numbers()
    if found.command in nextpm.MEANS.values():
        said["average_s"] = {0x11: 10, 0x12: 60, 0x13: 900}[found.command]
        for size, number, tenths in zip(("1", "2_5", "10"), numbers[:3], numbers[3:], strict=True):
            said |= {f"n_pm{size}_per_L": number, f"pm{size}_ug_m3": tenths / 10}
    elif found.command == nextpm.INSIDE:
        said |= {"internal_temperature_C": numbers[0] / 100, "internal_humidity_pct": numbers[1] / 100}
    elif found.command == nextpm.FIRMWARE:
        said["firmware"] = numbers[0]
    else:
        said |= dict.fromkeys(("address", "modbus_address", "fan_speed_pct", "value"), found.state)
    return said


# --- Winsen


def _winsen(data: bytes) -> Names | Reject:
    if data.startswith(b"\x42\x4d\x00\x14"):
        upload = pms3003.parse(data)
        sizes = ("pm1_0_ug_m3", "pm2_5_ug_m3", "pm10_ug_m3")
        return dict(zip(sizes, upload.outdoors, strict=True)) if isinstance(upload, Report) else Reject("noise", data)
    if data[1:2] == b"\x01" and winsen.command(*data[2:8]) == data:
        return {"frame": "command", "command": data[2], "value": int.from_bytes(data[6:8], "big")}
    found = winsen.parse(data)
    return found if isinstance(found, Reject) else _winsen_names(found)


def _winsen_names(found: winsen.Frame) -> Names:
    if found.code == winsen.READ:
        first, second, third = (found.number(at) for at in (0, 2, 4))
        co2 = {"frame": "co2", "co2_ppm": first, "temperature_raw_C": found.data[2] - 40, "status": found.data[3]}
        dust = {"pm2_5_ug_m3": first, "pm10_ug_m3": second, "pm1_0_ug_m3": third, "pm1_ug_m3": third}
        return co2 | dust | {"u": third, "ug_m3": first, "ppb": third}
    if found.code in (*winsen_ze.GASES, *winsen_ze.OTHERS):
        unit, decimals = found.data[:2]
        upload = {"gas_code": found.code, "unit_code": unit, "decimals": decimals}
        return upload | {"concentration_raw": found.number(2), "full_range": found.number(4)}
    return {"frame": "reply", "command": found.code, "success": found.data[0] == 1, "result": found.data[0]}


# --- the rest


def _sm300d2(data: bytes) -> Names | Reject:
    found = sm300d2.parse(data)
    if isinstance(found, Reject):
        return found
    names = ("co2_ppm", "formaldehyde_ug_m3", "tvoc_ug_m3", "pm2_5_ug_m3", "pm10_ug_m3")
    climate = {"temperature_C": found.temperature, "relative_humidity_pct": found.relative_humidity * 100}
    return dict(zip(names, found.values, strict=True)) | climate


def _conversion(vector: Vector) -> Said:
    """Compare within 1 per cent: the sources of these vectors round to whole numbers."""
    asked, wanted = vector["input_json"], vector["expected"]["ug_m3"]
    found = micrograms(asked["gas"].lower(), asked["ppb"])
    return [{"ug_m3": wanted if found == pytest.approx(wanted, rel=0.01) else found}]


DEVICES: Mapping[str, Callable[[Vector], Said]] = {
    "conversion-ppb-ugm3": _conversion,
    "senseair-k30": partial(_framed, "senseair_k30", partial(_answer, _k30)),
    "senseair-s8": partial(_framed, "senseair_s8", partial(_answer, _s8)),
    "sm300d2-modbus-variant": partial(_framed, "sm300d2", _sm300d2),
    "tera-nextpm": partial(_framed, "nextpm", _nextpm),
    "tera-nextpm-modbus": partial(_framed, "nextpm_modbus", partial(_answer, _nextpm_modbus)),
    "winsen-mh-z19b": partial(_framed, "mhz19", _winsen),
    "winsen-ze/zh": partial(_framed, "winsen_zh", _winsen),
    "winsen-ze07-ch2o": partial(_framed, "winsen_ze", _winsen),
    "winsen-ze07-co": partial(_framed, "winsen_ze", _winsen),
    "winsen-ze08-ch2o": partial(_framed, "winsen_ze", _winsen),
    "winsen-zh03b": partial(_framed, "winsen_zh", _winsen),
}
