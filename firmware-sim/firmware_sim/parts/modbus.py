"""A device that answers Modbus RTU questions: the line side that the Modbus twins share.

Source: MODBUS Application Protocol Specification V1.1b3; MODBUS over Serial Line V1.02. Numbers are big endian, the
CRC low byte first::

    question   address function register(2) count(2)  crc(2)      1 coils, 2 inputs, 3 holding, 4 input registers
    answer     address function bytes       data ..   crc(2)
    write      address 06       register(2) value(2)  crc(2)      answered by its own echo
    refusal    address function+80h code    crc(2)                1 function, 2 register, 3 value or count

SenseAir adds function 44h, which reads memory: ``address 44 place(2) bytes crc(2)``.
"""

from collections.abc import Callable, Collection
from typing import NamedTuple

from firmware_sim.parts.twin import NEVER, Frame, Heard
from firmware_sim.parts.wire_faults import Wire

ILLEGAL_FUNCTION, ILLEGAL_REGISTER, ILLEGAL_VALUE = 1, 2, 3
WRITE = 6
READ_MEMORY = 0x44

_FUNCTIONS = {1: 8, 2: 8, 3: 8, 4: 8, 5: 8, WRITE: 8, READ_MEMORY: 7}
"""Function: bytes of the whole question."""


def crc(data: bytes) -> bytes:
    """Return the check of ``data``, as it goes over the line."""
    register = 0xFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (0xA001 if register & 1 else 0)
    return register.to_bytes(2, "little")


def with_crc(body: bytes) -> bytes:
    """Return ``body`` and its check."""
    return body + crc(body)


def words(*values: int) -> bytes:
    """Return register values as data; negative ones in two's complement."""
    return b"".join((value & 0xFFFF).to_bytes(2, "big") for value in values)


class Question(NamedTuple):
    """What the host asks; ``number`` is a count, or the value to be written."""

    address: int
    function: int
    register: int
    number: int


class Answer(NamedTuple):
    """The data, and what is entered in the ledger when it arrived."""

    data: bytes
    heard: Heard | None = None


Device = Callable[[Question, float], Answer | int]
"""Answers a question at a time in seconds, or refuses it with a code; a write is answered with any `Answer`."""


class Slave:
    """The line side of a device that speaks only when asked; see `parts.twin.SerialTwin`."""

    def __init__(self, addresses: Collection[int], device: Device, seed: str) -> None:
        self.wire = Wire(seed)
        self.addresses = addresses
        self._device = device
        self._received = bytearray()

    def receive(self, data: bytes, now: float) -> list[Frame]:
        """Answer the questions in ``data``; skip a byte at a time over what is none."""
        if self.wire.faults.silent:
            return []
        buffer = self._received
        buffer += data
        answers: list[Frame] = []
        while len(buffer) >= 2:
            size = _FUNCTIONS.get(buffer[1], 0) if buffer[0] in self.addresses else 0
            if size > len(buffer):
                return answers
            question = bytes(buffer[:size])
            if size and crc(question[:-2]) == question[-2:]:
                answers += self._answer(question, now)
                del buffer[:size]
            else:
                del buffer[0]
        return answers

    def due(self) -> float:
        """Return that it says nothing by itself."""
        return NEVER

    def forget(self) -> None:
        """Lose what was received in part, as at a power cut."""
        self._received.clear()

    def _answer(self, frame: bytes, now: float) -> list[Frame]:
        question = Question(frame[0], frame[1], int.from_bytes(frame[2:4], "big"), int.from_bytes(frame[4:-2], "big"))
        answer = self._device(question, now)
        if isinstance(answer, int):
            return self.wire.send(with_crc(bytes((question.address, question.function | 0x80, answer))))
        if question.function == WRITE:
            return self.wire.send(frame, answer.heard)
        head = bytes((question.address, question.function, len(answer.data)))
        return self.wire.send(with_crc(head + answer.data), answer.heard)
