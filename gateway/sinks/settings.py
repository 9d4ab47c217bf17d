"""What may be set about sinks: how to reach a database, or a broker for live topics."""

import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from gateway.http.proxy import ProxyUrl
from gateway.mqtt.broker import BrokerSettings, Qos
from gateway.settings import Duration, HeaderName, HeaderValue, Settings, url

HttpUrl = Annotated[str, url("http", "https", path=True)]

_WANTED = {"v3": ("database",), "v2": ("org", "bucket"), "v1": ("database",)}
_FOREIGN = {
    "v3": ("org", "bucket", "retention_policy"),
    "v2": ("database", "retention_policy"),
    "v1": ("org", "bucket"),
}
"""Settings that each API needs, and those that mean nothing to it."""


class InfluxSettings(Settings):
    """``type = "influxdb"``: InfluxDB 3, 2.x, 1.x, or what speaks like them. ``timeout`` is for a whole request.

    A name and a password take the header ``Authorization`` (Basic); a token beside them goes in ``token_header``,
    for the proxy that asks for the password to pass on.
    """

    type: Literal["influxdb"] = "influxdb"
    url: HttpUrl
    api: Literal["v3", "v2", "v1"] = "v2"
    org: str | None = None
    bucket: str | None = None
    token_file: Path | None = None
    token_header: HeaderName = "X-Authorization"  # noqa: S105 -- a header's name
    database: str | None = None
    retention_policy: str | None = None
    username: str | None = None
    password_file: Path | None = None
    headers: dict[HeaderName, HeaderValue] = Field(default_factory=dict)
    proxy: ProxyUrl | None = None
    ca_file: Path | None = None
    timeout: Duration = 10.0

    @model_validator(mode="after")
    def _complete(self) -> Self:
        wanted = _WANTED[self.api]
        if missing := [key for key in wanted if getattr(self, key) is None]:
            remedy = "; InfluxDB 3 has databases instead: api = 'v3'" if self.api == "v2" else ""
            raise ValueError(f"{missing[0]!r} is missing: api = {self.api!r} needs {' and '.join(wanted)}{remedy}")
        if given := [key for key in _FOREIGN[self.api] if getattr(self, key) is not None]:
            raise ValueError(f"{given[0]!r} means nothing to api = {self.api!r}")
        if self.username is None and self.password_file is not None:
            raise ValueError("'password_file' needs a 'username'")
        if self.token_file is None and "token_header" in self.model_fields_set:
            raise ValueError("'token_header' needs a 'token_file'")
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
