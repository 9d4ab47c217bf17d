"""Twin of the Bosch TPS110 parking lot sensor (LoRaWAN), firmware 0.29.2.

Source: Bosch Parking Lot Sensor communication interface::

    port 1  status, on a change     1 byte, bit 0: occupied
    port 2  heartbeat, every 24 h   1 byte, bit 0: occupied; then, optionally, the temperature as int8 in degrees C
    port 3  start-up                3 debug codes of 4 bytes (12 bits, little endian), 3 bytes firmware,
                                    reset cause (1 watchdog, 2 power on, 3 system), occupied

The start-up message and the heartbeat state the occupancy too: they are readings like any other.
"""

from functools import partial
from random import Random

from firmware_sim.devices.chirpstack import ChirpStack
from firmware_sim.parts.twin import NEVER, Message
from firmware_sim.truth.ledger import Truth
from firmware_sim.truth.points import Value

CODEC = "bosch_tps110"
STATUS, HEARTBEAT, START_UP = 1, 2, 3
FIRMWARE = bytes((0, 29, 2))
POWER_ON = 2
DAY = 86_400.0


class Tps110:
    """One parking spot; see `parts.twin.MqttTwin`.

    ``dwell`` is the mean number of seconds between two changes. With ``server_codec`` the network server decodes too.
    """

    def __init__(
        self,
        eui: str,
        name: str,
        truth: Truth,
        network: ChirpStack,
        seed: str,
        *,
        dwell: float = 1800.0,
        heartbeat: float = DAY,
        reports_temperature: bool = False,
        server_codec: bool = False,
    ) -> None:
        self.eui = eui
        self.name = name
        self.occupied = False
        self._truth = truth
        self._network = network
        self._random = Random(f"{seed}/spot")
        self._dwell = dwell
        self._heartbeat = heartbeat
        self._reports_temperature = reports_temperature
        self._server_codec = server_codec
        self._counter = 0
        self._started = False
        self._stopped = False
        self._starts = self._random.uniform(0.0, min(10.0, dwell))
        self._changes = self._starts + self._random.expovariate(1 / dwell)
        self._beats = self._starts + self._random.uniform(0.0, heartbeat)

    def tick(self, now: float, time: int) -> list[Message]:
        """Send what is due at ``now``: at most one message, so that no two share a time."""
        if now < self.due():
            return []
        if not self._started:
            self._started = True
            return [self._send(START_UP, self.start_up_payload(), {}, time)]
        if self._changes <= now:
            self.occupied = not self.occupied
            self._changes = now + self._random.expovariate(1 / self._dwell)
            return [self._send(STATUS, bytes((self.occupied,)), {}, time)]
        self._beats = now + self._heartbeat
        if not self._reports_temperature:
            return [self._send(HEARTBEAT, bytes((self.occupied,)), {}, time)]
        degrees = self._random.randint(-12, 38)
        payload = bytes((self.occupied,)) + degrees.to_bytes(1, "little", signed=True)
        return [self._send(HEARTBEAT, payload, {"temperature": float(degrees)}, time)]

    def due(self) -> float:
        """Return when it sends next."""
        if self._stopped:
            return NEVER
        return min(self._changes, self._beats) if self._started else self._starts

    def stop(self) -> None:
        """Sense no further change."""
        self._stopped = True

    def start_up_payload(self) -> bytes:
        """Return what it says after power-on, with two debug codes from its memory."""
        codes = (0x324, 0x375, 0)
        return b"".join(code.to_bytes(4, "little") for code in codes) + FIRMWARE + bytes((POWER_ON, self.occupied))

    def _send(self, port: int, payload: bytes, more: dict[str, Value], time: int) -> Message:
        fields: dict[str, Value] = {"occupied": self.occupied, **more}
        decoded = {"occupied": self.occupied} if self._server_codec else None
        counter, self._counter = self._counter, self._counter + 1
        heard = partial(self._heard, fields, time)
        return self._network.uplink(
            self.eui,
            name=self.name,
            port=port,
            payload=payload,
            frame_counter=counter,
            time=time,
            heard=heard,
            decoded=decoded,
        )

    def _heard(self, fields: dict[str, Value], time: int, arrived: bool | None) -> None:
        if arrived is not False:
            self._truth.record(self.eui, "parking", fields, time, certain=arrived is True)
