"""Live topics for people and other systems: the newest readings as JSON, and the gateway's status, retained.

A view, not a store: what cannot be published now is dropped once newer readings push it out of a short queue, and
nothing upstream ever waits. The status carries a last will, so that a dead gateway is seen to be dead.
"""

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import aiomqtt
import orjson
from paho.mqtt.reasoncodes import ReasonCode

from gateway.clock import Clock
from gateway.credentials import tls_error
from gateway.errors import LinkDown, LinkDropped, LinkRefused
from gateway.mqtt.aio_client import BrokerClient
from gateway.mqtt.reasons import connection_ended, connection_refused
from gateway.sinks.settings import LiveSettings

QUEUE = 2000
"""Messages that wait for a slow broker; older ones make room."""

_SILENT_ENDS = {
    0x80: "the broker closed the connection without a word",
    0x8D: "no answer: the network is cut, or the broker hangs",
}
"""What paho itself calls the end of a connection of which the broker said nothing."""

_FORBIDDEN = str.maketrans({"/": "_", "+": "_", "#": "_", "\0": "_"})


class LiveSink:
    """Publishes what it is shown; `run` lasts as long as one connection.

    ``status`` returns what goes to ``status_topic``; ``took`` hears how many readings the broker has confirmed.
    ``interval`` is the seconds between two messages of status, ``queue`` how many readings wait for a slow broker.
    """

    def __init__(
        self,
        settings: LiveSettings,
        status_topic: str,
        status: Callable[[], Mapping[str, Any]],
        took: Callable[[int], None],
        *,
        clock: Clock,
        interval: float = 10.0,
        queue: int = QUEUE,
    ) -> None:
        self.dropped = 0
        self._took = took
        self._settings = settings
        self._status_topic = status_topic
        self._status = status
        self._clock = clock
        self._interval = interval
        self._most = queue
        self._queue: deque[tuple[str, bytes]] = deque()
        self._shown = asyncio.Event()

    def show(self, names: Mapping[str, str], payload: Mapping[str, Any]) -> None:
        """Queue one message; ``names`` fill the topic's placeholders."""
        topic = self._settings.topic.format(**{key: value.translate(_FORBIDDEN) for key, value in names.items()})
        if len(self._queue) >= self._most:
            self._queue.popleft()
            self.dropped += 1
        self._queue.append((topic, orjson.dumps(payload)))
        self._shown.set()

    async def run(self, up: Callable[[], None]) -> None:
        """Connect, call ``up``, publish until the connection ends; then raise `LinkDown`."""
        will = aiomqtt.Will(self._status_topic, orjson.dumps({"online": False}), qos=1, retain=True)
        is_up = False
        try:
            async with self._client(will) as client:
                is_up = True
                up()
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._tell_status(client))
                    tasks.create_task(self._publish(client))
                    tasks.create_task(_until_it_ends(client))
        except (aiomqtt.MqttError, OSError) as error:
            raise await self._meaning_of(error, up=is_up) from None
        except ExceptionGroup as group:
            # The tasks fail together where aiomqtt has not yet learnt of the end that they have seen.
            _, others = group.split((aiomqtt.MqttError, OSError))
            if others is not None:
                raise
            raise await self._meaning_of(group, up=is_up) from None

    async def publish_offline(self) -> None:
        """Publish that the gateway stops in good order, in place of the last will; silent where that fails."""
        try:
            async with asyncio.timeout(2), self._client(None) as client:
                await client.publish(self._status_topic, self._state(online=False), qos=1, retain=True)
        except (aiomqtt.MqttError, TimeoutError, OSError, LinkDown):
            return

    async def _tell_status(self, client: aiomqtt.Client) -> None:
        while True:
            await client.publish(self._status_topic, self._state(online=True), qos=1, retain=True)
            await self._clock.sleep(self._interval)

    async def _publish(self, client: aiomqtt.Client) -> None:
        settings = self._settings
        while True:
            self._shown.clear()
            while self._queue:
                topic, payload = self._queue[0]
                await client.publish(topic, payload, qos=settings.qos, retain=settings.retain)
                self._took(1)
                # Newer messages may have pushed it out while the broker took it.
                if self._queue and self._queue[0][1] is payload:
                    self._queue.popleft()
            await self._shown.wait()

    async def _meaning_of(self, error: BaseException, *, up: bool) -> LinkDown:
        """Return what the end means, after a look at what listens there where the broker has not answered."""
        end, failed = self._problem(error, up=up), tls_error(error)
        told = up or isinstance(error, LinkDown) or getattr(error, "rc", None) is not None
        clear = (ssl.SSLCertVerificationError, ConnectionRefusedError, socket.gaierror)
        if told or isinstance(failed or error.__cause__, clear):
            return end
        from gateway.mqtt.listener import wrong_way  # noqa: PLC0415 -- only a broker that does not answer needs it

        return await asyncio.to_thread(wrong_way, self._settings, self._settings.load_credentials().tls) or end

    def _problem(self, error: BaseException, *, up: bool) -> LinkDown:
        """Return what it means that a connection ended, or that there was none."""
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        if isinstance(error.__cause__, aiomqtt.MqttError):
            error = error.__cause__  # "disconnected", and here is why
        settings, reason = self._settings, getattr(error, "rc", None)
        where = settings.where
        if not up and (failed := tls_error(error)):
            return LinkRefused(f"{where}: {settings.tls_problem(failed)}")
        if not isinstance(reason, ReasonCode):
            return LinkDown(f"{where}: {error}")
        if not up:
            return connection_refused(reason.value, str(reason), protocol=settings.protocol)
        if words := _SILENT_ENDS.get(reason.value):
            return LinkDropped(f"{where}: {words}")
        return connection_ended(reason.value, str(reason), client_id=settings.client_id)

    def _state(self, *, online: bool) -> bytes:
        return orjson.dumps({"online": online, **self._status()})

    def _client(self, will: aiomqtt.Will | None) -> aiomqtt.Client:
        settings = self._settings
        credentials = settings.load_credentials()
        v5 = settings.protocol == "5"
        return BrokerClient(
            settings,
            credentials,
            identifier=settings.client_id,
            protocol=aiomqtt.ProtocolVersion.V5 if v5 else aiomqtt.ProtocolVersion.V311,
            keepalive=settings.keepalive_seconds,
            will=will,
            # A reading is small: without this the kernel keeps it back until the one before is acknowledged.
            socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
        )


async def _until_it_ends(client: aiomqtt.Client) -> None:
    """Raise ``MqttError`` when the connection ends; who waits for an acknowledgement learns it only much later."""
    async for _ in client.messages:
        pass
