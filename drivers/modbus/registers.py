"""Configured Modbus registers: the place and the meaning of a value, counters, and blocks to ask for.

`drivers.modbus` explains the options.
"""

import math
import struct
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Literal, NamedTuple

from pydantic import Field, model_validator

from drivers.common.modbus_rtu import COILS, HOLDING, INPUT, INPUTS, Answer
from gateway.contract import FieldValue, Options

Table = Literal["coil", "discrete", "holding", "input"]
FUNCTIONS: dict[Table, int] = {"coil": COILS, "discrete": INPUTS, "holding": HOLDING, "input": INPUT}
LAYOUTS = {"uint16": ">H", "int16": ">h", "uint32": ">I", "int32": ">i", "float32": ">f"}


class Register(Options):
    """Where one field comes from; see `drivers.modbus`."""

    field: str
    table: Table = "holding"
    at: int = Field(ge=0, le=0xFFFF)
    type: Literal["uint16", "int16", "uint32", "int32", "float32"] = "uint16"
    low_word_first: bool = False
    bit: int | None = Field(default=None, ge=0, le=15)
    scale: float = 1.0
    offset: float = 0.0
    counter: bool = False
    highest: int | None = Field(default=None, gt=0)
    most: int | None = Field(default=None, gt=0)
    tags: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _makes_sense(self) -> "Register":
        known = self.vocabulary.get(self.field)
        if known is None or known.type == "str":
            near = get_close_matches(
                self.field, [one.name for one in self.vocabulary.values() if one.type != "str"], n=1
            )
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"no number and no yes or no is called {self.field!r}{hint}")
        if self.counter and (self.bits or self.bit is not None or not self.type.startswith("uint")):
            raise ValueError('a counter is a "uint16" or a "uint32"')
        if not self.counter and (self.highest is not None or self.most is not None):
            raise ValueError("highest and most belong to a counter")
        if self.bit is not None and (self.bits or self.type != "uint16"):
            raise ValueError('a bit is one of a "uint16"')
        return self

    @property
    def bits(self) -> bool:
        """Whether its table holds single bits."""
        return self.table in ("coil", "discrete")

    @property
    def size(self) -> int:
        """How many registers it takes, or bits."""
        return 1 if self.bits else struct.calcsize(LAYOUTS[self.type]) // 2

    def raw(self, data: bytes, first: int) -> float:
        """Return the number from the data of an answer that begins with the register, or bit, ``first``."""
        place = self.at - first
        if self.bits:
            return data[place // 8] >> place % 8 & 1
        words = data[2 * place : 2 * (place + self.size)]
        if self.low_word_first:
            words = words[2:] + words[:2]
        (number,) = struct.unpack(LAYOUTS[self.type], words)
        return float(number if self.bit is None else number >> self.bit & 1)

    def value(self, raw: float) -> FieldValue | None:
        """Return the field's value; None for what is no number."""
        scaled = raw if (self.scale, self.offset) == (1.0, 0.0) else round(raw * self.scale + self.offset, 9)
        if not math.isfinite(scaled):
            return None
        kind = self.vocabulary[self.field].type
        return bool(scaled) if kind == "bool" else round(scaled) if kind == "int" else float(scaled)


class Counter:
    """Turns the values of a counter into increments."""

    def __init__(self, register: Register) -> None:
        highest = 2 ** (16 * register.size) - 1 if register.highest is None else register.highest
        self._modulus = highest + 1
        self._most = self._modulus // 2 if register.most is None else register.most
        self._last: tuple[int, int] | None = None

    def step(self, shown: int, now: int) -> tuple[int | None, float, bool]:
        """Return the count (None where it cannot be told), over how many seconds, and whether it began anew.

        Beyond the highest value a counter begins at 0. Where that would mean more than ``most``, it was set to 0
        in between, and what it shows is what it counted at least.
        """
        last, self._last = self._last, (shown, now)
        if last is None:
            return None, 0.0, False
        seconds = (now - last[1]) / 1e9
        counted = (shown - last[0]) % self._modulus
        if counted <= self._most:
            return counted, seconds, False
        return (shown if shown <= self._most else None), seconds, True


class Block(NamedTuple):
    """Registers that are asked for together."""

    function: int
    first: int
    number: int
    registers: tuple[Register, ...]

    @property
    def size(self) -> int:
        """The bytes of data in the answer."""
        return (self.number + 7) // 8 if self.function in (COILS, INPUTS) else 2 * self.number

    def answered_by(self, answer: Answer) -> bool:
        """Tell whether it has the form that an answer to this block has."""
        return (answer.function, len(answer.data)) == (self.function, self.size)


def blocks(registers: Iterable[Register], longest: int) -> Iterator[Block]:
    """Join what lies side by side into blocks of up to ``longest`` registers."""
    waiting = sorted(registers, key=lambda one: (FUNCTIONS[one.table], one.at))
    while waiting:
        first = waiting[0]
        end = first.at + first.size
        together = [first]
        for one in waiting[1:]:
            last = max(end, one.at + one.size)
            if one.table != first.table or one.at > end or last - first.at > longest:
                break
            together.append(one)
            end = last
        del waiting[: len(together)]
        yield Block(FUNCTIONS[first.table], first.at, end - first.at, tuple(together))
