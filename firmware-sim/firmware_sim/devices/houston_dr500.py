"""Twin of the Houston Radar DR-500, a Doppler radar for average speeds, on a serial line (115200 8N1).

Source: the packets as the Minnesota DOT's traffic software speaks them. Numbers are little endian::

    F3 code data.. crc(2) FC       crc: polynomial 1021 from 0, most significant bit first, over code and data
    FA 03, FA 0A, FA 0C            stand for the bytes F3, FA, FC between F3 and FC

The host says 0E (who are you?, answered alike with lines TAG=value), 17 domain name(2) value(2) to set a variable and
18 domain name(2) to read one (answered with 19 domain name(2) value(2)), 31 for the average speed (answered with 32
speed). A setting is answered with 13 and a number: the variable's place, or -1. Here the variables last through power
cuts; a question that is none of these is answered with 13 and -1.
"""

from functools import partial
from random import Random

from firmware_sim.parts.twin import NEVER, Frame, Heard
from firmware_sim.parts.wire_faults import Walk, Wire
from firmware_sim.truth.ledger import Truth

DRIVER = "houston_dr500"

BEGIN, ESCAPE, END = 0xF3, 0xFA, 0xFC
ABOUT, STATUS, SET, ASK, VARIABLE, ASK_SPEED, SPEED = 0x0E, 0x13, 0x17, 0x18, 0x19, 0x31, 0x32
TO_KMH = {0: 1.609344, 1: 1.0, 2: 1.09728, 3: 3.6}
"""The variable UN: mph, km/h, ft/s, m/s."""

_INFORMATION = b"BRD=DR500-4\nMOD=DR500\nREV=2.61\nTYPE=TRAFFIC\n"
_LONGEST = 64
_EMPTY_ROAD = 0.2


def crc(body: bytes) -> int:
    """Return the check of code and data."""
    register = 0
    for byte in body:
        register ^= byte << 8
        for _ in range(8):
            register = (register << 1 ^ (0x1021 if register & 0x8000 else 0)) & 0xFFFF
    return register


def packet(code: int, data: bytes = b"") -> bytes:
    """Return what goes over the line."""
    body = bytes((code,)) + data
    packed = bytearray((BEGIN,))
    for byte in body + crc(body).to_bytes(2, "little"):
        packed += bytes((ESCAPE, byte & 0x0F)) if byte in (BEGIN, ESCAPE, END) else bytes((byte,))
    return bytes(packed) + bytes((END,))


def unpacked(inside: bytes) -> bytes:
    """Return code and data of what stands between F3 and FC; b"" where it is damaged."""
    plain = bytearray()
    escaped = False
    for byte in inside:
        if escaped or byte != ESCAPE:
            plain.append(byte | 0xF0 if escaped else byte)
        escaped = byte == ESCAPE and not escaped
    body, check = bytes(plain[:-2]), bytes(plain[-2:])
    return body if body and crc(body).to_bytes(2, "little") == check else b""


class HoustonDr500:
    """One radar; see `parts.twin.SerialTwin`."""

    def __init__(self, name: str, truth: Truth, seed: str, units: int = 0) -> None:
        self.name = name
        self.variables = {"UN": units, "TA": 30, "BN": 5, "ST": 99, "LO": 1, "HI": 120, "SP": 121, "SF": 0, "MO": 0}
        self.wire = Wire(seed)
        self.faults = self.wire.faults
        self.street = Walk(seed, 12, 75, 9)
        self._road = Random(f"{seed}/road")
        self._truth = truth
        self._received = bytearray()
        self._stopped = False

    def receive(self, data: bytes, now: float) -> list[Frame]:  # noqa: ARG002 -- it answers at any time
        """Answer the packets in ``data``; what is none is skipped."""
        if self.faults.silent:
            return []
        frames: list[Frame] = []
        for byte in data:
            if byte == BEGIN:
                self._received = bytearray((BEGIN,))
            elif byte == END and self._received:
                if body := unpacked(bytes(self._received[1:])):
                    frames += self._answer(body[0], body[1:])
                self._received.clear()
            elif self._received and len(self._received) < _LONGEST:
                self._received.append(byte)
            else:
                self._received.clear()
        return frames

    def tick(self, now: float) -> list[Frame]:  # noqa: ARG002 -- it says nothing by itself
        """Say nothing."""
        return []

    def due(self) -> float:
        """Return that it says nothing by itself."""
        return NEVER

    def power_cycle(self, now: float) -> None:  # noqa: ARG002 -- it keeps its settings
        """Lose what was received in part."""
        self._received.clear()

    def stop(self) -> None:
        """Measure no more: the road is empty from now on."""
        self._stopped = True

    def quiet(self) -> bool:
        """Tell that it stopped."""
        return self._stopped

    def _answer(self, code: int, data: bytes) -> list[Frame]:
        name = data[1:3].decode("latin-1")
        if (code, data) == (ABOUT, b""):
            return self.wire.send(packet(ABOUT, _INFORMATION))
        if (code, data) == (ASK_SPEED, b""):
            speed, heard = self._speed()
            return self.wire.send(packet(SPEED, bytes((speed,))), heard)
        if code == ASK and len(data) == 3 and data[0] == 0 and name in self.variables:
            return self.wire.send(packet(VARIABLE, data + self.variables[name].to_bytes(2, "little")))
        if code == SET and len(data) == 5 and data[0] == 0 and name in self.variables:
            self.variables[name] = int.from_bytes(data[3:], "little")
            return self.wire.send(packet(STATUS, list(self.variables).index(name).to_bytes(2, "little")))
        return self.wire.send(packet(STATUS, b"\xff\xff"))

    def _speed(self) -> tuple[int, Heard | None]:
        if self._stopped or self._road.random() < _EMPTY_ROAD:
            return 0, None
        speed = self.street.sample()
        return speed, partial(self._heard, round(speed * TO_KMH[self.variables["UN"]], 2))

    def _heard(self, kmh: float, arrived: bool | None) -> None:
        if arrived is not False:
            self._truth.record(self.name, "traffic", {"average_vehicle_speed": kmh}, certain=arrived is True)


TWIN = HoustonDr500
