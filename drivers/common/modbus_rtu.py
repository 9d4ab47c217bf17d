"""Modbus RTU, the master's side: questions, and the answers among whatever else is on the line.

Numbers are big endian, the CRC (polynomial A001, from FFFF) low byte first; functions are 1 coils, 2 inputs,
3 holding registers, 4 input registers, 6 write one holding register::

    question   aa ff rr rr nn nn cc cc      a address, f function, r first register, n how many (or what to write)
    answer     aa ff bb dd .. dd cc cc      b bytes of data d
    written    aa 06 rr rr vv vv cc cc      the question again
    refusal    aa ff ee cc cc               f with its high bit set; e as in `REFUSALS`

    FE 04 00 03 00 01 D5 C5                 to any sensor: input register 3, one of them
    FE 04 02 01 90 AC D8                    it holds 0190 = 400

An answer does not say which register it is from: only address, function and size tell. So a driver asks for sizes
that differ where it can, and what comes from another address, or in a size that is never asked for, belongs to no
frame. What is left of an answer when the next question goes out will never be whole: it is noise by then.

Sources: MODBUS Application Protocol Specification V1.1b3; MODBUS over Serial Line Specification V1.02.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from drivers.common.framing import Frames
from gateway.contract import Reject

COILS, INPUTS, HOLDING, INPUT, WRITE = 1, 2, 3, 4, 6
REFUSED = 0x80
SHORTEST = 5
REFUSALS = {
    1: "it has no such function: is it another table?",
    2: "it has no such register, or not so many from there on",
    3: "it does not take this number of registers, or this value",
    4: "it has failed",
    5: "it needs longer, and works on it",
    6: "it is busy",
    8: "its memory is damaged",
    10: "the gateway before it has no way to it",
    11: "the gateway before it got no answer from it",
}
"""Exception codes, in words."""


class Answer(NamedTuple):
    """One sound answer; ``data`` is what was asked for, or register and value that were written."""

    function: int
    data: bytes
    frame: bytes

    def word(self, index: int) -> int:
        """Return the register ``index`` of the answer, unsigned."""
        return int.from_bytes(self.data[2 * index : 2 * index + 2], "big")


def _table() -> list[int]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0xA001 if byte & 1 else 0)  # noqa: PLW2901 -- the byte is what is divided
        table.append(byte)
    return table


_TABLE = _table()


def crc(data: bytes) -> bytes:
    """Return the two bytes that check ``data``."""
    register = 0xFFFF
    for byte in data:
        register = register >> 8 ^ _TABLE[(register ^ byte) & 0xFF]
    return register.to_bytes(2, "little")


def with_crc(body: bytes) -> bytes:
    """Return ``body`` as it goes over the line."""
    return body + crc(body)


def words(*values: int) -> bytes:
    """Return unsigned numbers of two bytes each."""
    return b"".join(value.to_bytes(2, "big") for value in values)


def question(address: int, function: int, register: int, number: int) -> bytes:
    """Return the question for ``number`` registers from ``register`` on, or, with `WRITE`, the order to write it."""
    return with_crc(bytes((address, function)) + words(register, number))


def parse(frame: bytes) -> Answer | Reject:
    """Parse one whole frame; a refusal becomes a `Reject` with its reason."""
    if len(frame) < SHORTEST:
        return Reject("length", frame, f"{len(frame)} bytes")
    if crc(frame[:-2]) != frame[-2:]:
        return Reject("checksum", frame, f"CRC {crc(frame[:-2]).hex(' ').upper()}")
    function = frame[1]
    if function & REFUSED:
        why = REFUSALS.get(frame[2], "for its own reason")
        return Reject("unsupported", frame, f"function {function & ~REFUSED} refused with {frame[2]}: {why}")
    return Answer(function, frame[2:-2] if function == WRITE else frame[3:-2], frame)


class Exchange:
    """The answers of one address; ``sizes`` are function -> the sizes in which data may come, in bytes."""

    def __init__(self, address: int, sizes: Mapping[int, Collection[int]]) -> None:
        self._sizes = sizes
        headers = tuple(bytes((address, function | high)) for function in sizes for high in (0, REFUSED))
        self._frames: Frames[Answer] = Frames(headers, longest(sizes), self._length, parse)
        self._unfinished: list[Answer | Reject] = []

    def asking(self, question: bytes) -> bytes:
        """Return the question; an unfinished answer to the last one is given up."""
        self._unfinished += self._frames.finish()
        return question

    def feed(self, data: bytes) -> Iterator[Answer | Reject]:
        """Take the next bytes; yield what is complete, in the order of the stream."""
        unfinished, self._unfinished = self._unfinished, []
        yield from unfinished
        yield from self._frames.feed(data)

    def finish(self) -> Iterator[Reject]:
        """Yield what is left when no more bytes will come."""
        return (found for found in [*self._unfinished, *self._frames.finish()] if isinstance(found, Reject))

    def _length(self, head: bytes) -> int:
        if len(head) < 3:
            return 0
        function, size = head[1], head[2]
        if function & REFUSED:
            return 5
        if function == WRITE:
            return 8
        return 5 + size if size in self._sizes[function] else -1


def longest(sizes: Mapping[int, Collection[int]]) -> int:
    """Return the bytes of the longest frame that may come."""
    return max(8, *(5 + size for of_function in sizes.values() for size in of_function))
