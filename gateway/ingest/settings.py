"""What may be set about the way of a reading from a source to the spool."""

from typing import Any

from pydantic import Field

from gateway.settings import Duration, Location, Name, Settings, Size, Tags


class CommitSettings(Settings):
    """When a group of readings is committed: after an interval, or before that once it has so many bytes."""

    commit_interval: Duration = 1.0
    commit_bytes: Size = 256 * 1024


class GatewayIdentity(Settings):
    """Who the gateway is, and where it stands: what every reading says of it."""

    id: Name
    city: Name
    location: Location | None = None
    tags: Tags = Field(default_factory=dict)


class SensorSettings(Settings):
    """``[sensors."identity"]``: what arrives under that identity."""

    id: Name | None = None
    codec: str | None = None
    options: dict[str, Any] = Field(default_factory=dict)
    location: Location | None = None
    expect_every: Duration | None = None
    tags: Tags = Field(default_factory=dict)
