"""Twin of the Honeywell HPMA115S0 and HPMA115C0, laser sensors for dust on a serial line (9600 8N1).

Source: Honeywell HPM series datasheet 32322550, issue F. Words are big endian; a sum of its own for each direction::

    host    68 len cmd data sum                   sum: 65536 less the sum of all before it, low byte
    sensor  40 len cmd data sum                   an answer with data
    sensor  A5 A5, or 96 96                       done, or not done
    sensor  42 4D 00 1C, 13 words, sumh suml      by itself, once a second; sum of all before it

Both start measuring and reporting with their power, and say something 6 s later. Words of the S0: nothing, PM2.5,
PM10, nothing ..; of the C0: PM1, PM2.5, PM4, PM10, nothing ..; the last is 5100, as a real S0 sends it.
"""

from functools import partial
from random import Random
from typing import Literal

from firmware_sim.parts.twin import NEVER, Frame, Variant
from firmware_sim.parts.wire_faults import Walk, Wire
from firmware_sim.truth.ledger import Truth

DRIVER = "hpma115"
DONE, NOT_DONE = b"\xa5\xa5", b"\x96\x96"
START, STOP, READ, SET_COEFFICIENT, COEFFICIENT, AUTO_OFF, AUTO_ON = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40

_FIRST = 6.0
_NAMES = {"S0": ("pm25", "pm10"), "C0": ("pm1", "pm25", "pm4", "pm10")}


class Hpma115:
    """One sensor; see `parts.twin.SerialTwin`."""

    def __init__(self, name: str, truth: Truth, seed: str, model: Literal["S0", "C0"] = "S0") -> None:
        self.name = name
        self.model = model
        self.wire = Wire(seed)
        self.coefficient = 100
        """Per cent by which a customer has its values multiplied."""
        self.measuring = True
        self.auto = True
        self._dust = Walk(seed, 5, 300, 4)
        self._coarse = Random(f"{seed}/coarse")
        self._truth = truth
        self._received = bytearray()
        self._ready = self._next = _FIRST
        self._stopped = False

    def receive(self, data: bytes, now: float) -> list[Frame]:
        """Answer the commands in ``data``; skip a byte at a time over what is none."""
        if self.wire.faults.silent:
            return []
        buffer = self._received
        buffer += data
        answers: list[Frame] = []
        while (start := buffer.find(b"\x68")) >= 0:
            del buffer[:start]
            if len(buffer) < 2:
                return answers
            size = buffer[1] + 3
            if not 1 <= buffer[1] <= 2:
                del buffer[0]
            elif len(buffer) < size:
                return answers
            elif sum(buffer[:size]) & 0xFF == 0:
                answers += self._obey(buffer[2], bytes(buffer[3 : size - 1]), now)
                del buffer[:size]
            else:
                del buffer[0]
        buffer.clear()
        return answers

    def tick(self, now: float) -> list[Frame]:
        """Report once a second."""
        if now < self.due():
            return []
        self._next = max(self._next + 1.0, now)
        values = self._breathe()
        words = [0, *values] if self.model == "S0" else values
        content = b"".join(word.to_bytes(2, "big") for word in [*words, *[0] * (12 - len(words)), 0x5100])
        body = b"\x42\x4d\x00\x1c" + content
        return self.wire.send(body + sum(body).to_bytes(2, "big"), partial(self._heard, values))

    def due(self) -> float:
        """Return the time of the next report."""
        talks = self.measuring and self.auto and not self.wire.faults.silent and not self._stopped
        return max(self._next, self._ready) if talks else NEVER

    def power_cycle(self, now: float) -> None:
        """Start anew, measuring and reporting; the coefficient is kept."""
        self.measuring = self.auto = True
        self._received.clear()
        self._ready = now + _FIRST

    def stop(self) -> None:
        """Take no further reading."""
        self._stopped = True

    def quiet(self) -> bool:
        """Tell that it stopped; a reading takes no time."""
        return self._stopped

    def _obey(self, command: int, data: bytes, now: float) -> list[Frame]:
        done = True
        match command, len(data):
            case (0x01, 0):
                if not self.measuring:
                    self.measuring, self._ready = True, now + _FIRST
            case (0x02, 0):
                self.measuring = False
            case (0x04, 0) if self.measuring and now >= self._ready and not self._stopped:
                values = self._breathe()
                words = values if self.model == "S0" else [*values, 0, 0]
                data = b"".join(word.to_bytes(2, "big") for word in words)
                return self.wire.send(_answer(READ, data), partial(self._heard, values))
            case (0x08, 1) if 30 <= data[0] <= 200:
                self.coefficient = data[0]
            case (0x10, 0):
                return self.wire.send(_answer(COEFFICIENT, bytes((self.coefficient,))))
            case (0x20 | 0x40, 0):
                self.auto = command == AUTO_ON
                self._next = max(self._next, now)
            case _:
                done = False
        return self.wire.send(DONE if done else NOT_DONE)

    def _breathe(self) -> list[int]:
        pm25 = self._dust.sample()
        pm10 = pm25 + self._coarse.randint(1, 30)
        values = [pm25, pm10] if self.model == "S0" else [round(pm25 * 0.7), pm25, (pm25 + pm10) // 2, pm10]
        return [value * self.coefficient // 100 for value in values]

    def _heard(self, values: list[int], arrived: bool | None) -> None:
        if arrived is not False:
            fields = dict(zip(_NAMES[self.model], map(float, values), strict=True))
            self._truth.record(self.name, "air_quality", fields, certain=arrived is True)


def _answer(command: int, data: bytes) -> bytes:
    body = bytes((0x40, len(data) + 1, command)) + data
    return body + bytes((-sum(body) & 0xFF,))


TWIN = Hpma115
VARIANTS = {"hpma115c0": Variant(partial(Hpma115, model="C0"))}
