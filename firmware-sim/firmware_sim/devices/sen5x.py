"""Twin of the Sensirion SEN55 on a serial line (115200 8N1), asked by SHDLC.

Source: what was found on a SEN55 with firmware 2.0 (polluSensWeb's notes on SEN5x UART, September 2026), and the
SEN5x datasheet v2 for the values::

    host    7E stuffed(00 cmd len data sum) 7E              sum: the complement of the low byte of the sum before it
    sensor  7E stuffed(00 cmd state len data sum) 7E        stuffed: 7E, 7D, 11, 13 become 7D and themselves xor 20

Power brings it up idle. Within the first second after its start nothing is known (FFFF, 7FFF); the NOx index not for
ten. Variants without the gases, and without the climate, say the same of what they lack, always.
"""

from functools import partial
from random import Random
from struct import pack

from firmware_sim.parts.shdlc import check, framed, unstuffed
from firmware_sim.parts.twin import NEVER, Frame, Variant
from firmware_sim.parts.wire_faults import Wire
from firmware_sim.truth.ledger import Truth

DRIVER = "sen5x"
SERIAL = b"1F2A3B4C5D6E7F80\0"
VERSION = bytes((2, 0, 0, 4, 0, 1, 0))
NOT_ALLOWED = 0x43
NOX_AFTER = 10.0
_UNKNOWN, _UNKNOWN_SIGNED = 0xFFFF, 0x7FFF


class Sen5x:
    """One sensor; see `parts.twin.SerialTwin`. ``model`` is 50, 54 or 55."""

    def __init__(self, name: str, truth: Truth, seed: str, *, model: int = 55) -> None:
        self.name = name
        self.wire = Wire(seed)
        self.measuring = False
        self._model = model
        self._truth = truth
        self._air = Random(f"{seed}/air")
        self._dust = self._air.uniform(5, 25)
        self._received = bytearray()
        self._inside = False  # a frame has begun
        self._started = 0.0
        self._stopped = False

    def receive(self, data: bytes, now: float) -> list[Frame]:
        """Answer the commands in ``data``."""
        if self.wire.faults.silent:
            return []
        answers: list[Frame] = []
        for byte in data:
            if byte != 0x7E:
                self._received.append(byte)
                del self._received[600 if self._inside else 0 :]
            else:
                if whole := self._inside and bool(self._received):
                    answers += self._command(unstuffed(bytes(self._received)), now)
                self._inside = not whole
                self._received.clear()
        return answers

    def tick(self, _: float) -> list[Frame]:
        """Say nothing: it is asked."""
        return []

    def due(self) -> float:
        """Return that it says nothing by itself."""
        return NEVER

    def power_cycle(self, _: float) -> None:
        """Start anew, idle."""
        self.measuring = False
        self._received.clear()

    def stop(self) -> None:
        """Take no further reading."""
        self._stopped = True

    def quiet(self) -> bool:
        """Tell that it stopped; a reading takes no time."""
        return self._stopped

    def _command(self, body: bytes, now: float) -> list[Frame]:
        if len(body) < 4 or body[0] != 0 or body[2] != len(body) - 4 or check(body[:-1]) != body[-1]:
            return []
        command, data = body[1], body[3:-1]
        state, answer, fields = self._answer(command, data, now)
        reply = bytes((0, command, state, len(answer))) + answer
        heard = partial(self._heard, fields) if fields else None
        return self.wire.send(framed(reply), heard)

    def _answer(self, command: int, data: bytes, now: float) -> tuple[int, bytes, dict[str, float]]:
        wanted = {0x00: b"\x02", 0x01: b"", 0x03: b"\x0c", 0xD0: b"\x03", 0xD1: b""}
        fields: dict[str, float] = {}
        state, said = 0, b""
        if command not in wanted:
            state = 2
        elif data != wanted[command]:
            state = 4 if len(data) == len(wanted[command]) else 1
        elif (command == 0x00) == self.measuring and command < 0xD0:
            state = NOT_ALLOWED
        elif command == 0x00:
            self.measuring, self._started = True, now
        elif command == 0x01:
            self.measuring = False
        elif command == 0x03:
            said, fields = self._read(now)
        else:
            said = SERIAL if command == 0xD0 else VERSION
        return state, said, fields

    def _read(self, now: float) -> tuple[bytes, dict[str, float]]:
        words = [_UNKNOWN] * 4 + [_UNKNOWN_SIGNED] * 4
        if self._stopped or now - self._started < 1.0:
            return pack(">8H", *words), {}
        air = self._air
        self._dust = min(300.0, max(0.5, self._dust + air.gauss(0.02 * (12 - self._dust), 0.4)))
        words[:4] = (round(self._dust * share * 10) for share in (0.9, 1.0, 1.05, 1.08))
        fields = {name: word / 10 for name, word in zip(("pm1", "pm25", "pm4", "pm10"), words[:4], strict=True)}
        if self._model >= 54:
            words[4], celsius, words[6] = air.randint(3000, 9000), air.randint(-1900, 7000), air.randint(10, 2000)
            words[5] = celsius & 0xFFFF
            fields |= {
                "relative_humidity": words[4] / 10000,
                "temperature": celsius / 200,
                "tvoc_index": words[6] / 10,
            }
        if self._model == 55 and now - self._started >= NOX_AFTER:
            words[7] = air.randint(10, 50)
            fields["nox_index"] = words[7] / 10
        return pack(">8H", *words), fields

    def _heard(self, fields: dict[str, float], arrived: bool | None) -> None:
        if arrived is not False:
            self._truth.record(self.name, "air_quality", fields, certain=arrived is True)


TWIN = Sen5x
VARIANTS = {"sen50": Variant(partial(Sen5x, model=50)), "sen54": Variant(partial(Sen5x, model=54))}
