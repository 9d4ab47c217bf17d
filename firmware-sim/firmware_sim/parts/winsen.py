"""The nine-byte frames of Winsen modules (9600 8N1), as the module sees them: shared by the Winsen twins.

Source: Winsen manuals of MH-Z19B, ZE07, ZE08 and ZH03B. The last byte makes bytes 1 to 8 add up to 0 modulo 256::

    host    FF 01 cmd d d d d d sum
    module  FF cmd d d d d d d sum
"""

from collections.abc import Callable

from firmware_sim.parts.twin import Frame
from firmware_sim.parts.wire_faults import Wire

_LENGTH = 9

Obey = Callable[[int, bytes, float], list[Frame]]
"""Takes a command, its five bytes and the time; returns the answers."""


def with_sum(body: bytes) -> bytes:
    """Return the eight bytes from FF on, and the sum."""
    return body + bytes((-sum(body[1:]) & 0xFF,))


def said(command: int, *data: int) -> bytes:
    """Return a frame from the module; missing data are zeros."""
    return with_sum(bytes((0xFF, command, *data)).ljust(_LENGTH - 1, b"\0"))


class Port:
    """The line side of a module."""

    def __init__(self, obey: Obey, seed: str) -> None:
        self.wire = Wire(seed)
        self._obey = obey
        self._received = bytearray()

    def receive(self, data: bytes, now: float) -> list[Frame]:
        """Obey the commands in ``data``; skip a byte at a time over what is none."""
        if self.wire.faults.silent:
            return []
        buffer = self._received
        buffer += data
        answers: list[Frame] = []
        while (start := buffer.find(b"\xff")) >= 0:
            del buffer[:start]
            if len(buffer) < _LENGTH:
                return answers
            frame = bytes(buffer[:_LENGTH])
            if frame[1] == 1 and with_sum(frame[:-1]) == frame:
                answers += self._obey(frame[2], frame[3:8], now)
                del buffer[:_LENGTH]
            else:
                del buffer[0]
        buffer.clear()
        return answers

    def forget(self) -> None:
        """Lose what was received in part, as at a power cut."""
        self._received.clear()
