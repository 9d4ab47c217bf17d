"""What may be set about sinks: how to reach a database, or a broker for live topics."""

import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import model_validator

from gateway.mqtt.broker import BrokerSettings, Qos
from gateway.settings import Duration, Settings, url

HttpUrl = Annotated[str, url("http", "https", path=True)]


class InfluxSettings(Settings):
    """``type = "influxdb"``: InfluxDB 2.x, 1.x, or what speaks like them. ``timeout`` is for a whole request."""

    type: Literal["influxdb"] = "influxdb"
    url: HttpUrl
    api: Literal["v2", "v1"] = "v2"
    org: str | None = None
    bucket: str | None = None
    token_file: Path | None = None
    database: str | None = None
    retention_policy: str | None = None
    username: str | None = None
    password_file: Path | None = None
    ca_file: Path | None = None
    timeout: Duration = 10.0

    @model_validator(mode="after")
    def _complete(self) -> Self:
        wanted = ("database",) if self.api == "v1" else ("org", "bucket")
        if missing := [key for key in wanted if getattr(self, key) is None]:
            raise ValueError(f"{missing[0]!r} is missing: api = {self.api!r} needs {' and '.join(wanted)}")
        foreign = (
            ("org", "bucket") if self.api == "v1" else ("database", "retention_policy", "username", "password_file")
        )
        if given := [key for key in foreign if getattr(self, key) is not None]:
            raise ValueError(f"{given[0]!r} means nothing to api = {self.api!r}")
        if self.token_file is not None and self.username is not None:
            raise ValueError("'token_file' and 'username' exclude each other: a request carries one of them")
        return self


class LiveSettings(BrokerSettings):
    """``[sinks.NAME]`` with ``type = "mqtt"``: live topics for people and other systems."""

    type: Literal["mqtt"] = "mqtt"
    topic: str = "prehod/{gateway}/{measurement}/{sensor}"
    qos: Qos = 0
    retain: bool = False

    @model_validator(mode="after")
    def _placeholders(self) -> Self:
        rest = re.sub(r"\{(gateway|city|measurement|sensor)\}", "", self.topic)
        if not self.topic or set(rest) & set("{}#+"):
            known = "{gateway}, {city}, {measurement} and {sensor}"
            raise ValueError(f"topic {self.topic!r}: the names are {known}, and there is no # or +")
        return self
