"""Twin of the Benewake TFmini Plus, TFmini-S and TF-Luna, laser distance meters on a serial line (115200 8N1).

Source: Benewake TFmini Plus manual A04. A hundred times a second, little endian::

    59 59 dist(2) strength(2) temp(2) sum       cm; temp / 8 - 256 degC; sum of the eight bytes before it
    x.xx<CR><LF>                                instead, in metres, after the host chose the Pixhawk format

The host says ``5A length id .. sum`` and is answered alike: 01 version, 03 rate (0 waits for 04), 04 measure now,
05 format (1 cm, 2 Pixhawk, 6 mm), 07 output on or off, 11 save. What was not saved is lost with the power.
A weak echo has a strength below 100 and the distance 0.
"""

from random import Random

from firmware_sim.parts.ranging import Ranger
from firmware_sim.parts.twin import Frame
from firmware_sim.truth.ledger import Truth

DRIVER = "tfmini"
SOURCE = {"options": {"interval": "0s"}}

VERSION, RATE, MEASURE, FORMAT, OUTPUT, SAVE = 1, 3, 4, 5, 7, 0x11
CENTIMETRES, PIXHAWK, MILLIMETRES = 1, 2, 6
FIRMWARE = bytes((6, 0, 2))  # 2.0.6, the lowest part first


def with_sum(body: bytes) -> bytes:
    """Return ``body`` and its sum."""
    return body + bytes((sum(body) & 0xFF,))


class Tfmini(Ranger):
    """One sensor; see `parts.twin.SerialTwin`."""

    def __init__(self, name: str, truth: Truth, seed: str) -> None:
        super().__init__(name, truth, seed, 0.01, self._reading)
        self.step = 10
        self.format = CENTIMETRES
        self.enabled = True
        self.degrees = 30.0
        self._strength = Random(f"{seed}/strength")
        self._saved = (self.format, self.enabled, self.period)
        self._received = bytearray()

    def receive(self, data: bytes, now: float) -> list[Frame]:
        """Obey the commands in ``data``; skip a byte at a time over what is none."""
        if self.faults.silent:
            return []
        buffer = self._received
        buffer += data
        said: list[Frame] = []
        while (start := buffer.find(b"\x5a")) >= 0:
            del buffer[:start]
            if len(buffer) < 2 or (4 <= buffer[1] <= 8 and len(buffer) < buffer[1]):
                return said
            command = bytes(buffer[: buffer[1]])
            if 4 <= len(command) <= 8 and with_sum(command[:-1]) == command:
                said += self._obey(command, now)
                del buffer[: len(command)]
            else:
                del buffer[0]
        buffer.clear()
        return said

    def due(self) -> float:
        """Return the time of the next measurement."""
        return super().due() if self.enabled else float("inf")

    def power_cycle(self, now: float) -> None:
        """Start anew, with what was saved."""
        self.format, self.enabled, self.period = self._saved
        self._received.clear()
        super().power_cycle(now)

    def save(self) -> None:
        """Keep the settings through a power cut."""
        self._saved = (self.format, self.enabled, self.period)

    def _obey(self, command: bytes, now: float) -> list[Frame]:
        code, data = command[2], command[3:-1]
        match code:
            case 1:
                return self.wire.send(with_sum(b"\x5a\x07\x01" + FIRMWARE))
            case 3 if len(data) == 2:
                hertz = int.from_bytes(data, "little")
                self.period = 1 / hertz if hertz else 0.0
                self._next = now + self.period
            case 4:
                return [] if self.period else self.measure()
            case 5 if len(data) == 1 and data[0] in (CENTIMETRES, PIXHAWK, MILLIMETRES):
                self.format = data[0]
                self.step = 1 if self.format == MILLIMETRES else 10
            case 7 if len(data) == 1:
                self.enabled = data[0] == 1
                self._next = max(self._next, now)
            case 0x11:
                self.save()
                return self.wire.send(with_sum(b"\x5a\x05\x11\x00"))
            case _:
                return []
        return self.wire.send(command)

    def _reading(self, millimetres: int | None) -> bytes:
        if self.format == PIXHAWK:
            return b"%.2f\r\n" % ((millimetres or 0) / 1000)
        strength = 40 if millimetres is None else self._strength.randint(800, 3000)
        values = ((millimetres or 0) // self.step, strength, round((self.degrees + 256) * 8))
        return with_sum(b"\x59\x59" + b"".join(value.to_bytes(2, "little") for value in values))


TWIN = Tfmini
