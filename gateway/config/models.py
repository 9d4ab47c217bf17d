"""The configuration file as a whole: the settings of all parts put together, and what no part owns.

`gateway.config.load` reads files into it. The settings of a part stand in its own room: see `gateway.settings`.
"""

from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from gateway.delivery.settings import Limits
from gateway.ingest.settings import CommitSettings, FieldSettings, GatewayIdentity, SensorSettings
from gateway.refused import RefusedSettings
from gateway.settings import Name, Settings
from gateway.sinks.settings import InfluxSettings, LiveSettings
from gateway.sources.settings import HttpPollSettings, HttpSourceSettings, MqttSourceSettings, SerialSourceSettings
from gateway.spool import SpoolSettings
from gateway.vocabulary import VOCABULARY, Vocabulary
from gateway.web.settings import WebSettings


class Gateway(GatewayIdentity):
    """``[gateway]``: this board."""

    data_dir: Path = Path("/var/lib/prehod")
    clock: Literal["auto", "system"] = "auto"
    gnss: Name | None = None


class SpoolTable(CommitSettings, SpoolSettings):
    """``[spool]``: how readings are kept on disk."""


class DatabaseSettings(Limits, InfluxSettings):
    """``[sinks.NAME]`` with ``type = "influxdb"``: a database, and how much it gets at a time."""


SourceSettings = Annotated[
    SerialSourceSettings | MqttSourceSettings | HttpSourceSettings | HttpPollSettings, Field(discriminator="type")
]
SinkSettings = Annotated[DatabaseSettings | LiveSettings, Field(discriminator="type")]


class Configuration(Settings):
    """The whole file."""

    gateway: Gateway
    spool: SpoolTable = SpoolTable()
    refused: RefusedSettings = RefusedSettings()
    sources: dict[Name, SourceSettings] = Field(default_factory=dict)
    sensors: dict[Name, SensorSettings] = Field(default_factory=dict)
    fields: dict[str, FieldSettings] = Field(default_factory=dict)
    sinks: dict[Name, SinkSettings] = Field(default_factory=dict)
    web: WebSettings | None = None

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """What this gateway may store: the vocabulary, and the fields of the file to which nothing is objected."""
        own = (settings.named(name) for name, settings in self.fields.items())
        return VOCABULARY.extended(field for field in own if not VOCABULARY.objection(field))
