"""What the drivers of distance meters and satellite receivers read, in the names of the external vectors."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

import drivers
from drivers import _nmea as nmea
from drivers import _sonar as sonar
from drivers import maxbotix, tfmini
from gateway.contract import Reject

Vector = Mapping[str, Any]
Names = Mapping[str, object]
Said = list[Names | Reject]


def _bytes(vector: Vector) -> bytes:
    return bytes.fromhex(vector["input_hex"]) if "input_hex" in vector else str(vector["input_text"]).encode()


def _refused(driver: str, data: bytes, options: Mapping[str, object] | None = None) -> Said:
    """Return what the whole decoder says of damaged bytes."""
    found = drivers.load(driver)
    decoder: Any = found.decoder(found.options.model_validate({"interval": "0s", **(options or {})}))
    said = [*decoder.feed(data, 0), *decoder.finish()]
    return [one if isinstance(one, Reject) else dict(one.fields) for one in said]


def _sonar(driver: str, options: Mapping[str, object], vector: Vector) -> Said:
    if vector["kind"] == "bad":
        return _refused(driver, _bytes(vector), options)
    frames = sonar.frames(header=options.get("checksum") != "without_header")
    found = [*frames.feed(_bytes(vector)), *frames.finish()]
    distances = [one.millimetres for one in found if isinstance(one, sonar.Echo)]
    if "distances_mm" in vector["expected"]:
        return [{"distances_mm": distances}]
    return [{"distance_mm": one.millimetres} if isinstance(one, sonar.Echo) else one for one in found]


def _maxbotix(unit: str, vector: Vector) -> Said:
    data = _bytes(vector)
    line = data.rstrip(b"\r\n")
    told = str(vector.get("meta", {}))
    unit = "cm" if "cm" in told else "inch" if "inch" in told else unit
    if vector["kind"] == "bad":
        return _refused("maxbotix", data, {"unit": unit})
    digits = 4 if len(line) == len("R1234") else 3
    found = maxbotix.parse(line, maxbotix.MaxbotixOptions.model_validate({"unit": unit, "digits": digits}).scale())
    return [found] if isinstance(found, Reject) else [] if found is None else [{"distance_mm": found}]


def _tfmini(vector: Vector) -> Said:
    data = _bytes(vector)
    if vector["kind"] == "bad":
        return _refused("tfmini", data)
    if vector["kind"] == "command":
        assert tfmini.command(data[2], data[3:-1]) == data
        return [{"command": data[2]}]
    found = tfmini.parse(data)
    if isinstance(found, tfmini.Report):
        cm = found.centimetres
        lengths = {"distance_cm": cm, "distance_mm": cm * 10, "distance_m": cm / 100}
        return [{**lengths, "strength": found.strength, "temperature_C": found.temperature, "mode": found.extra[0]}]
    if isinstance(found, tfmini.Reply):
        version = ".".join(map(str, reversed(found.data)))
        return [{"command": found.code, "version": version, "firmware": version}]
    return [found]


def _nmea(vector: Vector) -> Said:
    sentence = nmea.parse(_bytes(vector).strip())
    if isinstance(sentence, Reject):
        return [sentence]
    found = nmea.fix(sentence)
    words = sentence.words
    said: dict[str, object] = {"sentence": sentence.name, "talker": sentence.talker, "utc": words[0]}
    if sentence.name == "RMC":
        said |= {"status": words[1], "mode": words[11] if len(words) > 11 else ""}
    if isinstance(found, Reject):
        wants_a_fix = vector["kind"] == "bad" or "latitude" in vector["expected"]
        return [found] if wants_a_fix else [said]
    if sentence.name == "GGA" and found is not None:
        said |= {"quality": int(words[5]), "satellites": found.get("satellites"), "altitude_m": found.get("altitude")}
        said |= {"hdop": found.get("horizontal_dilution"), "geoid_separation_m": float(words[10] or 0)}
    if found is not None and isinstance(at := found.get("satellite_time"), int):
        moment = datetime.fromtimestamp(at // 10**9, UTC)
        said["utc"] = f"{moment:%Y-%m-%dT%H:%M:%S}.{at % 10**9 // 10**7:02}Z"
    return [{**said, **{name: value for name, value in (found or {}).items() if name in ("latitude", "longitude")}}]


DEVICES: Mapping[str, Callable[[Vector], Said]] = {
    "benewake-tfmini": _tfmini,
    "dfrobot-a02yyuw": partial(_sonar, "a02yyuw", {}),
    "dyp-a01nyub": partial(_sonar, "a02yyuw", {"model": "a01nyub"}),
    "jsn-sr04t/aj-sr04m": partial(_sonar, "jsn_sr04t", {"checksum": "without_header"}),
    "maxbotix-hrxl": partial(_maxbotix, "mm"),
    "maxbotix-xl": partial(_maxbotix, "cm"),
    "nmea-0183": _nmea,
}
