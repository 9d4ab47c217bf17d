"""Devices at work: serial lines that live, and stations that publish what they have to say."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from types import TracebackType
from typing import Self

from firmware_sim.bench.pty_line import SerialLine
from firmware_sim.bench.publisher import Publisher
from firmware_sim.parts.twin import Message, MqttTwin
from firmware_sim.patience import patience

_MILLISECOND = 1_000_000

_HANGS_SECONDS = 30.0
"""Seconds that `Stage.stop_measuring` waits for the last vehicles, bytes and acknowledgements."""


class Stage:
    """Lines and stations; ``async with`` lets them live.

    ``rate`` is how many of the stations' seconds pass in one of ours. Their clocks are right, or they show ``epoch``
    (nanoseconds UTC) at first and run as fast as the stations live: then each measures exactly when it is due.
    What is published before a gateway has ever subscribed is lost: stations wait for ``subscribed``.
    """

    def __init__(
        self,
        lines: Sequence[SerialLine],
        stations: Sequence[MqttTwin],
        publisher: Publisher,
        *,
        rate: float = 1.0,
        epoch: int | None = None,
        subscribed: asyncio.Event | None = None,
    ) -> None:
        self.lines = lines
        self.stations = stations
        self._publisher = publisher
        self._rate = rate
        self._epoch = epoch
        self._subscribed = subscribed
        self._last: dict[int, int] = {}
        self._messages: asyncio.Queue[Message] = asyncio.Queue(maxsize=1)
        self._tasks: list[asyncio.Task[None]] = []
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        for line in self.lines:
            await self._stack.enter_async_context(line)
        if self.stations:
            self._tasks = [
                asyncio.create_task(self._publisher.run(self._messages), name="publisher"),
                asyncio.create_task(self._measure(), name="stations over MQTT"),
            ]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        try:
            for task in self._tasks:
                with suppress(asyncio.CancelledError):
                    await task
        finally:
            self._publisher.give_up()
            await self._stack.aclose()

    async def stop_measuring(self) -> bool:
        """Let the devices fall silent, and wait until the ledger knows of all they said.

        Vehicles in view drive on to the end of their passage. Lines stay open and commands are answered. Return False
        when a host does not read, or a broker does not acknowledge, within half a minute: what hangs is not entered.
        """
        for station in self.stations:
            station.stop()
        for line in self.lines:
            line.twin.stop()
        with suppress(TimeoutError):
            async with asyncio.timeout(patience(_HANGS_SECONDS)):
                for line in self.lines:
                    await line.silent()
                await self._messages.join()
                return True
        return False

    async def _measure(self) -> None:
        """Ask each station when its time has come. While the broker is away the whole air waits."""
        if self._subscribed is not None:
            await self._subscribed.wait()
        loop, rate = asyncio.get_running_loop(), self._rate
        born = loop.time()
        while True:
            now = (loop.time() - born) * rate
            for twin in self.stations:
                if twin.due() <= now:
                    for message in twin.tick(*self._moment(twin, now)):
                        await self._messages.put(message)
            wait = (min(twin.due() for twin in self.stations) - (loop.time() - born) * rate) / rate
            await asyncio.sleep(min(max(wait, 0.0), 0.1))

    def _moment(self, twin: MqttTwin, now: float) -> tuple[float, int]:
        """Return when a station measures that is due: in its own seconds, and what its clock shows."""
        if self._epoch is None:
            # Two words of one device in one millisecond would be one to a database that knows no finer time.
            last = self._last.get(id(twin), 0)
            self._last[id(twin)] = max(time.time_ns(), last + _MILLISECOND)
            return now, self._last[id(twin)]
        return twin.due(), self._epoch + round(twin.due() * 1000) * 1_000_000
