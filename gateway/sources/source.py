"""What the daemon keeps running, whatever it hears."""

from typing import Protocol


class Source(Protocol):
    """What hears sensors: a broker, a serial line, what listens or asks by HTTP."""

    @property
    def longest_wait(self) -> float:
        """The most seconds between two attempts to connect."""

    async def run(self) -> None:
        """Stay connected until the link goes down."""
