"""Numbered messages with QoS 1, each said once: the truth is what the broker acknowledged.

MQTT 3.1.1 by hand (OASIS standard, sections 3.1 to 3.4), because a library says again by itself what was not
acknowledged, and two messages of one number would look like a fault of what stores them. Here a message whose
PUBACK did not come before the connection broke is doubtful: it may be stored once, or not at all.

The messages carry no time of their own, so that a message stored twice is two points, whatever the database.
"""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress

from firmware_sim.truth.points import StoredPoint

STATIONS = 10
RATE = 100.0
"""Messages a second."""
SCALE = 100
"""Message ``n`` says ``pm25 = n / SCALE``: values that the gateway finds plausible."""

_WINDOW = 50
_AGAIN = 0.2
_CONNECT = b"\x10\x13\x00\x04MQTT\x04\x02\x00\x00\x00\x07numbers"
_TOPICS = "numbers/+/air"


class Numbers:
    """The stream; `run` it in a task, `stop` it, and wait for `settled`."""

    def __init__(self, rate: float = RATE) -> None:
        self.port = 0
        self.published = 0
        self.acknowledged: dict[int, float] = {}
        """Number -> the moment (monotonic, seconds) of its PUBACK."""
        self.doubtful: set[int] = set()
        self.connected = False
        self._rate = rate
        self._waiting: dict[int, int] = {}
        self._room = asyncio.Event()
        self._stopped = False

    @staticmethod
    def source_toml(url: str) -> str:
        """Return the gateway's source for the stream."""
        return _SOURCE.format(url=url, topics=_TOPICS)

    @staticmethod
    def mine(point: StoredPoint) -> bool:
        """Tell whether a stored point is of this stream."""
        return point.tags.get("sensor", "").startswith("number-")

    async def run(self) -> None:
        """Publish for ever; connect again by itself."""
        while True:
            with suppress(OSError, EOFError):
                await self._session()
            await asyncio.sleep(_AGAIN)

    def stop(self) -> None:
        """Publish nothing more."""
        self._stopped = True

    async def settled(self) -> None:
        """Wait until each message is acknowledged or doubtful."""
        while self._waiting:
            self._room.clear()
            await self._room.wait()

    def found(self, points: Iterable[StoredPoint]) -> Counter[int]:
        """Return how often each number is stored."""
        return Counter(round(float(point.fields["pm25"]) * SCALE) for point in points if self.mine(point))

    async def _session(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        sending = None
        try:
            writer.write(_CONNECT)
            await reader.readexactly(4)  # CONNACK
            self.connected = True
            sending = asyncio.create_task(self._send(writer))
            while True:
                answer = await reader.readexactly(4)  # PUBACK, for nothing else is ever sent to us
                number = self._waiting.pop(int.from_bytes(answer[2:], "big"))
                self.acknowledged[number] = time.monotonic()
                self._room.set()
        finally:
            self.connected = False
            if sending is not None:
                sending.cancel()
                await asyncio.wait([sending])
            self.doubtful |= set(self._waiting.values())
            self._waiting.clear()
            self._room.set()
            writer.transport.abort()

    async def _send(self, writer: asyncio.StreamWriter) -> None:
        while not self._stopped:
            while len(self._waiting) >= _WINDOW:
                self._room.clear()
                await self._room.wait()
            number = self.published
            self.published += 1
            mid = number % 65_535 + 1
            self._waiting[mid] = number
            topic = f"numbers/number-{number % STATIONS}/air".encode()
            payload = json.dumps({"pm25": number / SCALE}).encode()
            body = len(topic).to_bytes(2, "big") + topic + mid.to_bytes(2, "big") + payload
            writer.write(b"\x32" + bytes([len(body)]) + body)  # always shorter than 128 bytes
            await asyncio.sleep(1 / self._rate)


_SOURCE = """[sources.numbers]
type = "mqtt"
url = "{url}"
driver = "json"
topics = ["{topics}"]
[sources.numbers.options]
kind = "air_quality"
sensor = "topic:1"
fields = {{ pm25 = "pm25" }}
"""
