"""A clock that is told what time it is."""

NOW = 1_732_281_600_000_000_000
"""Friday 22 November 2024, 13:20 UTC."""

BOOT = bytes(range(16))


class FakeClock:
    """A clock that stands still unless it is moved; times in nanoseconds."""

    def __init__(self) -> None:
        self.boot_id = BOOT
        self.utc = NOW
        self.up = 60 * 10**9
        self.right = True

    def wall(self) -> int:
        return self.utc

    def since_boot(self) -> int:
        return self.up

    def synchronized(self) -> bool:
        return self.right

    def pass_by(self, nanoseconds: int) -> None:
        self.utc += nanoseconds
        self.up += nanoseconds

    def step(self, nanoseconds: int) -> None:
        """Move the wall clock alone, as somebody who sets it does."""
        self.utc += nanoseconds
