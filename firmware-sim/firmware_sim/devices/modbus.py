"""Twin of the LD120 loop detector (PROCON, PCE), which counts vehicles, on a serial line (9600 8N1), over Modbus RTU.

Source: LD120 manual, pages 9 and 10. Its id is 1 to 127, 254 as delivered; at most 8 registers a question. On the
line registers are numbered from 0, in the manual from 1, with the table as first digit::

    10001  fault   10002  vehicle over the loop   10005  loop open   10006  loop shorted
    30001  type, 34                    30002  bits: 0 fault, 1 vehicle, 4 open, 5 shorted
    40010  count, high word            40011  low word

Here the count starts anew at 0 after a power cut, and again after ``highest``.
"""

from functools import partial
from random import Random

from firmware_sim.parts.modbus import (
    ILLEGAL_FUNCTION,
    ILLEGAL_REGISTER,
    ILLEGAL_VALUE,
    Answer,
    Question,
    Slave,
    words,
)
from firmware_sim.parts.twin import Frame
from firmware_sim.truth.ledger import Truth

DRIVER = "modbus"
ADDRESS = 254
SOURCE = {
    "interval": "5s",
    "options": {
        "address": ADDRESS,
        "kind": "traffic",
        "registers": [
            {"field": "intensity", "at": 9, "type": "uint32", "counter": True},
            {"field": "device_error", "table": "input", "at": 1},
        ],
    },
}

_MOST = 8
_VEHICLE, _OPEN = 2, 16
_DISCRETE = {0: 1, 1: 2, 4: 16, 5: 32}
"""Discrete input: its bit in the register 30002."""


class LD120:
    """One detector; see `parts.twin.SerialTwin`.

    Its ledger holds the vehicles between the first answer and the last that were heard, each by itself.
    """

    def __init__(self, name: str, truth: Truth, seed: str, address: int = ADDRESS, count: int = 0) -> None:
        self.name = name
        self.open = False
        """The loop is broken: nothing is counted."""
        self.count = count
        self.highest = 2**32 - 1
        self._slave = Slave({address}, self._asked, seed)
        self.faults = self._slave.wire.faults
        self._truth = truth
        self._random = Random(f"{seed}/street")
        self._next = self._random.uniform(1, 10)
        self._passed = 0
        self._told: int | None = None
        """How many of these the host knows of; None until it was told for the first time."""
        self._over = 0.0
        self._stopped = False

    def receive(self, data: bytes, now: float) -> list[Frame]:
        """Answer questions."""
        return self._slave.receive(data, now)

    def tick(self, now: float) -> list[Frame]:
        """Let vehicles pass; it says nothing by itself."""
        while self._next <= now:
            if not self.open and not self._stopped:
                self.count = 0 if self.count == self.highest else self.count + 1
                self._passed += 1
                self._over = self._next + 0.7
            self._next += self._random.uniform(1, 10)
        return []

    def due(self) -> float:
        """Return when the next vehicle comes."""
        return self._next

    def power_cycle(self, now: float) -> None:
        """Count from 0; what was not said is lost."""
        self.tick(now)
        self._slave.forget()
        self.count = 0
        self._told = None if self._told is None else self._passed

    def stop(self) -> None:
        """Count no more."""
        self._stopped = True

    def quiet(self) -> bool:
        """Tell whether all that were counted have been asked for."""
        return self._stopped and self._told in (None, self._passed)

    def _asked(self, question: Question, now: float) -> Answer | int:
        self.tick(now)
        bits = (_OPEN | 1 if self.open else 0) | (_VEHICLE if now < self._over else 0)
        if question.function == 2:
            if not 0 < question.number <= _MOST:
                return ILLEGAL_VALUE
            wanted = range(question.register, question.register + question.number)
            states = [bool(bits & _DISCRETE.get(place, 0)) for place in wanted]
            return Answer(bytes((sum(state << at for at, state in enumerate(states)),)))
        tables = {3: {9: self.count >> 16, 10: self.count & 0xFFFF}, 4: {0: 34, 1: bits}}
        if question.function not in tables:
            return ILLEGAL_FUNCTION
        if not 0 < question.number <= _MOST:
            return ILLEGAL_VALUE
        table, places = tables[question.function], range(question.register, question.register + question.number)
        if any(place not in table for place in places):
            return ILLEGAL_REGISTER
        heard = partial(self._heard, self._passed) if question.function == 3 else None
        return Answer(words(*(table[place] for place in places)), heard)

    def _heard(self, passed: int, arrived: bool | None) -> None:
        if not arrived:
            return  # the next answer covers them
        told = passed if self._told is None else self._told
        for _ in range(passed - told):
            self._truth.record(self.name, "traffic", {"peak_speed": 0.0})
        self._told = max(told, passed)


TWIN = LD120
