"""HTTP polls: an address that is asked every interval, and whose answers become readings.

Where the server tells a version (ETag, Last-Modified), only what is new is sent. Where it tells none, the same body
again is a reading again, unless the device's own time says that it is the old one; so does it after a restart, by the
digest of the body that was stored last. An address that answers and has had nothing new for long is a problem: a
device that hangs behind a page that works looks exactly so.
"""

from collections.abc import Callable, Sequence

from gateway.clock import Clock
from gateway.health import SourceHealth
from gateway.ingest.committer import Committer
from gateway.ingest.delivery import DEFERRED, Delivery
from gateway.links.http.client import HttpClient
from gateway.sources.messages import MessageReader
from gateway.spool import Identity
from gateway.supervise import LONGEST_WAIT

SILENT_INTERVALS = 10
SILENT_SECONDS = 600.0
"""So many intervals, and at least so many seconds, without a new reading are silence."""

_SILENCE = "silence"
_OURS = 5 * 10**9  # nanoseconds: a time so near to now is our own stamp, or of a reading that is new anyway


class HttpPoll:
    """One address that is polled."""

    def __init__(
        self,
        name: str,
        topic: str,
        interval: float,
        reader: MessageReader,
        *,
        connect: Callable[[], HttpClient],
        committer: Committer,
        health: SourceHealth,
        clock: Clock,
        seen: Sequence[Identity] = (),
    ) -> None:
        self.name = name
        self.longest_wait = max(LONGEST_WAIT, interval)
        """Seconds between attempts, at most."""
        self._topic = topic
        self._interval = interval
        self._reader = reader
        self._connect = connect
        self._committer = committer
        self._health = health
        self._clock = clock
        self._version: dict[str, str] = {}
        self._fresh_at: float | None = None
        self._stored_before = seen[-1].digest if seen else None
        """The digest of the body that an earlier run stored last."""

    async def run(self) -> None:
        """Ask every interval, until the address does not answer as it should."""
        client = self._connect()
        try:
            due = self._clock.monotonic()
            while True:
                if self._committer.is_full:
                    await self._committer.room()
                await self._ask(client)
                # In step with the first; turns that were missed are left out.
                now = self._clock.monotonic()
                due += self._interval * max(1, -((due - now) // self._interval))
                await self._clock.sleep(max(0.0, due - now))
        finally:
            await client.close()

    async def _ask(self, client: HttpClient) -> None:
        page = await client.get(self._version)
        health, now = self._health, self._clock.monotonic()
        health.link.went_up()
        readings = health.readings
        if page is None:
            health.repeated += 1
        else:
            health.messages += 1
            self._committer.add(self._read(page.body))
            self._version = page.version
        if health.readings > readings or self._fresh_at is None:
            self._fresh_at = now
            health.link.clear_problem(_SILENCE)
        elif (quiet := now - self._fresh_at) > max(SILENT_INTERVALS * self._interval, SILENT_SECONDS):
            health.link.raise_problem(_SILENCE, f"it answers, and has had no new reading for {quiet:.0f} s")

    def _read(self, body: bytes) -> Delivery:
        """Return what a body says, without what an earlier run stored of it."""
        identity = Identity.of(self.name, 0, self._topic, body)
        delivery = Delivery(identity=identity)
        self._reader.read(self._topic, body, delivery)
        if identity.digest == self._stored_before:
            now, lines = self._clock.wall(), delivery.lines
            delivery.lines = [line for line in lines if line[0] & DEFERRED or abs(line[1] - now) <= _OURS]
            self._health.repeated += len(delivery.lines) < len(lines)
        self._stored_before = None
        return delivery
