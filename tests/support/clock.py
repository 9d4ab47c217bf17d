"""A clock that is told what time it is."""

import asyncio

NOW = 1_732_281_600_000_000_000
"""Friday 22 November 2024, 13:20 UTC."""

BOOT = bytes(range(16))


class FakeClock:
    """A clock that stands still unless it is moved; times in nanoseconds.

    A sleep lasts until `pass_by` has moved the clock far enough. With ``jumps`` it moves the clock itself, and is
    over at once. Either way ``waits`` has the seconds of each, in order.
    """

    def __init__(
        self, boot_id: bytes = BOOT, *, utc: int = NOW, up: int = 60 * 10**9, right: bool = True, jumps: bool = False
    ) -> None:
        self.boot_id = boot_id
        self.utc = utc
        self.up = up
        self.right = right
        self.jumps = jumps
        self.waits: list[float] = []
        self._sleepers: list[tuple[int, asyncio.Future[None]]] = []

    def wall(self) -> int:
        return self.utc

    def since_boot(self) -> int:
        return self.up

    def synchronized(self) -> bool:
        return self.right

    def monotonic(self) -> float:
        return self.up / 1e9

    def monotonic_ns(self) -> int:
        return self.up

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        nanoseconds = max(0, round(seconds * 1e9))
        if self.jumps:
            self.pass_by(nanoseconds)
        if self.jumps or not nanoseconds:
            await asyncio.sleep(0)
            return
        sleeper = self.up + nanoseconds, asyncio.get_running_loop().create_future()
        self._sleepers.append(sleeper)
        try:
            await sleeper[1]
        finally:
            self._sleepers.remove(sleeper)

    @property
    def asleep(self) -> int:
        """How many wait for the clock to be moved."""
        return len(self._sleepers)

    def pass_by(self, nanoseconds: int) -> None:
        self.utc += nanoseconds
        self.up += nanoseconds
        for due, waking in self._sleepers:
            if due <= self.up and not waking.done():
                waking.set_result(None)

    def step(self, nanoseconds: int) -> None:
        """Move the wall clock alone, as somebody who sets it does."""
        self.utc += nanoseconds
