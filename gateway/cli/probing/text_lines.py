"""Text on a line, recognised by its form: JSON, line protocol, names with values, columns, sentences with numbers.

A device that prints lines is none that a driver knows, and its form says how it is read, not what it measures. So a
person gets a block for the configuration in which the form stands, and names as far as the text has some.
"""

import re
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping
from typing import Any, NamedTuple

import orjson

from gateway.cli.driver_sheets.options import toml
from gateway.contract import VOCABULARY

ENOUGH = 3
"""Whole lines of one form; the first one heard may have begun before, and the last one goes on."""
SHARE = 0.8
"""Of the lines: some are headings, or remarks."""
LONGEST = 1024
SOME = 8
"""Bytes after which noise would have shown itself."""
_TEXT = frozenset(b"\t\r\n" + bytes(range(0x20, 0x7F)))

_NUMBER = r"[+-]?(?:\d+(?:[.,]\d*)?|\.\d+)(?:[eE][+-]?\d+)?"
_NUMBERS = re.compile(rf"(?<![\w.]){_NUMBER}(?!\d)")
_A_NUMBER = re.compile(_NUMBER)
_PAIR = r"[A-Za-z_][\w.%/-]*\s?[=:]\s?[^\s,;&|=:]+"
_PAIRS = re.compile(rf"{_PAIR}(?:\s*[;&|,]\s*{_PAIR}|\s+{_PAIR})*[;,&|]?")
_ONE_PAIR = re.compile(r"([A-Za-z_][\w.%/-]*)\s?[=:]\s?([^\s,;&|=:]+)")
_FIELD = r'[^\s,=]+=(?:[^\s,="]+|"[^"]*")'
_LINE_PROTOCOL = re.compile(rf"[^\s,={{}}]+(?:,[^\s,=]+=[^\s,=]+)* {_FIELD}(?:,{_FIELD})*(?: -?\d+)?")
_SEPARATORS = (";", "\t", ",", " ")
"""Where a comma may be in a number, what else separates comes first."""

_MEANINGS = (
    (r"t|te?mp(eratur(e|a)?)?|air_?temp.*|tempc|temp_c", "temperature"),
    (r"h|rh|hum(id(ity)?)?|humi|vlaga|feuchte", "relative_humidity"),
    (r"p|pres(s(ure)?)?|baro(meter)?", "atmospheric_pressure"),
    (r"co_?2(_?ppm)?", "co2"),
    (r"pm_?1(_?0)?(?!\d)", "pm1"),
    (r"pm_?(25|2[._]5)", "pm25"),
    (r"pm_?10", "pm10"),
    (r"lux|light|illuminance", "illuminance"),
    (r"dist(ance)?(_?mm)?", "distance"),
    (r"v?bat(t(ery)?)?(_?v(olt.*)?)?", "battery_voltage"),
    (r"rssi", "rssi"),
)
"""Patterns of names, and the field that they mostly stand for."""


class Text(NamedTuple):
    """What prints the lines; ``driver`` reads them with ``options``, of which a person has to say the meaning."""

    form: str
    driver: str
    example: str
    options: Mapping[str, Any]
    guessed: bool
    """Whether names say what is measured; else the first number stands for a temperature, as an example."""

    def block(self, port: str, note: str, setting: Mapping[str, Any]) -> str:
        """Return a block for the configuration."""
        lines = ["[sources.lines]", 'type = "serial"', f"port = {toml(port)}" + (f" # {note}" if note else "")]
        lines += [f"{key} = {toml(value)}" for key, value in setting.items()]
        hint = "from their names, look at them" if self.guessed else "an example: say what is what"
        lines += [
            f'driver = "{self.driver}"',
            'sensor = "lines-1" # its name in the database: choose your own',
            "",
            f"[sources.lines.options] # {hint}; prehod drivers {self.driver} has the words",
            f"# {self.example}",
            *(f"{key} = {toml(value)}" for key, value in self.options.items()),
        ]
        return "\n".join(lines) + "\n"


def recognise(heard: bytes) -> Text | None:
    """Return the form of the text in what was heard; None where it is no text, or too little of it."""
    pieces = re.split(rb"\r\n|\r|\n", heard)[1:-1]
    lines = [text for piece in pieces if (text := _printable(piece)) is not None]
    if len(lines) < len([piece for piece in pieces if piece.strip()]) * SHARE:
        return None
    lines = [line for line in lines if line and not line.startswith("#")]
    if len(lines) < ENOUGH:
        return None
    for form in (_json, _line_protocol, _pairs, _columns, _value, _sentence):
        read = [one for line in lines if (one := form(line)) is not None]
        shape, often = next(iter(Counter(one.shape for one in read).most_common(1)), (None, 0))
        if often >= max(ENOUGH, SHARE * len(lines)):
            return [one.known for one in read if one.shape == shape][-1]
    return None


def begins(heard: bytes) -> bool:
    """Tell whether what was heard is text, of which more is needed to know its form."""
    text = len(heard) >= SOME and sum(byte in _TEXT for byte in heard) >= 0.95 * len(heard)
    return text and recognise(heard) is None


class _Line(NamedTuple):
    """One line read in one form; lines of one ``shape`` are of one kind."""

    shape: Hashable
    known: Text


def _printable(piece: bytes) -> str | None:
    try:
        text = piece.decode()
    except UnicodeDecodeError:
        return None
    return text.strip() if len(text) <= LONGEST and all(one.isprintable() or one == "\t" for one in text) else None


def _json(line: str) -> _Line | None:
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(value, dict):
        return None
    found = dict(_numbers_in(value))
    return _Line("JSON", _named("JSON", "json", line, found, {})) if found else None


def _numbers_in(value: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for name, item in value.items():
        path = above + name.replace(".", "\\.")
        if isinstance(item, dict):
            yield from _numbers_in(item, f"{path}.")
        elif not isinstance(item, bool) and _A_NUMBER.fullmatch(str(item)):
            yield path, str(item)


def _line_protocol(line: str) -> _Line | None:
    if not _LINE_PROTOCOL.fullmatch(line):
        return None
    fields = line.split(" ")[1]
    named = {name: value.rstrip("iu") for name, _, value in (one.partition("=") for one in fields.split(","))}
    found = {name: value for name, value in named.items() if _A_NUMBER.fullmatch(value)}
    if not found or line.split(" ", maxsplit=1)[0] == "":
        return None
    return _Line("line protocol", _named("InfluxDB line protocol", "line_protocol", line, found, {}))


def _pairs(line: str) -> _Line | None:
    if not _PAIRS.fullmatch(line):
        return None
    found = {name: value for name, value in _ONE_PAIR.findall(line) if _A_NUMBER.fullmatch(value)}
    return _Line("pairs", _named("names with values", "text", line, found, {"pairs": True})) if found else None


def _columns(line: str) -> _Line | None:
    for separator in _SEPARATORS:
        cells = [cell.strip() for cell in (line.split() if separator == " " else line.split(separator))]
        numbers = [bool(_A_NUMBER.fullmatch(cell)) for cell in cells]
        if len(cells) < 2 or not any(numbers) or (separator == " " and not all(numbers)):
            continue
        at = numbers.index(True)
        columns = ["temperature" if place == at else "" for place in range(len(cells))]
        more: dict[str, Any] = {} if separator == "," else {"separator": separator}
        if separator != "," and any("," in cell for cell in cells):
            more["decimal"] = ","
        options = {"kind": "air_quality", "columns": columns, **more}
        return _Line((separator, len(cells)), Text("columns", "text", line, options, guessed=False))
    return None


def _value(line: str) -> _Line | None:
    if not _A_NUMBER.fullmatch(line):
        return None
    options = {"kind": "air_quality", "fields": {"temperature": ""}}
    return _Line("value", Text("one number a line", "value", line, options, guessed=False))


def _sentence(line: str) -> _Line | None:
    parts = _NUMBERS.split(line)
    if len(parts) < 2 or any(brace in line for brace in "{}"):
        return None
    pattern = parts[0] + "{temperature}" + "{}".join(parts[1:])
    options = {"kind": "air_quality", "pattern": pattern}
    if any("," in number for number in _NUMBERS.findall(line)):
        options["decimal"] = ","
    return _Line(tuple(parts), Text("a sentence with numbers", "text", line, options, guessed=False))


def _named(form: str, driver: str, line: str, found: Mapping[str, str], options: Mapping[str, Any]) -> Text:
    """Return the text of a form in which values have names."""
    fields: dict[str, Any] = {}
    for path, value in found.items():
        field = _meaning(path.rpartition(".")[2] if not path.endswith("\\.5") else path)
        if field is not None and field not in fields:
            percent = field == "relative_humidity" and float(value.replace(",", ".")) > 1
            fields[field] = {"path": path, "scale": 0.01} if percent else path
    kinds = Counter(kind for field in fields for kind in VOCABULARY[field].kinds)
    kind = kinds.most_common(1)[0][0] if kinds else "air_quality"
    fields = {field: path for field, path in fields.items() if kind in VOCABULARY[field].kinds}
    given = fields or {"temperature": next(iter(found))}
    return Text(form, driver, line, {"kind": kind, **options, "fields": given}, guessed=bool(fields))


def _meaning(name: str) -> str | None:
    plain = name.lower().replace("\\", "")
    return next((field for pattern, field in _MEANINGS if re.fullmatch(pattern, plain)), None)
