"""Configured Modbus registers: the place and the meaning of a value, and counters.

`drivers.modbus` explains the options.
"""

import math
import struct
from difflib import get_close_matches
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from drivers.common.modbus_rtu import COILS, HOLDING, INPUT, INPUTS
from drivers.modbus.numbers import LAYOUTS, LONG_NAMES, Order, Type, never_measured, read
from gateway.contract import FieldValue, Options

Table = Literal["coil", "discrete", "holding", "input"]
FUNCTIONS: dict[Table, int] = {"coil": COILS, "discrete": INPUTS, "holding": HOLDING, "input": INPUT}


class Register(Options):
    """Where one field comes from; see `drivers.modbus`."""

    field: str
    table: Table = "holding"
    at: int = Field(ge=0, le=0xFFFF)
    type: Type = "uint16"
    length: int | None = Field(default=None, ge=1, le=125)
    order: Annotated[Order, BeforeValidator(lambda order: LONG_NAMES.get(order, order))] = "ABCD"
    low_word_first: bool = False
    bit: int | None = Field(default=None, ge=0, le=15)
    scale: float = 1.0
    offset: float = 0.0
    missing: Annotated[tuple[float, ...], BeforeValidator(lambda one: one if isinstance(one, list) else [one])] = ()
    counter: bool = False
    highest: int | None = Field(default=None, gt=0)
    most: int | None = Field(default=None, gt=0)
    tags: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _makes_sense(self) -> "Register":
        _check_field(self)
        if self.counter and (self.bits or self.bit is not None or not self.type.startswith("uint")):
            raise ValueError('a counter is a "uint16", a "uint32" or a "uint64"')
        if not self.counter and (self.highest is not None or self.most is not None):
            raise ValueError("highest and most belong to a counter")
        if self.bit is not None and (self.bits or self.type != "uint16"):
            raise ValueError('a bit is one of a "uint16"')
        if self.low_word_first and self.order not in ("ABCD", "CDAB"):
            raise ValueError(f'low_word_first is order = "CDAB", and order is {self.order!r}: choose one')
        return self

    @property
    def bits(self) -> bool:
        """Whether its table holds single bits."""
        return self.table in ("coil", "discrete")

    @property
    def size(self) -> int:
        """How many registers it takes, or bits."""
        if self.bits:
            return 1
        return self.length or struct.calcsize(LAYOUTS[self.type]) // 2

    def raw(self, data: bytes, first: int) -> float | str:
        """Return what an answer that begins with the register, or bit, ``first`` says, before it is scaled."""
        place = self.at - first
        if self.bits:
            return data[place // 8] >> place % 8 & 1
        words = data[2 * place : 2 * (place + self.size)]
        number = read(words, self.type, self._order)
        return number if self.bit is None or isinstance(number, str) else int(number) >> self.bit & 1

    def means_nothing(self, raw: float | str) -> bool:
        """Tell whether this is what the device shows instead of a value; negative numbers may be named unsigned."""
        if isinstance(raw, str):
            return not raw
        return raw in self.missing or (raw < 0 and raw + 2 ** (16 * self.size) in self.missing)

    def implausible(self, raw: float | str) -> str:
        """Say so where a number cannot be one that was measured; "" where it can."""
        if isinstance(raw, str) or not self.type.startswith("float"):
            return ""
        return never_measured(raw, self.type, self._order)

    def value(self, raw: float | str) -> FieldValue | None:
        """Return the field's value; None for what is no number, or too great for a database."""
        if isinstance(raw, str):
            return raw
        scaled = raw if (self.scale, self.offset) == (1.0, 0.0) else round(raw * self.scale + self.offset, 9)
        if not math.isfinite(scaled):
            return None
        kind = self.vocabulary[self.field].type
        if kind == "int":
            return whole if -(2**63) <= (whole := round(scaled)) < 2**63 else None
        return bool(scaled) if kind == "bool" else float(scaled)

    @property
    def _order(self) -> Order:
        return "CDAB" if self.low_word_first else self.order


def _check_field(register: Register) -> None:
    """Look whether there is such a field, and whether it holds what the register does."""
    text = register.type == "string"
    if text is (register.length is None):
        raise ValueError('"string" needs its length in registers' if text else 'length belongs to type = "string"')
    if text and register.bits:
        raise ValueError("coils and discrete inputs are single bits")
    known = register.vocabulary.get(register.field)
    if known is not None and (known.type == "str") is text:
        return
    names = [one.name for one in register.vocabulary.values() if (one.type == "str") is text]
    near = get_close_matches(register.field, names, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    if text:
        raise ValueError(f"no text is called {register.field!r}" + (hint or "; there are " + ", ".join(names)))
    raise ValueError(f"no number and no yes or no is called {register.field!r}{hint}")


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
