"""Twin of the OmniPreSense OPS243-A Doppler radar, on USB or a serial line (19200 8N1).

Source: OmniPreSense AN-010 (API) and the OPS243-A user manual UM-003. Commands are ASCII: two characters without an
end, or a few characters, a number and an end of line. Each is answered with a line of JSON. A report is a line:
``-3.6``, with time and magnitude ``105.123,847,-3.6``, or in JSON ``{"time":105.123,"magnitude":847,"speed":-3.6}``.
Positive speeds approach (inbound), negative ones recede (outbound). The clock counts seconds since power-on, and
settings that were not saved with ``A!`` are lost with the power.

Object detection (``ON``) is answered and adds a line of the highest speed when a vehicle has passed; with O2 to O9
reports come as arrays, here of one. The other settings of the sheet are acknowledged and change nothing here.
The sheet does not give the words of every answer, nor those of the greeting after power-on.
"""

import json
import re
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from firmware_sim.parts.street import Pass, Street
from firmware_sim.parts.twin import Frame
from firmware_sim.truth.ledger import Truth

DRIVER = "ops243"
_PRODUCT = "OPS243 Doppler"
_VERSION = "1.3.0"

_UNITS = {
    "C": ("cm-per-sec", "cmps", 100 / 3.6),
    "F": ("feet-per-sec", "fps", 1 / 1.09728),
    "K": ("km-per-hr", "kmph", 1.0),
    "M": ("m-per-sec", "mps", 1 / 3.6),
    "S": ("miles-per-hr", "mph", 1 / 1.609344),
}
"""Command letter: the name in the answer, the name in a report, the factor from km/h."""

_NUMERIC = rb"(?:R[><]|M[><]|N[><]|C=|\^/[+-]?|TM)"
_COMMAND = re.compile(
    rb"(?P<numeric>" + _NUMERIC + rb"\d+(?:\.\d+)?)[\r\n]|(?P<plain>@O|(?!TM)[A-Z?][A-Za-z0-9?!.+|-])"
)
_UNFINISHED = re.compile(rb"[A-Z?^@]|" + _NUMERIC + rb"[\d.]*|\^/")
_LONGEST_COMMAND = 16
_LATE = 0.5


@dataclass(frozen=True)
class Modes:
    """The settings as they are after ``AX``: metres per second, plain text, speeds only."""

    units: str = "M"
    json: bool = False
    magnitude: bool = False
    time: bool = False
    speed: bool = True
    with_units: bool = False
    objects: bool = False
    reports: int = 1
    decimals: int = 1
    low: float = 0.0
    high: float = 1000.0
    floor: float = 0.0
    direction: str = "|"


_FILTERS = {"R>": "low", "R<": "high", "M>": "floor"}
_SWITCHES = {"J": "json", "M": "magnitude", "T": "time", "S": "speed", "U": "with_units", "N": "objects"}


@dataclass
class Faults:
    """What may go wrong; set at any time."""

    longest_command: int | None = None
    """More bytes than this in one go are dropped unread."""
    numbers_as_text: bool = False
    """JSON numbers come as strings, as from firmware 1.2."""
    silent: bool = False
    """The radar hangs."""


class Ops243:
    """One radar over a street; see `parts.twin.SerialTwin`."""

    def __init__(self, name: str, truth: Truth, street: Street) -> None:
        self.name = name
        self.faults = Faults()
        self.modes = Modes()
        self.street = street
        self._saved = Modes()
        self._truth = truth
        self._received = b""
        self._powered = 0.0
        self._configured = False
        self._greeting: list[Frame] = []

    def receive(self, data: bytes, now: float) -> list[Frame]:
        """Obey the commands in ``data``; what is none is skipped."""
        longest = self.faults.longest_command
        if self.faults.silent or (longest is not None and len(data) > longest):
            return []
        rest = self._received + data
        answers: list[Frame] = []
        while rest:
            if found := _COMMAND.match(rest):
                answers += self._obey((found["numeric"] or found["plain"]).decode("ascii"), now)
                rest = rest[found.end() :]
            elif _UNFINISHED.fullmatch(rest) and len(rest) < _LONGEST_COMMAND:
                break
            else:
                rest = rest[1:]
        self._received = rest
        return answers

    def tick(self, now: float) -> list[Frame]:
        """Report what the street shows up to ``now``.

        What is more than half a second old (this machine stood still) passes unreported: said late, two vehicles
        would look like one.
        """
        frames, self._greeting = self._greeting, []
        for glimpse in self.street.seen_until(now):
            vehicle = glimpse.vehicle
            if self.faults.silent or now - glimpse.at > _LATE:
                vehicle.spoiled = True
            elif line := self._report(glimpse.speed, glimpse.magnitude, glimpse.at):
                vehicle.spoiled |= not self._configured
                vehicle.printed += 1
                frames.append(Frame(line, partial(self._heard, vehicle, self._in_kmh(line_speed(line)))))
                if glimpse.last and self.modes.objects:
                    frames.append(self._object(vehicle))
            if glimpse.last:
                vehicle.over = True
                self._settle(vehicle)
        return frames

    def due(self) -> float:
        """Return the time of the next report."""
        return 0.0 if self._greeting else self.street.next_glimpse()

    def power_cycle(self, now: float) -> None:
        """Forget unsaved settings and restart the clock; vehicles in view are lost."""
        for vehicle in self.street.clear(now):
            vehicle.spoiled = vehicle.over = True
            self._settle(vehicle)
        self.modes, self._received, self._powered, self._configured = self._saved, b"", now, self._saved != Modes()
        self._greeting = [Frame(b"OmniPreSense OPS243-A Doppler Radar\r\n"), *self._about()]

    def stop(self) -> None:
        """Let no further vehicle come; those in view drive on."""
        self.street.close()

    def quiet(self) -> bool:
        """Tell whether the street is empty."""
        return self.street.empty()

    def _obey(self, command: str, now: float) -> list[Frame]:
        head, tail = command[0], command[1:]
        if head == "?" or tail == "?":
            return self._tell(command, now)
        for vehicle in self.street.in_view():
            vehicle.spoiled = True  # half of it in the old settings, half in the new ones
        if head == "A":
            return self._keep(tail)
        changes, answer = _setting(head, tail)
        self._configured |= head == "U"
        self.modes = replace(self.modes, **changes)
        return [_say(**answer)]

    def _keep(self, what: str) -> list[Frame]:
        """Save the settings (``!``), read the saved ones (``.``) or those of the factory (``X``)."""
        if what == "!":
            self._saved = self.modes
        elif what in {".", "X"}:
            self.modes = self._saved if what == "." else Modes()
        return [_say(Settings={"!": "saved", ".": "read", "X": "factory"}.get(what, what))]

    def _tell(self, command: str, now: float) -> list[Frame]:
        if command == "??":
            return self._about()
        answer: dict[str, dict[str, str | float]] = {
            "?P": {"Product": _PRODUCT},
            "?V": {"Version": _VERSION},
            "?B": {"Build": "20200205"},
            "U?": {"Units": _UNITS[self.modes.units][0]},
            "C?": {"Clock": round(now - self._powered, 3)},
        }
        return [_say(**answer[command])] if command in answer else []

    def _about(self) -> list[Frame]:
        return [
            _say(Product=_PRODUCT),
            _say(Version=_VERSION),
            Frame(b'{"SamplingRate":10000, "resolution":0.0607}\r\n'),
            _say(Units=_UNITS[self.modes.units][0]),
            _say(PowerMode="Continuous"),
        ]

    def _report(self, kmh: float, magnitude: int, at: float) -> bytes:
        """Return the line for one glimpse; b"" when the settings keep it back."""
        modes = self.modes
        speed = round(kmh * _UNITS[modes.units][2], modes.decimals)
        wrong_way = (speed > 0 and modes.direction == "-") or (speed < 0 and modes.direction == "+")
        if wrong_way or not modes.low <= abs(speed) <= modes.high or magnitude < modes.floor or not modes.speed:
            return b""
        values: dict[str, str] = {}
        if modes.with_units:
            values["unit"] = f'"{_UNITS[modes.units][1]}"'
        if modes.time:
            values["time"] = f"{at - self._powered:.3f}"
        if modes.magnitude:
            values["magnitude"] = str(magnitude)
        values["speed"] = f"{speed:.{modes.decimals}f}"
        if not modes.json:
            return ",".join(values.values()).encode() + b"\r\n"
        for name in values.keys() - {"unit"}:
            if self.faults.numbers_as_text:
                values[name] = f'"{values[name]}"'
            if modes.reports > 1 and name != "time":
                values[name] = f"[{values[name]}]"
        return ("{" + ",".join(f'"{name}":{text}' for name, text in values.items()) + "}\r\n").encode()

    def _object(self, vehicle: Pass) -> Frame:
        speed = round(vehicle.fastest * _UNITS[self.modes.units][2])
        return Frame(f'{{"DetectedObjectVelocity":"{speed}"}}\r\n'.encode())

    def _in_kmh(self, speed: float) -> float:
        return abs(speed) / _UNITS[self.modes.units][2]

    def _heard(self, vehicle: Pass, kmh: float, arrived: bool | None) -> None:
        vehicle.settled += 1
        if arrived is False:
            vehicle.spoiled = True
        else:
            vehicle.spoiled |= arrived is None
            vehicle.peak = max(vehicle.peak, kmh)
        self._settle(vehicle)

    def _settle(self, vehicle: Pass) -> None:
        """Enter the vehicle once its passage is over and the fate of each of its lines is known."""
        if vehicle.over and vehicle.settled == vehicle.printed and vehicle.peak and vehicle.direction:
            tags, fields = {"direction": vehicle.direction}, {"peak_speed": vehicle.peak}
            self._truth.record(self.name, "traffic", fields, tags=tags, certain=not vehicle.spoiled)


def line_speed(line: bytes) -> float:
    """Return the speed that a report line states, in the units of the line: what was said, not what was meant."""
    numbers: list[bytes] = re.findall(rb"-?\d+(?:\.\d+)?", line)
    return float(numbers[-1])


def _setting(head: str, tail: str) -> tuple[dict[str, Any], dict[str, str | float]]:  # noqa: PLR0911 -- a line a command
    """Return what a command changes in `Modes`, and what is answered to it."""
    match head:
        case "U" if tail in _UNITS:
            return {"units": tail}, {"Units": _UNITS[tail][0]}
        case "O" if tail.upper() in _SWITCHES:
            return {_SWITCHES[tail.upper()]: tail.isupper()}, {"OutputFeature": tail}
        case "O" if tail.isdigit():
            return {"reports": int(tail)}, {"OutputFeature": tail}
        case "F" if tail.isdigit():
            return {"decimals": min(int(tail), 5)}, {"Decimals": int(tail)}
        case "R" if tail in {"+", "-", "|"}:
            return {"direction": tail}, {"DirectionFilter": tail}
        case "R" | "M" if name := _FILTERS.get(head + tail[0]):
            return {name: float(tail[1:])}, {"Filter": head + tail}
    return {}, {"Accepted": head + tail}


def _say(**answer: str | float) -> Frame:
    return Frame(json.dumps(answer, separators=(",", ":")).encode() + b"\r\n")


def on_a_busy_street(name: str, truth: Truth, seed: str) -> Ops243:
    """Put one over a street with a vehicle of each direction every three or four seconds."""
    return Ops243(name, truth, Street(seed, headway=1.0))


TWIN = on_a_busy_street
