"""What the drivers of distance meters and satellite receivers read, in the names of the external vectors."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial

from drivers import jsn_sr04t, maxbotix, nmea0183, tfmini
from drivers.common import sonar
from drivers.common.framing import Frames, Lines
from gateway.contract import Reject
from tests.drivers.vectors.common import Names, Reader, Said, Vector, bytes_of, refused


def _no_distance(driver: str, data: bytes, options: Mapping[str, object] | None = None) -> Said:
    """Return what the whole decoder says; a state that stands for no distance is one refused."""
    said = refused(driver, data, {"interval": "0s", **(options or {})})
    return [one if isinstance(one, Reject) or "distance" in one else Reject("range", data) for one in said]


def _sonar(driver: str, options: Mapping[str, object], vector: Vector) -> Said:
    data = bytes_of(vector)
    if vector["kind"] == "command":
        assert data in (jsn_sr04t.ASK, jsn_sr04t.ASK_OTHER)
        return [{"command": data[0]}]
    if vector["kind"] == "bad":
        return _no_distance(driver, data, options)
    echoes: list[sonar.Echo] = []
    for header in (False, True) if "checksum" in options else (True,):  # boards of that name have either sum
        frames = sonar.frames(header=header)
        found = [*frames.feed(data), *frames.finish()]
        echoes = echoes or [one for one in found if isinstance(one, sonar.Echo)]
    return [{"distance_mm": one.millimetres} for one in echoes]


def _maxbotix(unit: str, vector: Vector) -> Said:
    data = bytes_of(vector)
    told = str(vector.get("meta", {}))
    unit = "cm" if "cm" in told else "inch" if "inch" in told else unit
    if vector["kind"] == "bad":
        return _no_distance("maxbotix", data, {"unit": unit})
    digits = 4 if re.search(rb"R[0-9]{4}", data) else 3
    scale = maxbotix.MaxbotixOptions.model_validate({"unit": unit, "digits": digits}).scale()
    lines = Lines(maxbotix.MAX_LINE)
    found = [one for line in lines.feed(data) if not isinstance(line, Reject) for one in maxbotix.parse(line, scale)]
    return [{"distance_mm": one} for one in found if isinstance(one, int | float)]


TFMINI_UNITS = {1: "cm", 2: "text", 6: "mm"}


def _tfmini(vector: Vector) -> Said:
    data = bytes_of(vector)
    if vector["kind"] == "bad":
        return _no_distance("tfmini", data)
    if vector["kind"] == "command":
        code, own = data[2], data[3:-1]
        assert tfmini.command(code, own) == data
        value = int.from_bytes(own, "little")
        names = {tfmini.RATE: "rate", tfmini.FORMAT: "format", tfmini.OUTPUT: "output", 6: "baud"}
        unit = TFMINI_UNITS.get(value) if code == tfmini.FORMAT else None
        return [{"command": code, "data": own.hex(), "value": value, names.get(code, "value"): value, "unit": unit}]
    frames: Frames[tfmini.Report | tfmini.Reply] = Frames(
        tfmini.HEADERS, tfmini.FRAME, lambda head: 9 if head[0] == 0x59 else head[1] if head[1:] else 0, tfmini.parse
    )
    found = [*frames.feed(data), *frames.finish()]
    return [_tfmini_names(one) for one in found if not isinstance(one, Reject)]


def _tfmini_names(found: tfmini.Report | tfmini.Reply) -> Names:
    if isinstance(found, tfmini.Reply):
        said: dict[str, object] = {"command": found.code, "data": found.data.hex()}
        version = ".".join(map(str, reversed(found.data)))
        return said | ({"version": version} if found.code == tfmini.VERSION else {})
    measured = {"distance_cm": found.centimetres, "strength": found.strength}
    return {**measured, "temperature_C": found.temperature, "mode": found.extra[0]}


def _nmea(vector: Vector) -> Said:
    lines = [line for line in bytes_of(vector).splitlines() if line.strip()] or [b""]
    return [_nmea_names(line.strip(), asked=vector["kind"] != "bad") for line in lines]


def _nmea_names(line: bytes, *, asked: bool) -> Names | Reject:
    sentence = nmea0183.parse(line)
    if isinstance(sentence, Reject):
        return sentence
    found, words = nmea0183.fix(sentence), (*sentence.words, *[""] * 13)
    if not asked and isinstance(found, Reject):
        return found
    fix: Mapping[str, object] = found if isinstance(found, Mapping) else {}
    said: dict[str, object] = {"sentence": sentence.name, "talker": sentence.talker, "utc": words[0]}
    said |= {"time": words[0], "valid": bool(fix), "latitude": fix.get("latitude"), "longitude": fix.get("longitude")}
    if sentence.name == "RMC":
        said |= {"status": words[1], "mode": words[11], "nav_status": words[12], "date": words[8]}
        said |= {"speed_knots": _float(words[6]), "course_deg": _float(words[7])}
    if sentence.name == "GGA":
        said |= {"quality": _float(words[5]), "satellites": _float(words[6]), "hdop": _float(words[7])}
        said |= {"altitude_m": fix.get("altitude"), "geoid_separation_m": _float(words[10])}
    if isinstance(at := fix.get("satellite_time"), int):
        moment = datetime.fromtimestamp(at // 10**9, UTC)
        said["utc"] = f"{moment:%Y-%m-%dT%H:%M:%S}.{at % 10**9:09}Z"
    return said


def _float(word: str) -> float | None:
    return float(word) if word else None


DEVICES: Mapping[str, Reader] = {
    "benewake-tfmini": _tfmini,
    "dfrobot-a02yyuw": partial(_sonar, "a02yyuw", {}),
    "dyp-a01nyub": partial(_sonar, "a02yyuw", {"model": "a01nyub"}),
    "jsn-sr04t/aj-sr04m": partial(_sonar, "jsn_sr04t", {"checksum": "without_header"}),
    "maxbotix-hrxl": partial(_maxbotix, "mm"),
    "maxbotix-lv": partial(_maxbotix, "inch"),
    "maxbotix-xl": partial(_maxbotix, "cm"),
    "nmea-0183": _nmea,
}
