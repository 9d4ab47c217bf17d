"""What may be set about the way of a reading from a source to the spool."""

from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from gateway import vocabulary
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
    max_ahead: Duration = 86400.0
    """A device's own time that is further ahead of ours is wrong: no reading is stored under it."""


class SensorSettings(Settings):
    """``[sensors."identity"]``: what arrives under that identity."""

    id: Name | None = None
    codec: str | None = None
    options: dict[str, Any] = Field(default_factory=dict)
    location: Location | None = None
    expect_every: Duration | None = None
    tags: Tags = Field(default_factory=dict)


class FieldSettings(Settings):
    """``[fields.NAME]``: something that is stored beside what the vocabulary has."""

    type: vocabulary.Type = "float"
    unit: str | None = Field(None, max_length=16, pattern=r"^\S+$")
    range: Annotated[
        tuple[float, float] | None, BeforeValidator(lambda v: tuple(v) if isinstance(v, list) else v)
    ] = None
    kinds: Annotated[tuple[Name, ...], BeforeValidator(lambda v: tuple(v) if isinstance(v, list) else v)] = Field(
        min_length=1
    )

    @model_validator(mode="after")
    def _only_numbers_have_a_unit_and_a_range(self) -> Self:
        if self.type in {"bool", "str"}:
            if self.unit is not None or self.range is not None:
                raise ValueError(f"{self.type} is no number: it has neither a unit nor a range")
        elif self.range is not None and not self.range[0] < self.range[1]:
            raise ValueError("a range is [lowest, highest]")
        return self

    def named(self, name: str) -> vocabulary.Field:
        """Return the field that this describes."""
        low, high = self.range or (None, None)
        unit = self.unit or ("1" if self.type in {"float", "int"} else "")
        return vocabulary.Field(name, self.type, unit, low, high, self.kinds)
