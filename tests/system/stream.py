"""A stream of numbered messages that knows what was said, and the gateway's source for it."""

import asyncio
import json
import math
import threading
import time
from collections import Counter
from collections.abc import Iterable

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from firmware_sim.patience import patience
from firmware_sim.truth.points import StoredPoint

Moment = tuple[str, int]
"""A sensor and a time, nanoseconds UTC: what a reading is known by."""


class Stream:
    """Numbered readings of twenty stations, published with QoS 1 by a thread, each with a time of its own.

    Reading ``n`` comes from station ``n % 20`` and says ``pm25 = n / 100``. ``rate`` is readings a second.
    """

    STATIONS = 20

    def __init__(self, broker: str, rate: float = math.inf, *, username: str = "", password: str = "") -> None:
        self.rate = rate
        self.published = 0
        self._began = time.time_ns() // 1_000_000 - 3_600_000
        self._client = paho.Client(CallbackAPIVersion.VERSION2, "stream")
        self._client.max_inflight_messages_set(1000)
        if username:
            self._client.username_pw_set(username, password)
        host, _, port = broker.removeprefix("mqtt://").partition(":")
        self._client.connect(host, int(port))
        self._client.loop_start()
        self._thread = threading.Thread()
        self._enough = threading.Event()
        self._last = paho.MQTTMessageInfo(0)

    def send(self, count: int) -> None:
        """Publish the next ``count`` readings in the background."""
        self._thread = threading.Thread(target=self._publish, args=(count,))
        self._thread.start()

    def stop(self) -> None:
        """Publish nothing more of what is left."""
        self._enough.set()

    async def sent(self) -> None:
        """Wait until the broker has acknowledged everything."""
        await asyncio.to_thread(self._thread.join)
        await asyncio.to_thread(self._last.wait_for_publish, patience(180))
        assert self._last.is_published()

    def close(self) -> None:
        """Go away."""
        self.stop()
        self._thread.join()
        self._client.disconnect()
        self._client.loop_stop()

    def truth(self) -> dict[Moment, float]:
        """Return everything published so far: moment -> pm25."""
        return {(f"s{n % self.STATIONS}", self._time(n) * 1_000_000): n / 100 for n in range(self.published)}

    def differences(self, points: Iterable[StoredPoint]) -> dict[str, int]:
        """Return how many readings are ``lost``, and how many are there too often or wrong; {} when all is right.

        ``points`` are from the spool or from a database, where each field may be a point of its own.
        """
        said: Counter[tuple[object, ...]] = Counter((*moment, pm25) for moment, pm25 in self.truth().items())
        stored: Counter[tuple[object, ...]] = Counter(
            (point.tags["sensor"], point.time, point.fields.get("pm25", point.fields.get("value")))
            for point in points
            if point.measurement == "air_quality_pm25" or "pm25" in point.fields
        )
        counts = {"lost": (said - stored).total(), "doubled or wrong": (stored - said).total()}
        return {name: count for name, count in counts.items() if count}

    def _time(self, n: int) -> int:
        return self._began + n // self.STATIONS

    def _publish(self, count: int) -> None:
        while not self._client.is_connected():
            time.sleep(0.01)
        began = time.monotonic()
        for index in range(count):
            if self._enough.is_set():
                return
            n = self.published
            if (ahead := began + index / self.rate - time.monotonic()) > 0.002:
                time.sleep(ahead)  # the rate itself
            payload = json.dumps({"ts": self._time(n), "pm25": n / 100})
            self._last = self._client.publish(f"stream/s{n % self.STATIONS}/air", payload, qos=1)
            self.published += 1


def stream_source(url: str, **settings: str) -> str:
    """Return the source, named ``stream``, that takes a `Stream`."""
    more = "".join(f'{key} = "{value}"\n' for key, value in settings.items())
    return _STREAM.format(url=url, more=more)


_STREAM = """[sources.stream]
type = "mqtt"
url = "{url}"
driver = "json"
topics = ["stream/+/air"]
{more}[sources.stream.options]
kind = "air_quality"
sensor = "topic:1"
time = "ts"
time_format = "ms"
fields = {{ pm25 = "pm25" }}
"""
