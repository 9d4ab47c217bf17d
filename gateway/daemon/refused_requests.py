"""What people ask of the store of refused messages: to read messages again, or to drop them.

A request is a file ``refused/requests/ID.json``, as the spool's are (`gateway.spool.requests`)::

    {"do": "retry", "source": "city-broker", "reason": "noise"}     null for any
    {"do": "drop", "source": null, "reason": null}

Each message that is read again is a delivery of its own: what it gives and that it needs nobody any more are durable
together, or not at all. So a request that a kill has interrupted is done again, and finds only what is left.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import islice
from typing import Any

import structlog

from gateway.clock import Clock
from gateway.errors import SpoolError
from gateway.ingest.committer import Committer
from gateway.ingest.delivery import Delivery
from gateway.refused import Kept, RefusedStore, Resolved
from gateway.sources.read_again import ReadAgain
from gateway.spool.filesystem import Filesystem, OsFilesystem
from gateway.spool.requests import Answer, Request, answer_to, pending_requests, put_answer, withdraw

PORTION = 200
"""Messages that are read again between two looks at whether there is room."""

EXAMPLES = 5
"""Words of messages that are refused still, in the answer."""


class _Durable:
    """Hears which deliveries are durable."""

    def __init__(self) -> None:
        self.count = 0
        self._more = asyncio.Event()

    def acknowledge(self, mids: list[int]) -> None:
        """Note that so many are on the disk."""
        self.count += len(mids)
        self._more.set()

    async def reached(self, count: int) -> None:
        """Return once so many are."""
        while self.count < count:
            self._more.clear()
            await self._more.wait()


class RefusedRequests:
    """Carries out the requests to one open store; ``read_again`` makes readers of today's configuration."""

    def __init__(
        self,
        store: RefusedStore,
        committer: Committer,
        read_again: Callable[[], ReadAgain],
        clock: Clock,
        filesystem: Filesystem | None = None,
    ) -> None:
        self._store = store
        self._committer = committer
        self._read_again = read_again
        self._clock = clock
        self._filesystem = filesystem or OsFilesystem()
        self._problem = ""

    async def run(self) -> None:
        """Look once a second, for ever."""
        while True:
            await self.look()
            await self._clock.sleep(1.0)

    async def look(self) -> None:
        """Do what is asked."""
        try:
            pending = await asyncio.to_thread(pending_requests, self._filesystem, self._store.root)
            for name, request in sorted(pending.items()):
                await self._carry_out(name, request)
        except SpoolError as error:
            if str(error) != self._problem:
                structlog.get_logger().warning("request about refused messages failed", problem=str(error))
            self._problem = str(error)
        else:
            self._problem = ""

    async def _carry_out(self, name: str, request: Request) -> None:
        if await asyncio.to_thread(answer_to, self._filesystem, self._store.root, name) is None:
            do: dict[str, Callable[[str, Request], Any]] = {"retry": self._retry, "drop": self._drop}
            asked = do.get(str(request.get("do")))
            if asked is None:
                answer: Answer = {"error": "this version does not know what is asked"}
            else:
                answer = await asked(name, request)
            await asyncio.to_thread(put_answer, self._filesystem, self._store.root, name, answer)
            structlog.get_logger().info("request carried out", request=request, answer=answer)
        await asyncio.to_thread(withdraw, self._filesystem, self._store.root, name)

    async def _retry(self, name: str, request: Request) -> Answer:
        del name
        reader = self._read_again()
        states: Counter[str] = Counter()
        words: Counter[str] = Counter()
        readings = 0
        async for portion in self._portions(request):
            durable = _Durable()
            sent = 0
            for kept in portion:
                delivery = Delivery(durable, kept.number & 0xFFFF)
                outcome = reader.read(kept, delivery)
                states[outcome.state] += 1
                if outcome.words:
                    words[outcome.words] += 1
                if delivery.resolved:
                    readings += len(delivery.lines)
                    sent += 1
                    self._committer.add(delivery)
            await self._wait_for(durable, sent)
        return {
            "readings": readings,
            "messages": states.total(),
            "read": states["read"],
            "partly": states["partly"],
            "refused": states["refused"],
            "waits": states["waits"],
            "words": [f"{count} x {why}" for why, count in words.most_common(EXAMPLES)],
        }

    async def _drop(self, name: str, request: Request) -> Answer:
        numbers = [kept.number async for portion in self._portions(request) for kept in portion]
        if numbers:
            await asyncio.to_thread(self._store.record_dropped, name, len(numbers))
        durable = _Durable()
        for start in range(0, len(numbers), PORTION):
            delivery = Delivery(durable)
            for number in numbers[start : start + PORTION]:
                delivery.resolve(Resolved(number, "dropped"))
            self._committer.add(delivery)
        await self._wait_for(durable, -(-len(numbers) // PORTION))
        return {"messages": len(numbers)}

    async def _wait_for(self, durable: _Durable, count: int) -> None:
        if count:
            self._committer.hurry()
            await durable.reached(count)
        await self._committer.room()

    async def _portions(self, request: Request) -> AsyncIterator[list[Kept]]:
        """Yield the messages that are meant, some at a time; none that waits for its own commit group."""
        entries = self._store.entries()
        settled = self._store.settled
        while portion := await asyncio.to_thread(_next, entries, request, settled):
            yield [kept for kept in portion if not self._store.is_resolved(kept.number)]


def _next(entries: Iterator[Any], request: Request, settled: int) -> list[Kept]:
    source, reason = request.get("source"), request.get("reason")
    wanted = (
        one
        for one in entries
        if isinstance(one, Kept)
        and one.number < settled
        and source in (None, one.refusal.source)
        and reason in (None, one.refusal.reason)
    )
    return list(islice(wanted, PORTION))
