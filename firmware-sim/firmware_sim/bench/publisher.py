"""MQTT for the simulated city: one message after the other, with QoS 1, until the broker has acknowledged it.

When the connection breaks before the PUBACK, it is unknown whether the broker has the message; the same message is
published again. The gateway may then see it twice: telling such twins apart is part of what is tested.
"""

import asyncio
import errno
import math
from typing import Any
from urllib.parse import urlsplit

import aiomqtt

from firmware_sim.parts.twin import Message

_AGAIN = 0.2
"""Seconds before the next attempt at a broker that is away."""


class Publisher:
    """One publishing client of the broker at ``url`` (``mqtt://host:port``)."""

    def __init__(self, url: str, client_id: str) -> None:
        parts = urlsplit(url)
        self._host = parts.hostname or "127.0.0.1"
        self._port = parts.port or 1883
        self._client_id = client_id
        self._sent: Message | None = None
        self.repeated = 0
        """Messages that had to be published more than once."""

    async def run(self, messages: asyncio.Queue[Message]) -> None:
        """Publish what comes on the queue, for ever; connects, and connects again, by itself."""
        loop = asyncio.get_running_loop()
        if loop.get_exception_handler() is None:
            loop.set_exception_handler(_pass_over_closed_sockets)
        while True:
            try:
                async with (
                    aiomqtt.Client(self._host, self._port, identifier=self._client_id) as client,
                    asyncio.TaskGroup() as session,
                ):
                    session.create_task(_notice_the_end(client))
                    session.create_task(self._deliver(client, messages))
            except* aiomqtt.MqttError:
                pass  # the broker is away, which is what a city must live with
            await asyncio.sleep(_AGAIN)

    def give_up(self) -> None:
        """Settle a message whose acknowledgement will not be waited for: it may have arrived."""
        if self._sent:
            self._sent.heard(None)
            self._sent = None

    async def _deliver(self, client: aiomqtt.Client, messages: asyncio.Queue[Message]) -> None:
        while True:
            if self._sent is None:
                self._sent = await messages.get()
            else:
                self.repeated += 1
            await client.publish(self._sent.topic, self._sent.payload, qos=1, timeout=math.inf)
            self._sent.heard(True)
            self._sent = None
            messages.task_done()


def _pass_over_closed_sockets(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Tell of everything, except of a socket that a reset closed before aiomqtt's wish to write reached the loop."""
    error = context.get("exception")
    closed = isinstance(error, OSError) and error.errno == errno.EBADF and "add_writer" in context.get("message", "")
    if not closed:
        loop.default_exception_handler(context)


async def _notice_the_end(client: aiomqtt.Client) -> None:
    """Raise `aiomqtt.MqttError` when the connection breaks; a publish that waits for its PUBACK does not notice."""
    async for _ in client.messages:
        pass
