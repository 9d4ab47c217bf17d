"""What may be set about sending readings to a database."""

from typing import Literal

from pydantic import Field

from gateway.settings import Settings, Size


class Limits(Settings):
    """How much goes into one request, and lines a second on average (None: as fast as it goes)."""

    max_lines: int = Field(5000, ge=1)
    max_bytes: Size = 1_000_000
    max_rate: int | None = Field(None, ge=1)
    gzip_members: Literal["join", "as-is"] = "join"

    @property
    def join(self) -> bool:
        """Whether several gzip members are re-wrapped into one."""
        return self.gzip_members == "join"
