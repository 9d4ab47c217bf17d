"""Registers that are asked for together."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from drivers.common.modbus_rtu import COILS, INPUTS, Answer
from drivers.modbus.registers import FUNCTIONS, Register


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

    @property
    def name(self) -> str:
        """What is asked for, in words."""
        table = {"coil": "coil", "discrete": "discrete input"}.get(self.registers[0].table)
        what = table or f"{self.registers[0].table} register"
        return (
            f"{what} {self.first}" if self.number == 1 else f"{what}s {self.first} to {self.first + self.number - 1}"
        )

    def answered_by(self, answer: Answer) -> bool:
        """Tell whether it has the form that an answer to this block has."""
        return (answer.function, len(answer.data)) == (self.function, self.size)


def blocks(registers: Iterable[Register], longest: int, gap: int = 0) -> Iterator[Block]:
    """Join what lies side by side, or at most ``gap`` registers apart, into blocks of up to ``longest`` registers."""
    waiting = sorted(registers, key=lambda one: (FUNCTIONS[one.table], one.at))
    while waiting:
        first = waiting[0]
        end = first.at + first.size
        together = [first]
        for one in waiting[1:]:
            last = max(end, one.at + one.size)
            if one.table != first.table or one.at > end + gap or last - first.at > longest:
                break
            together.append(one)
            end = last
        del waiting[: len(together)]
        yield Block(FUNCTIONS[first.table], first.at, end - first.at, tuple(together))
