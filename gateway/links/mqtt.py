"""One connection to an MQTT broker, driven by the event loop: messages in, acknowledgements out when we say so.

A `Connection` lives from CONNECT until the network or the broker ends it; for the next attempt make a new one. So
an acknowledgement always belongs to the connection its message came by, and one that comes late is dropped: after a
reconnect to a broker that lost its session, the old packet identity may mean another message, never stored.

The session is persistent (QoS 1): what was not acknowledged comes again with DUP set, in order, at the next
connection. paho blocks while it connects, so that runs in a thread; from then on all moves inside the event loop.
"""

import asyncio
import ssl
from collections.abc import Sequence
from typing import Any

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from gateway.errors import LinkDown, LinkRefused
from gateway.links.mqtt_client import MqttSettings, PahoClient, tls_problem
from gateway.links.mqtt_packets import Message, pubacks

MESSAGES_A_TURN = 256
"""How many messages are taken before the event loop gets its turn."""

ANSWER_WITHIN = 10.0
"""Seconds from CONNECT to the answer to our subscription."""


class Connection:
    """One connection, once: `open`, then `receive` again and again until it raises, then `close`."""

    def __init__(self, settings: MqttSettings) -> None:
        self._settings = settings
        self._inbox: list[Message] = []
        self._arrived = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._ended: LinkDown | None = None
        self._ready: asyncio.Future[bool] = self._loop.create_future()
        self._fd = -1
        self._paused = False
        self._writing = False
        self._going_on = False
        self._session_present = False
        self._timer: asyncio.TimerHandle | None = None
        client = self._client = PahoClient(settings)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message

    async def open(self) -> bool:
        """Connect and subscribe; return whether the broker still had our session.

        Raises `LinkDown` when it cannot be reached and `LinkRefused` when it says no.
        """
        settings, client = self._settings, self._client
        name = f"{settings.host}:{settings.port}"
        try:
            client.secure()
            await asyncio.to_thread(client.connect_once)
        except asyncio.CancelledError:
            client.abandoned = True  # the thread cannot be stopped; it closes what it opens
            raise
        except ssl.SSLError as error:
            raise LinkRefused(f"{name}: {tls_problem(error)}") from error
        except OSError as error:
            raise LinkDown(f"{name}: {error.strerror or error}") from error
        except ValueError as error:
            raise LinkRefused(f"{name}: {error}") from error
        assert client.gathering is not None
        self._fd = client.gathering.fileno()
        self._loop.add_reader(self._fd, self._readable)
        self._tick()
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                return await self._ready
        except TimeoutError:
            raise LinkDown(f"{name}: connected, but the broker did not answer within {ANSWER_WITHIN:g} s") from None

    async def receive(self) -> list[Message]:
        """Return what came since the last call, in order, waiting for the first of it.

        Raises `LinkDown` with what ended the connection, once everything that had come before is taken.
        """
        while not self._inbox:
            if self._ended is not None:
                raise self._ended
            self._arrived.clear()
            await self._arrived.wait()
        batch, self._inbox = self._inbox, []
        return batch

    def acknowledge(self, mids: Sequence[int]) -> None:
        """Send PUBACK for these packet identities, in the given order; nothing once the connection has ended."""
        if self._ended is not None:
            return
        assert self._client.gathering is not None
        self._client.gathering.send(pubacks(mids))
        self._write()

    def pause(self) -> None:
        """Take no more messages; the network's own back-pressure holds the rest at the broker."""
        if not self._paused and self._ended is None:
            self._paused = True
            self._loop.remove_reader(self._fd)

    def resume(self) -> None:
        """Take messages again."""
        if self._paused and self._ended is None:
            self._paused = False
            self._loop.add_reader(self._fd, self._readable)
            self._go_on()

    def close(self) -> None:
        """End it: DISCONNECT where that still goes out. Safe at any moment, and twice."""
        if self._fd >= 0 and self._ended is None:
            self._client.on_disconnect = None  # it would not know who ended it
            self._client.disconnect()
            self._write()
        self._end(LinkDown("closed by us"))

    def _on_connect(
        self, client: Client, _: object, flags: ConnectFlags, reason: ReasonCode, __: Properties | None
    ) -> None:
        if reason.is_failure:
            self._end(LinkRefused(f"the broker refused us: {reason}"))
            return
        self._session_present = flags.session_present
        # Retained messages only with a new subscription: at each reconnect they would look like news.
        options = SubscribeOptions(qos=self._settings.qos, retainHandling=SubscribeOptions.RETAIN_SEND_IF_NEW_SUB)
        topics: list[Any] = [
            (topic, options if self._client.v5 else self._settings.qos) for topic in self._settings.topics
        ]
        client.subscribe(topics)

    def _on_subscribe(
        self, _: Client, __: object, ___: int, reasons: list[ReasonCode], ____: Properties | None
    ) -> None:
        refused = [
            f"{topic} ({reason})"
            for topic, reason in zip(self._settings.topics, reasons, strict=False)
            if reason.is_failure
        ]
        if refused:
            self._end(LinkRefused(f"the broker refused the subscription to {', '.join(refused)}"))
        elif not self._ready.done():
            self._ready.set_result(self._session_present)

    def _on_disconnect(
        self, _: Client, __: object, flags: DisconnectFlags, reason: ReasonCode, ___: Properties | None
    ) -> None:
        whose = "the broker ended the connection" if flags.is_disconnect_packet_from_server else "connection lost"
        if reason == "Protocol error" and not self._ready.done():
            version = self._settings.protocol
            self._end(LinkRefused(f"the broker does not speak MQTT {version}: set another protocol version"))
        self._end(LinkDown(f"{whose}: {reason}"))

    def _on_message(self, _: Client, __: object, message: MQTTMessage) -> None:
        """Take a message that came in pieces, which paho put together."""
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = "\N{REPLACEMENT CHARACTER}"
        self._inbox.append(Message(topic, bytes(message.payload), message.mid, message.dup, message.retain))

    def _tick(self) -> None:
        """Let paho look at its keep-alive, once a second."""
        if self._ended is None:
            if self._paused:
                self._client.expect_no_answer()
            self._client.loop_misc()
            self._write()
            self._timer = self._loop.call_later(1.0, self._tick)

    def _readable(self) -> None:
        client, gathering = self._client, self._client.gathering
        assert gathering is not None
        try:
            for _ in range(MESSAGES_A_TURN):
                if self._paused or self._ended is not None or not gathering.fill():
                    break
                message = gathering.take_publish(v5=client.v5) if client.between_packets else None
                if message is None:
                    client.loop_read()
                else:
                    self._inbox.append(message)
            else:
                self._go_on()
        except OSError as error:
            self._failed(error)
        self._write()
        if self._inbox:
            self._arrived.set()

    def _go_on(self) -> None:
        """Take what was read already, at the loop's next turn; once, or turns would grow longer and longer."""
        if not self._going_on:
            self._going_on = True
            self._loop.call_soon(self._gone_on)

    def _gone_on(self) -> None:
        self._going_on = False
        self._readable()

    def _write(self) -> None:
        """Hand paho's packets over and send what was gathered; come back when the kernel has room again."""
        gathering = self._client.gathering
        if self._ended is not None or gathering is None or self._fd < 0:
            return
        try:
            if self._client.want_write():
                self._client.loop_write()
            done = gathering.flush()
        except OSError as error:
            self._failed(self._last_words() or error)
            return
        if done == self._writing and self._ended is None:
            self._writing = not done
            if done:
                self._loop.remove_writer(self._fd)
            else:
                self._loop.add_writer(self._fd, self._write)

    def _last_words(self) -> OSError | None:
        """Return what the broker said before it hung up: that tells more than that we cannot write."""
        assert self._client.gathering is not None
        try:
            self._client.gathering.fill()
        except OSError as said:
            return said
        return None

    def _failed(self, error: OSError) -> None:
        # With TLS 1.3 a refused client certificate shows only when the first answer is read.
        if isinstance(error, ssl.SSLError) and not self._ready.done():
            self._end(LinkRefused(tls_problem(error)))
        else:
            self._end(LinkDown(f"connection lost: {error}"))

    def _end(self, error: LinkDown) -> None:
        if self._ended is not None:
            return
        self._ended = error
        if self._timer is not None:
            self._timer.cancel()
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            self._loop.remove_writer(self._fd)
        if self._client.gathering is not None:
            self._client.gathering.close()
        if not self._ready.done():
            self._ready.set_exception(error)
            self._ready.exception()  # looked at, so that nobody is told of a forgotten one when `open` was cancelled
        self._arrived.set()
