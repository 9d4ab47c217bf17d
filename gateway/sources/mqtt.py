"""MQTT sources: messages of a broker become readings, each acknowledged once it is on disk.

A source's `run` lasts as long as its link and is started again by the supervisor; what must outlive a connection
(which messages were seen already, the size of the broker's window) is kept in the source itself.
"""

from collections.abc import Callable, Iterable

from gateway.clock import Clock
from gateway.errors import LinkDown
from gateway.health import SourceHealth
from gateway.ingest.committer import Committer
from gateway.ingest.delivery import Delivery
from gateway.links.mqtt.connection import Connection
from gateway.links.mqtt.packets import Message
from gateway.links.mqtt.settings import MqttSettings
from gateway.mqtt.reasons import Takeovers
from gateway.mqtt.topics import matches
from gateway.sources.ack_window import AckWindow
from gateway.sources.commands import Commands
from gateway.sources.messages import MessageReader
from gateway.sources.redelivery import Redelivery
from gateway.sources.subscriptions import Subscriptions
from gateway.spool import Identity
from gateway.supervise import LONGEST_WAIT


class MqttIngest:
    """An MQTT broker whose messages become readings, each acknowledged once it is on disk.

    ``seen`` are the identities of the messages that an earlier run stored last: when they come again they are
    acknowledged and not stored again.
    """

    longest_wait = LONGEST_WAIT
    """Seconds between attempts to connect, at most."""

    def __init__(
        self,
        name: str,
        settings: MqttSettings,
        reader: MessageReader,
        *,
        committer: Committer,
        health: SourceHealth,
        clock: Clock,
        connect: Callable[[MqttSettings], Connection] = Connection,
        seen: Iterable[Identity] = (),
        subscriptions: Subscriptions | None = None,
    ) -> None:
        self.name = name
        self._settings = settings
        self._reader = reader
        self._committer = committer
        self._health = health
        self._clock = clock
        self._connect = connect
        self._redelivery = Redelivery((identity.mid, identity.digest) for identity in seen)
        self._window = AckWindow(settings.receive_maximum)
        self._takeovers = Takeovers(settings.client_id)
        self._commands = Commands(name)
        self._subscriptions = subscriptions
        self._left: tuple[str, ...] = ()
        """Filters that have left the configuration while the session at the broker had them."""

    async def run(self) -> None:
        """Stay connected until the link goes down."""
        connection = self._connect(self._settings)
        acknowledger = _Acknowledger(connection, self._window, self._committer.interval, self._clock)
        self._window.reset()
        began = self._clock.monotonic()
        try:
            await self._stay(connection, acknowledger)
        except LinkDown as error:
            self._commands.note_disconnect(self._clock.monotonic())
            meant = self._takeovers.judge(error, self._clock.monotonic() - began if connection.accepted else None)
            if meant is error:
                raise
            raise meant from error
        finally:
            connection.close()
            self._committer.forget(acknowledger)

    async def _stay(self, connection: Connection, acknowledger: "_Acknowledger") -> None:
        topics = self._settings.topics
        if self._subscriptions is not None:
            known = self._subscriptions.known
            connection.unwanted = tuple(one for one in known if one not in topics)
            self._left = (*self._left, *connection.unwanted)
            self._subscriptions.remember((*topics, *connection.unwanted))
        self._redelivery.begin_connection(session_present=await connection.open())
        if self._subscriptions is not None:
            self._subscriptions.remember(topics)
        self._health.link.went_up()
        if connection.downgraded_topics:
            self._health.link.raise_problem("quality of service", connection.downgraded_topics)
        while True:
            for message in await connection.receive():
                if self._committer.is_full:
                    await connection.pause_until(self._committer.room())
                self._deliver(message, acknowledger)
            await self._clock.sleep(0)

    def _deliver(self, message: Message, acknowledger: "_Acknowledger") -> None:
        """Hand a message on as one delivery; one that is stored already is only acknowledged."""
        mid = message.mid
        self._health.messages += 1
        if not mid:
            delivery = Delivery()
            self._read(message, delivery, acknowledger)
            self._committer.add(delivery)
            return
        identity = Identity.of(self.name, mid, message.topic, message.payload)
        if self._redelivery.note_message(mid, identity.digest, repeated=message.repeated):
            self._health.repeated += 1
            delivery = Delivery(acknowledger, mid)
        else:
            delivery = Delivery(acknowledger, mid, identity)
            self._read(message, delivery, acknowledger)
        self._committer.add(delivery)
        if self._window.note_arrival(self._clock.monotonic_ns()):
            self._committer.hurry()

    def _read(self, message: Message, delivery: Delivery, acknowledger: "_Acknowledger") -> None:
        if self._left and self._has_left(message.topic):
            words = "no topic of this source's configuration matches it any more; the broker was told to send no more"
            self._reader.refuse(message.topic, message.payload, words, delivery)
            return
        for command in self._reader.read(message.topic, message.payload, delivery, retained=message.retained):
            self._health.commands += self._commands.send(command, acknowledger.connection, self._clock.monotonic())

    def _has_left(self, topic: str) -> bool:
        """Tell whether a message came only by a subscription that has left the configuration."""
        return any(matches(one, topic) for one in self._left) and not any(
            matches(one, topic) for one in self._settings.topics
        )


class _Acknowledger:
    """Acknowledges on one connection, and never on a later one."""

    def __init__(self, connection: Connection, window: AckWindow, interval: float, clock: Clock) -> None:
        self.connection = connection
        self._window = window
        self._interval = interval
        self._clock = clock

    def acknowledge(self, mids: list[int]) -> None:
        """Acknowledge these packets, in order."""
        self.connection.acknowledge(mids)
        self._window.note_acknowledged(len(mids), self._clock.monotonic_ns(), int(self._interval * 1e9))
