"""One MQTT connection with manual acknowledgement, driven by the event loop.

A `Connection` lives from CONNECT until the network or the broker ends it; for the next attempt make a new one. So
an acknowledgement always belongs to the connection its message came by, and one that comes late is dropped: after a
reconnect to a broker that lost its session, the old packet identity may mean another message, never stored.

The session is persistent (QoS 1): what was not acknowledged comes again with DUP set, in order, at the next
connection. paho blocks while it connects, so that runs in a thread; from then on all moves inside the event loop.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Sequence
from typing import Any

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from gateway.errors import LinkDown, LinkDropped, LinkRefused
from gateway.links.mqtt.client import PahoClient
from gateway.links.mqtt.packets import Message, pubacks
from gateway.links.mqtt.paho_reasons import downgraded_topics, refused_topics, why_ended, why_refused
from gateway.links.mqtt.settings import MqttSettings

MESSAGES_A_TURN = 256
"""How many messages are taken before the event loop gets its turn."""

TICK = 1.0
"""Seconds between looks at the keep-alive."""

ANSWER_WITHIN = 10.0
"""Seconds from CONNECT to the answer to our subscription."""

PAUSED_BYTES = 1024 * 1024
"""What a connection takes into memory while it is paused. A broker's window is full long before: we go on reading."""

_CLOSED_BY_US = "closed by us"


class Connection:
    """One connection, once: `open`, then `receive` again and again until it raises, then `close`."""

    downgraded_topics = ""
    """Once open: which topics the broker grants with a lower quality of service than asked for; "" for none."""
    unwanted: Sequence[str] = ()
    """Topic filters that the session may have from before, and that are not asked for any more; set before `open`."""
    accepted = False
    """Whether the broker has accepted us; it may have ended the connection since."""

    def __init__(
        self,
        settings: MqttSettings,
        *,
        answer_within: float = ANSWER_WITHIN,
        tick: float = TICK,
        paused_bytes: int = PAUSED_BYTES,
    ) -> None:
        self._settings = settings
        self._answer_within = answer_within
        self._tick_every = tick
        self._paused_bytes = paused_bytes
        self._inbox: list[Message] = []
        self._arrived = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._ended: LinkDown | None = None
        self._over = asyncio.Event()
        self._ready: asyncio.Future[bool] = self._loop.create_future()
        self._fd = -1
        self._paused_size: int | None = None
        """Bytes in memory while it is paused, None where it is not."""
        self._reading_paused = False
        self._heard = False
        self._answered = False
        """Whether the broker has answered our CONNECT, with yes or no."""
        self._writing = False
        self._turn_scheduled = False
        self._session_present = False
        self._timer: asyncio.TimerHandle | None = None
        client = PahoClient(settings)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        self._client = client

    async def open(self) -> bool:
        """Connect and subscribe; return whether the broker still had our session.

        Raises `LinkDown` when it cannot be reached and `LinkRefused` when it says no.
        """
        client = self._client
        where = self._settings.where
        client.load_credentials()
        try:
            await asyncio.to_thread(client.connect_once)
        except asyncio.CancelledError:
            client.abandoned = True  # the thread cannot be stopped; it closes what it opens
            raise
        except ssl.SSLError as error:
            refused = LinkRefused(f"{where}: {self._settings.tls_problem(error)}")
            known = isinstance(error, ssl.SSLCertVerificationError)
            raise (refused if known else await self._meaning_of(refused)) from error
        except OSError as error:
            down = LinkDown(f"{where}: {error.strerror or error}")
            refusing = isinstance(error, ConnectionRefusedError | socket.gaierror)
            raise (down if refusing else await self._meaning_of(down)) from error
        except ValueError as error:
            raise LinkRefused(f"{where}: {error}") from error
        assert client.gathering is not None
        self._fd = client.gathering.fileno()
        self._loop.add_reader(self._fd, self._readable)
        self._tick()
        try:
            async with asyncio.timeout(self._answer_within):
                return await self._ready
        except TimeoutError:
            problem = f"{where}: connected, but the broker did not answer within {self._answer_within:g} s"
            raise await self._meaning_of(LinkDown(problem)) from None
        except LinkDown as error:
            raise (error if self._answered else await self._meaning_of(error)) from None

    async def _meaning_of(self, end: LinkDown) -> LinkDown:
        """Return what it means that a connection ended before the broker answered; ``end`` where that is not seen."""
        if end.args == (_CLOSED_BY_US,):
            return end
        from gateway.mqtt.listener import wrong_way  # noqa: PLC0415 -- only a broker that does not answer needs it

        return await asyncio.to_thread(wrong_way, self._settings, self._client.context) or end

    async def receive(self) -> list[Message]:
        """Return what came since the last call, in order, waiting for the first of it.

        Raises `LinkDown` with what ended the connection, once everything that had come before is taken.
        """
        while not self._inbox:
            if self._ended is not None:
                raise self._ended
            self._arrived.clear()
            await self._arrived.wait()
        batch = self._inbox
        self._inbox = []
        return batch

    def acknowledge(self, mids: Sequence[int]) -> None:
        """Send PUBACK for these packet identities, in the given order; nothing once the connection has ended."""
        if self._ended is not None:
            return
        assert self._client.gathering is not None
        self._client.gathering.send(pubacks(mids))
        self._write()

    def publish(self, topic: str, payload: bytes) -> bool:
        """Send a message with QoS 0; False where it cannot go at once: acknowledgements come first."""
        if not topic or self._ended is not None or self._writing:
            return False
        try:
            self._client.publish(topic, payload)
        except ValueError:  # no topic that one can publish to
            return False
        self._write()
        return True

    async def pause_until(self, room: Awaitable[object]) -> None:
        """Wait until there is ``room`` and keep what comes meanwhile; raises `LinkDown` if the connection ends first.

        Beyond `PAUSED_BYTES` it reads no more, and back-pressure by the network keeps the rest at the broker.
        """
        self._paused_size = sum(map(_size, self._inbox))
        waits = [asyncio.ensure_future(room), asyncio.ensure_future(self._over.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()
            self._paused_size = None
        if self._ended is not None:
            raise self._ended
        if self._reading_paused:
            self._reading_paused = False
            self._loop.add_reader(self._fd, self._readable)
            self._schedule_turn()

    def close(self) -> None:
        """End it: DISCONNECT where that still goes out. Safe at any moment, and twice."""
        if self._fd >= 0 and self._ended is None:
            self._client.on_disconnect = None  # it would not know who ended it
            self._client.disconnect()
            self._write()
        self._end(LinkDown(_CLOSED_BY_US))

    def _on_connect(
        self, client: Client, _: object, flags: ConnectFlags, reason: ReasonCode, properties: Properties | None
    ) -> None:
        self._answered = True
        if reason.is_failure:
            self._end(why_refused(reason, properties, self._settings.protocol))
            return
        self.accepted = True
        self._session_present = flags.session_present
        # Retained messages only with a new subscription: at each reconnect they would look like news.
        options = SubscribeOptions(qos=self._settings.qos, retainHandling=SubscribeOptions.RETAIN_SEND_IF_NEW_SUB)
        topics: list[Any] = [
            (topic, options if self._client.v5 else self._settings.qos) for topic in self._settings.topics
        ]
        if self.unwanted and flags.session_present:
            client.unsubscribe(list(self.unwanted))
        client.subscribe(topics)

    def _on_subscribe(
        self, _: Client, __: object, ___: int, reasons: list[ReasonCode], ____: Properties | None
    ) -> None:
        settings = self._settings
        if refused := refused_topics(settings.topics, reasons):
            self._end(refused)
        elif not self._ready.done():
            self.downgraded_topics = downgraded_topics(settings.topics, reasons, settings.qos)
            self._ready.set_result(self._session_present)

    def _on_disconnect(
        self, _: Client, __: object, flags: DisconnectFlags, reason: ReasonCode, properties: Properties | None
    ) -> None:
        self._end(why_ended(flags, reason, properties, settings=self._settings, open_=self._ready.done()))

    def _on_message(self, _: Client, __: object, message: MQTTMessage) -> None:
        """Take a message that came in pieces, which paho put together."""
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = "\N{REPLACEMENT CHARACTER}"
        self._take(Message(topic, bytes(message.payload), message.mid, message.dup, message.retain))

    def _take(self, message: Message) -> None:
        self._inbox.append(message)
        self._heard = True
        if self._paused_size is not None:
            self._paused_size += _size(message)
            if self._paused_size >= self._paused_bytes and not self._reading_paused:
                self._reading_paused = True
                self._loop.remove_reader(self._fd)

    def _tick(self) -> None:
        """Let paho look at its keep-alive."""
        if self._ended is None:
            assert self._client.gathering is not None
            if self._reading_paused and not self._client.gathering.established:
                self._end(LinkDown("connection lost while the disk was full"))
                return
            if self._heard or self._reading_paused:
                # Without reading, the answers to our pings cannot be seen: the kernel's acknowledgements must do.
                self._client.heard()
                self._heard = False
            self._client.loop_misc()
            self._write()
            self._timer = self._loop.call_later(self._tick_every, self._tick)

    def _readable(self) -> None:
        client, gathering = self._client, self._client.gathering
        assert gathering is not None
        try:
            for _ in range(MESSAGES_A_TURN):
                if self._reading_paused or self._ended is not None or not gathering.fill():
                    break
                message = gathering.take_publish(v5=client.v5) if client.between_packets else None
                if message is None:
                    client.loop_read()
                else:
                    self._take(message)
            else:
                self._schedule_turn()
        except OSError as error:
            self._failed(error)
        self._write()
        if self._inbox:
            self._arrived.set()

    def _schedule_turn(self) -> None:
        """Take what was read already, at the loop's next turn; once, or turns would grow longer and longer."""
        if not self._turn_scheduled:
            self._turn_scheduled = True
            self._loop.call_soon(self._next_turn)

    def _next_turn(self) -> None:
        self._turn_scheduled = False
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
            self._failed(self._pending_disconnect_reason() or error)
            return
        if done == self._writing and self._ended is None:
            self._writing = not done
            if done:
                self._loop.remove_writer(self._fd)
            else:
                self._loop.add_writer(self._fd, self._write)

    def _pending_disconnect_reason(self) -> OSError | None:
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
            self._end(LinkRefused(self._settings.tls_problem(error)))
        else:
            kind = LinkDropped if isinstance(error, ConnectionResetError) else LinkDown
            self._end(kind(f"connection lost: {error.strerror or error}"))

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
            self._ready.exception()  # looked at, or asyncio reports it as never retrieved when `open` was cancelled
        self._arrived.set()
        self._over.set()


def _size(message: Message) -> int:
    """Return about how many bytes a message takes in memory."""
    return 200 + len(message.topic) + len(message.payload)
