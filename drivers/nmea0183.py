"""NMEA 0183: position, height and time from a satellite receiver.

9600 8N1, newer ones 38400 or 115200 baud. Text lines, hh the XOR of all between $ and *; once a second, from talkers
GP, GL, GA, GB or GN (which systems), RMC and GGA among others, with empty fields where nothing is known::

    $GPRMC,123519.00,A,4807.038,N,01131.000,E,,,230394,,*33     time; A valid, V not; place; knots; course; ddmmyy;
                                                                .. ; mode, since 2.3; status, since 4.1
    $GPGGA,184353.07,1929.045,S,02410.506,E,1,04,2.6,100.00,M,-33.9,M,,0000*6D
                                                                time; place; quality; satellites; dilution; height

    4807.038,N is 48 degrees and 7.038 minutes: 48.1173

A fix is RMC with A and mode A, D, F, P or R (or none: old); or GGA with a quality of 1 to 5 or 9. The mode may say
N, no fix, although the status says A. The status of 4.1 says whether the receiver is a certified navigation system:
of u-blox, Quectel and others it is V for ever, and decides nothing here. Guesses by dead reckoning (mode E, quality
6), typed-in places and simulators are none. Other sentences are sound, and say nothing that is wanted here. Binary
messages between sentences (UBX, RTCM 3) are noise, and cost no sentence.

Two-digit years: 80 to 99 are 19xx. An old receiver may be 1024 weeks behind: its time is given as a field, and is not
taken for the time of the reading. A leap second, :60, is given as the second after.

Sources: NMEA 0183 2.3 to 4.11 as u-blox's and Quectel's receiver descriptions give it; sentences of others' tests.
"""

import re
from collections.abc import Iterable, Iterator
from functools import reduce
from operator import xor
from typing import NamedTuple

from drivers.common.framing import Lines
from drivers.common.times import nanoseconds
from gateway.contract import Driver, Duration, FieldValue, Measurement, Options, Reject, SerialLink, field

MODES = frozenset("ADFPR")
QUALITIES = frozenset("123459")

_SENTENCE = re.compile(rb"\$([ -)+-~]*)\*([0-9A-Fa-f]{2})")
_PLACE = re.compile(r"([0-9]{2,3})([0-9]{2}(?:\.[0-9]{1,9})?)")
_CLOCK = re.compile(r"([0-9]{2})([0-9]{2})([0-9]{2})(\.[0-9]{1,9})?")
_DAY = re.compile(r"([0-9]{2})([0-9]{2})([0-9]{2})")
_NUMBER = re.compile(r"-?[0-9]{1,6}(?:\.[0-9]{1,6})?")

Fields = dict[str, FieldValue]
MAX_LINE = 128
"""The standard has 82 bytes; receivers with many digits write more."""


class Sentence(NamedTuple):
    """A sound line: the talker, the three letters, and the words after them."""

    talker: str
    name: str
    words: tuple[str, ...]
    raw: bytes


def parse(line: bytes) -> Sentence | Reject:
    """Parse one line without its end."""
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
    """Return the fix in an RMC or GGA sentence, a `Reject` where it has none, None for other sentences."""
    if len(sentence.words) < 9:
        return None
    return {"RMC": _rmc, "GGA": _gga}.get(sentence.name, lambda _: None)(sentence)


def _rmc(sentence: Sentence) -> Fields | Reject:
    words = sentence.words
    mode = words[11] if len(words) > 11 else ""
    if words[1] != "A" or (mode and mode not in MODES):
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


class NmeaOptions(Options):
    """How often it is wanted."""

    interval: Duration = 60.0
    """The place and the height are given at most this often; "0s" for each the receiver gives."""


class Decoder:
    """Listens to one receiver."""

    def __init__(self, options: NmeaOptions) -> None:
        self._lines = Lines(MAX_LINE, b"$")
        self._interval = int(options.interval * 1e9)
        self._next = {"RMC": 0, "GGA": 0}

    def start(self) -> Iterable[bytes]:
        """Send nothing: it reports by itself."""
        return ()

    def poll(self) -> bytes:
        """Send nothing: it reports by itself."""
        return b""

    def feed(self, data: bytes, now: int) -> Iterable[Measurement | Reject]:
        """See `gateway.contract.SerialDecoder`."""
        said: list[Measurement | Reject] = []
        for line in self._lines.feed(data):
            if isinstance(line, Reject):
                said.append(line)
                continue
            before, dollar, rest = line.rpartition(b"$")  # a sentence is found behind noise, or behind a torn one
            if before:
                said.append(Reject("noise", before, "before the $ of a sentence"))
            said += self._hear(dollar + rest, now)
        return said

    def finish(self) -> Iterable[Reject]:
        """Return what is left of a line without an end."""
        return self._lines.finish()

    def _hear(self, line: bytes, now: int) -> Iterator[Measurement | Reject]:
        sentence = parse(line)
        found = sentence if isinstance(sentence, Reject) else fix(sentence)
        if isinstance(found, Reject):
            yield found
        elif found is not None and not isinstance(sentence, Reject) and now >= self._next[sentence.name]:
            self._next[sentence.name] = now + self._interval
            yield Measurement("position", found)


DRIVER = Driver(
    name="nmea0183",
    title="Satellite receivers with NMEA 0183",
    link=SerialLink(baudrate=9600),
    fields=tuple(
        map(field, ("latitude", "longitude", "altitude", "satellite_time", "satellites", "horizontal_dilution"))
    ),
    max_frame=MAX_LINE,
    decoder=Decoder,
    options=NmeaOptions,
    kinds=("position",),
)
