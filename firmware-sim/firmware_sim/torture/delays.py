"""How late this machine is: what is due is done later where other work is in the way, and disks are slow.

What a kill may cost is stated in seconds of an idle machine. The rest is measured, on the disk of the gateway.
"""

import asyncio
import math
import os
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_EVERY = 0.05
_MEMORY = 20.0
"""Seconds for which a delay counts: those before a kill that its cost may reach back to."""


class Delays:
    """`run` it in a task; `worst` is by how many seconds a small write that was due came late."""

    def __init__(self, directory: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._file = directory / "delays"
        self._found: deque[tuple[float, float]] = deque()
        self._clock = clock
        self._due = math.inf

    @property
    def worst(self) -> float:
        """The longest delay of late, that which lasts included."""
        now = self._clock()
        return max([0.0, now - self._due, *(delay for moment, delay in self._found if now - moment <= _MEMORY)])

    async def run(self) -> None:
        """Measure for ever."""
        while True:
            await self.measure()

    async def measure(self) -> None:
        """Write once, when it is due."""
        self._due = self._clock() + _EVERY
        await asyncio.sleep(_EVERY)
        await asyncio.to_thread(self._write)
        now = self._clock()
        self._found.append((now, now - self._due))
        self._due = math.inf
        while now - self._found[0][0] > _MEMORY:
            self._found.popleft()

    def _write(self) -> None:
        with suppress(OSError):  # a full disk: how long it took to say so counts as well
            descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT)
            try:
                os.write(descriptor, b"x")
                os.fdatasync(descriptor)
            finally:
                os.close(descriptor)
