"""Twin of the Winsen ZH03B and ZH06, laser sensors for PM1, PM2.5 and PM10 on a serial line (9600 8N1).

Source: Winsen ZH03B manual. As delivered it uploads once a second, in the 24 bytes that a Plantower PMS3003 sends::

    upload   42 4D 00 14 ..(6) pm1(2) pm25(2) pm10(2) ..(6) sum(2)
    78 41    speak only when asked            answered by FF 78 01 ..
    86       read                             answered by FF 86 pm25(2) pm10(2) pm1(2) sum, ug/m3: in this order
    A7 01    sleep, A7 00 wake                answered by FF A7 01 ..

Asleep it does not measure. Awake, the fan needs half a minute before the values are right.
"""

from functools import partial

from firmware_sim.parts.twin import NEVER, Frame
from firmware_sim.parts.winsen import Port, said
from firmware_sim.parts.wire_faults import Walk
from firmware_sim.truth.ledger import Truth

DRIVER = "winsen_zh"

SWITCH, READ, SLEEP, UPLOAD, ASKED = 0x78, 0x86, 0xA7, 0x40, 0x41


class WinsenZh:
    """One sensor; see `parts.twin.SerialTwin`."""

    def __init__(self, name: str, truth: Truth, seed: str) -> None:
        self.name = name
        self.asked_only = False
        self.asleep = False
        self.air = Walk(seed, 4, 200, 5)
        self._port = Port(self._obey, seed)
        self.faults = self._port.wire.faults
        self._truth = truth
        self._next = 1.0
        self._stopped = False

    def receive(self, data: bytes, now: float) -> list[Frame]:
        """Obey commands."""
        return self._port.receive(data, now)

    def tick(self, now: float) -> list[Frame]:
        """Upload once a second, unless it sleeps or is asked only."""
        if now < self.due():
            return []
        self._next = now + 1.0
        pm1, pm25, pm10 = self._measure()
        body = bytes.fromhex("424d0014") + bytes(6)
        body += b"".join(value.to_bytes(2, "big") for value in (pm1, pm25, pm10)) + bytes(6)
        return self._port.wire.send(body + sum(body).to_bytes(2, "big"), partial(self._heard, (pm1, pm25, pm10)))

    def due(self) -> float:
        """Return the time of the next upload."""
        quiet = self.asked_only or self.asleep or self._stopped or self.faults.silent
        return NEVER if quiet else self._next

    def power_cycle(self, now: float) -> None:
        """Start anew, awake and uploading."""
        self._port.forget()
        self.asked_only = self.asleep = False
        self._next = now + 1.0

    def stop(self) -> None:
        """Measure no more."""
        self._stopped = True

    def quiet(self) -> bool:
        """Tell that it stopped; a measurement takes no time."""
        return self._stopped

    def _obey(self, command: int, data: bytes, now: float) -> list[Frame]:
        if command == SWITCH and data[0] in (UPLOAD, ASKED):
            self.asked_only = data[0] == ASKED
        elif command == SLEEP and data[0] in (0, 1):
            self.asleep = data[0] == 1
        elif command == READ and self.asked_only and not self.asleep and not self._stopped:
            masses = pm1, pm25, pm10 = self._measure()
            answer = b"".join(value.to_bytes(2, "big") for value in (pm25, pm10, pm1))
            return self._port.wire.send(said(READ, *answer), partial(self._heard, masses))
        else:
            return []
        self._next = max(self._next, now)
        return self._port.wire.send(said(command, 1))

    def _measure(self) -> tuple[int, int, int]:
        pm25 = self.air.sample()
        return pm25 * 7 // 10, pm25, pm25 + pm25 // 8 + 3

    def _heard(self, masses: tuple[int, int, int], arrived: bool | None) -> None:
        if arrived is not False:
            fields = dict(zip(("pm1", "pm25", "pm10"), map(float, masses), strict=True))
            self._truth.record(self.name, "air_quality", fields, certain=arrived is True)


TWIN = WinsenZh
