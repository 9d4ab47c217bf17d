"""What one line of NMEA 0183 says; the sheet is in `drivers.nmea0183`."""

import re
from functools import reduce
from operator import xor
from typing import NamedTuple

from drivers.common.times import nanoseconds
from gateway.contract import FieldValue, Reject

MODES = frozenset("ADFPR")
QUALITIES = frozenset("123459")

_SENTENCE = re.compile(rb"\$([ -)+-~]*)\*([0-9A-Fa-f]{2})")
_PLACE = re.compile(r"([0-9]{2,3})([0-9]{2}(?:\.[0-9]{1,9})?)")
_CLOCK = re.compile(r"([0-9]{2})([0-9]{2})([0-9]{2})(\.[0-9]{1,9})?")
_DAY = re.compile(r"([0-9]{2})([0-9]{2})([0-9]{2})")
_NUMBER = re.compile(r"-?[0-9]{1,6}(?:\.[0-9]{1,6})?")

Fields = dict[str, FieldValue]


class Sentence(NamedTuple):
    """A sound line: the talker, the three letters, and the words after them."""

    talker: str
    name: str
    words: tuple[str, ...]
    raw: bytes


def parse(line: bytes) -> Sentence | Reject:
    """Return one line without its end as a sentence."""
    if not line.startswith(b"$"):
        return Reject("noise", line, "no $ at its beginning")
    match = _SENTENCE.fullmatch(line)
    if match is None:
        return Reject("length", line, "no * and two digits at its end")
    if (total := reduce(xor, match[1], 0)) != int(match[2], 16):
        return Reject("checksum", line, f"XOR {total:02X}, line says {match[2].decode()}")
    head, *words = match[1].decode().split(",")
    return Sentence(head[:-3], head[-3:], tuple(words), line)


def fix(sentence: Sentence) -> Fields | Reject | None:
    """Return what RMC or GGA say of a fix, a `Reject` where there is none, None for other sentences."""
    if len(sentence.words) < 9:
        return None
    return {"RMC": _rmc, "GGA": _gga}.get(sentence.name, lambda _: None)(sentence)


def _rmc(sentence: Sentence) -> Fields | Reject:
    words = sentence.words
    mode, status = (*words[11:13], "", "")[:2]
    if words[1] != "A" or (mode and mode not in MODES) or status == "V":
        return Reject("unsupported", sentence.raw, "no fix")
    time, place = _time(words[8], words[0]), _place(words[2:6])
    if time is None or place is None:
        return Reject("range", sentence.raw, "no such place or time")
    return {**place, "satellite_time": time}


def _gga(sentence: Sentence) -> Fields | Reject:
    words = sentence.words
    if words[5] not in QUALITIES:
        return Reject("unsupported", sentence.raw, "no fix")
    said = _place(words[1:5])
    if said is None:
        return Reject("range", sentence.raw, "no such place")
    if words[6].isdecimal() and len(words[6]) < 4:
        said["satellites"] = int(words[6])
    for name, word in (("horizontal_dilution", words[7]), ("altitude", words[8])):
        if _NUMBER.fullmatch(word):
            said[name] = float(word)
    return said


def _place(words: tuple[str, ...]) -> Fields | None:
    latitude, longitude = _degrees(words[0], words[1], "NS", 90), _degrees(words[2], words[3], "EW", 180)
    return None if latitude is None or longitude is None else {"latitude": latitude, "longitude": longitude}


def _degrees(word: str, way: str, ways: str, most: int) -> float | None:
    match = _PLACE.fullmatch(word)
    if match is None or way not in tuple(ways) or float(match[2]) >= 60:
        return None
    degrees = int(match[1]) + float(match[2]) / 60
    return None if degrees > most else -degrees if way == ways[1] else degrees


def _time(day: str, clock: str) -> int | None:
    """Return nanoseconds UTC."""
    date, time = _DAY.fullmatch(day), _CLOCK.fullmatch(clock)
    if date is None or time is None:
        return None
    century = "19" if date[3] >= "80" else "20"
    return nanoseconds(f"{century}{date[3]}-{date[2]}-{date[1]}T{time[1]}:{time[2]}:{time[3]}{time[4] or ''}Z")
