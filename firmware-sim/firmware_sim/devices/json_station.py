"""Twin of an air-quality station that publishes plain JSON over MQTT, with its own time in milliseconds since 1970.

No maker's sheet stands behind it: it is the kind of message that many small stations and bridges send::

    city/air-01/air  {"station":"air-01","ts":1721381655775,"pm25":11.3,"pm10":19.8,"no2":24.1,
                      "temperature":18.4,"humidity":63}

Humidity is in percent; the ledger holds it as a fraction, as the vocabulary does.
"""

import json
from functools import partial
from random import Random

from firmware_sim.parts.twin import NEVER, Message
from firmware_sim.truth.ledger import Truth
from firmware_sim.truth.points import Value

DRIVER = "json"
SOURCE = {
    "topics": ["city/+/air"],
    "options": {
        "kind": "air_quality",
        "sensor": "station",
        "time": "ts",
        "time_format": "ms",
        "fields": {
            "pm25": "pm25",
            "pm10": "pm10",
            "no2": "no2",
            "temperature": "temperature",
            "relative_humidity": {"path": "humidity", "scale": 0.01},
        },
    },
}
_MILLISECOND = 1_000_000


class JsonStation:
    """One station; see `parts.twin.MqttTwin`."""

    def __init__(self, name: str, truth: Truth, seed: str, *, interval: float = 10.0) -> None:
        self.name = name
        self._truth = truth
        self._random = Random(f"{seed}/station")
        self._interval = interval
        self._next = self._random.uniform(0.0, interval)
        self._stopped = False
        self._pm25 = self._random.uniform(6.0, 25.0)
        self._no2 = self._random.uniform(10.0, 45.0)
        self._last = 0

    def tick(self, now: float, time: int) -> list[Message]:
        """Publish a reading when one is due; its milliseconds are always later than the last one's."""
        if now < self.due():
            return []
        self._next = max(self._next + self._interval, now)
        self._last = max(time // _MILLISECOND, self._last + 1)
        self._pm25 = min(60.0, max(2.0, self._pm25 + self._random.gauss(0, 0.6)))
        self._no2 = min(180.0, max(3.0, self._no2 + self._random.gauss(0, 1.5)))
        humidity = self._random.randint(40, 95)
        fields: dict[str, Value] = {
            "pm25": round(self._pm25, 1),
            "pm10": round(self._pm25 * 1.4 + self._random.uniform(2, 6), 1),
            "no2": round(self._no2, 1),
            "temperature": round(self._random.gauss(14, 3), 1),
        }
        said = {"station": self.name, "ts": self._last, **fields, "humidity": humidity}
        payload = json.dumps(said, separators=(",", ":")).encode()
        fields["relative_humidity"] = humidity / 100
        return [Message(f"city/{self.name}/air", payload, partial(self._heard, fields, self._last * _MILLISECOND))]

    def due(self) -> float:
        """Return when it publishes next."""
        return NEVER if self._stopped else self._next

    def stop(self) -> None:
        """Take no further reading."""
        self._stopped = True

    def _heard(self, fields: dict[str, Value], time: int, arrived: bool | None) -> None:
        if arrived is not False:
            self._truth.record(self.name, "air_quality", fields, time, certain=arrived is True)


TWIN = JsonStation
