"""Twin of the TERA NextPM, a laser sensor for PM1, PM2.5 and PM10 on a serial line (115200 8E1), in its own protocol.

Source: TERA Sensor, NextPM User Guide v3.4. All bytes of a frame add up to 0 modulo 256::

    host    81 cmd sum
    sensor  81 11 state n1(2) n25(2) n10(2) m1(2) m25(2) m10(2) sum   11, 12, 13: means over 10 s, 60 s, 15 min
    sensor  81 14 state t(2) h(2) sum                                  inside, hundredths of a degree and a per cent
    sensor  81 15 state sum                                            awake is put to sleep, asleep is woken
    sensor  81 16 state sum                                            the state
    sensor  81 17 state version(2) sum                                 the firmware

n are particles a litre, m tenths of ug/m3. State bits: 1 asleep, 2 degraded, 4 not ready, 8 heater, 16 T/RH, 32 fan,
64 memory, 128 laser. While it has no data, asleep or for 15 s after waking, whatever is asked is answered by a 16
frame. An answer comes after more than 350 ms.
"""

from functools import partial

from firmware_sim.parts.twin import NEVER, Frame
from firmware_sim.parts.wire_faults import Walk, Wire
from firmware_sim.truth.ledger import Truth

DRIVER = "nextpm"
FIRMWARE = 0x0034
ASLEEP, NOT_READY = 1, 4
MEANS = (0x11, 0x12, 0x13)
CLIMATE, SLEEP, STATE, VERSION = 0x14, 0x15, 0x16, 0x17

_WAKING = 15.0
_THINKING = 0.36


def with_sum(body: bytes) -> bytes:
    """Return ``body`` and the byte that makes its sum a multiple of 256."""
    return body + bytes((-sum(body) & 0xFF,))


class NextPm:
    """One sensor; see `parts.twin.SerialTwin`."""

    def __init__(self, name: str, truth: Truth, seed: str) -> None:
        self.name = name
        self.errors = 0
        """State bits; a test sets them to see a broken sensor."""
        self.asleep = False
        self.toggles = 0
        self.air = Walk(seed, 30, 900, 15)
        self._wire = Wire(seed)
        self.faults = self._wire.faults
        self._truth = truth
        self._ready = _WAKING
        self._received = bytearray()
        self._answers: list[tuple[float, int]] = []
        self._stopped = False

    def receive(self, data: bytes, now: float) -> list[Frame]:
        """Take commands; each is answered by `tick`, a little later."""
        if self.faults.silent:
            return []
        buffer = self._received
        buffer += data
        while len(buffer) >= 3:
            command = bytes(buffer[:3])
            if command[0] == 0x81 and sum(command) & 0xFF == 0 and command[1] in (*MEANS, *range(CLIMATE, 0x18)):
                self._answers.append((now + _THINKING, command[1]))
                del buffer[:3]
            else:
                del buffer[0]
        return []

    def tick(self, now: float) -> list[Frame]:
        """Give the answers that are due."""
        frames: list[Frame] = []
        while self._answers and self._answers[0][0] <= now:
            frames += self._answer(self._answers.pop(0)[1], now)
        return frames

    def due(self) -> float:
        """Return the time of the next answer."""
        return self._answers[0][0] if self._answers else NEVER

    def power_cycle(self, now: float) -> None:
        """Start anew, awake."""
        self.asleep = False
        self._ready = now + _WAKING
        self._received.clear()
        self._answers.clear()

    def stop(self) -> None:
        """Measure no more: what is asked is answered with the state."""
        self._stopped = True

    def quiet(self) -> bool:
        """Tell that it stopped; a measurement takes no time."""
        return self._stopped

    def _answer(self, command: int, now: float) -> list[Frame]:
        if command == SLEEP:
            self.toggles += 1
            self.asleep = not self.asleep
            self._ready = now + _WAKING
        ready = not self.asleep and now >= self._ready and not self._stopped
        state = self.errors | (ASLEEP if self.asleep else 0 if ready else NOT_READY)
        if command == SLEEP or (command != STATE and not ready):
            return self._wire.send(with_sum(bytes((0x81, SLEEP if command == SLEEP else STATE, state))))
        heard, data = None, b""
        if command in MEANS:
            tenths = self.air.sample()
            masses = (tenths, tenths + 7, tenths + tenths // 8 + 9)
            data = b"".join(value.to_bytes(2, "big") for value in (13031, 13045, 13048, *masses))
            heard = partial(self._heard, masses)
        elif command == CLIMATE:
            data = (2880).to_bytes(2, "big") + (5095).to_bytes(2, "big")
        elif command == VERSION:
            data = FIRMWARE.to_bytes(2, "big")
        return self._wire.send(with_sum(bytes((0x81, command, state)) + data), heard)

    def _heard(self, masses: tuple[int, int, int], arrived: bool | None) -> None:
        if arrived is not False:
            fields = dict(zip(("pm1", "pm25", "pm10"), (mass / 10 for mass in masses), strict=True))
            self._truth.record(self.name, "air_quality", fields, certain=arrived is True)


TWIN = NextPm
