"""What a configuration file may hold: the models, with their defaults; `gateway.config.load` reads files into it."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from gateway.ingest.settings import CommitSettings, GatewayIdentity, SensorSettings
from gateway.links.ports import UsbPort
from gateway.settings import Duration, Location, Name, Settings, Size, Tags, url
from gateway.spool import SpoolSettings


def _topic_filter(value: str) -> str:
    levels = value.split("/")
    if "#" in "".join(levels[:-1]) or any(len(level) > 1 and set(level) & set("#+") for level in levels):
        raise ValueError('in a topic, "+" stands for one whole level and "#" for all that follow')
    return value


def _pause(value: float) -> float:
    if value < 0.001:
        raise ValueError("less than 1ms would leave the machine no time for anything else")
    return value


def _port(value: str) -> str:
    if value.lower().startswith("usb:"):
        return str(UsbPort.parse(value))
    return value


def _listen(value: str) -> str:
    host, separator, port = value.rpartition(":")
    if not separator or not host or not port.isdecimal() or int(port) > 65535:
        raise ValueError('write it as "address:port", for example "127.0.0.1:8080"')
    return value


MqttUrl = Annotated[str, url("mqtt", "mqtts", path=False)]
HttpUrl = Annotated[str, url("http", "https", path=True)]
TopicFilter = Annotated[Name, AfterValidator(_topic_filter)]
Port = Annotated[Name, AfterValidator(_port)]
Pause = Annotated[Duration, AfterValidator(_pause)]


class Gateway(GatewayIdentity):
    """``[gateway]``: this board."""

    data_dir: Path = Path("/var/lib/prehod")
    clock: Literal["auto", "system"] = "auto"
    gnss: Name | None = None


class SpoolTable(CommitSettings, SpoolSettings):
    """``[spool]``: how readings are kept on disk."""


class SerialDevice(Settings):
    """One device on a serial line."""

    driver: str
    sensor: Name
    address: int | None = None
    interval: Pause | None = None
    timeout: Pause | None = None
    restart_after: Duration | None = None
    options: dict[str, Any] = Field(default_factory=dict)
    location: Location | None = None
    expect_every: Duration | None = None
    tags: Tags = Field(default_factory=dict)


class SerialSource(Settings):
    """``[sources.NAME]`` with ``type = "serial"``: one line with one device, or a bus with ``devices``."""

    type: Literal["serial"]
    port: Port
    baudrate: int | None = Field(None, gt=0)
    parity: Literal["N", "E", "O"] | None = None
    stopbits: Literal[1, 2] | None = None
    devices: tuple[SerialDevice, ...] = ()
    driver: str | None = None
    sensor: Name | None = None
    interval: Pause | None = None
    timeout: Pause | None = None
    restart_after: Duration | None = None
    options: dict[str, Any] = Field(default_factory=dict)
    location: Location | None = None
    expect_every: Duration | None = None
    tags: Tags = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_or_many(self) -> Self:
        if self.devices:
            own = ("driver", "sensor", "interval", "timeout", "restart_after", "options", "location", "expect_every")
            if given := [key for key in own if key in self.model_fields_set]:
                raise ValueError(f"with devices = [...], {given[0]!r} belongs to each device")
        elif self.driver is None or self.sensor is None:
            missing = "driver" if self.driver is None else "sensor"
            raise ValueError(f"{missing!r} is missing (or devices = [...] for a bus)")
        return self

    def all_devices(self) -> tuple[SerialDevice, ...]:
        """Return the devices on this line, the short form written out."""
        if self.devices:
            return tuple(device.model_copy(update={"tags": {**self.tags, **device.tags}}) for device in self.devices)
        # Every value was checked by this model already, so it is taken over as it is.
        shared = {key: getattr(self, key) for key in SerialDevice.model_fields if key in type(self).model_fields}
        return (SerialDevice.model_construct(**shared),)


class Broker(Settings):
    """How to reach an MQTT broker; shared by sources and sinks."""

    url: MqttUrl
    username: str | None = None
    password_file: Path | None = None
    client_id: Name | None = None
    protocol: Literal["5", "3.1.1"] = "5"
    keepalive: Duration = 60.0
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None

    @property
    def tls(self) -> bool:
        """Tell whether the connection is encrypted."""
        return self.url.startswith("mqtts://")

    @property
    def address(self) -> tuple[str, int]:
        """Return host and port; 1883 and 8883 where the URL names no port."""
        parts = urlsplit(self.url)
        return parts.hostname or "", parts.port or (8883 if self.tls else 1883)


class MqttSource(Broker):
    """``[sources.NAME]`` with ``type = "mqtt"``."""

    type: Literal["mqtt"]
    driver: str
    topics: tuple[TopicFilter, ...] = ()
    qos: Literal[0, 1] = 1
    session_expiry: Duration = 7 * 86400.0
    receive_maximum: int = Field(1000, ge=1, le=5000)
    unknown_sensors: Literal["accept", "hold"] = "accept"
    options: dict[str, Any] = Field(default_factory=dict)
    tags: Tags = Field(default_factory=dict)


class InfluxSink(Settings):
    """``[sinks.NAME]`` with ``type = "influxdb"``: InfluxDB 2.x, 1.x, or what speaks like them."""

    type: Literal["influxdb"]
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
    max_lines: int = Field(5000, ge=1)
    max_bytes: Size = 1_000_000
    max_rate: int | None = Field(None, ge=1)
    gzip_members: Literal["join", "as-is"] = "join"

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


class MqttSink(Broker):
    """``[sinks.NAME]`` with ``type = "mqtt"``: live topics for people and other systems."""

    type: Literal["mqtt"]
    topic: str = "prehod/{gateway}/{measurement}/{sensor}"
    qos: Literal[0, 1] = 0
    retain: bool = False

    @model_validator(mode="after")
    def _placeholders(self) -> Self:
        rest = re.sub(r"\{(gateway|city|measurement|sensor)\}", "", self.topic)
        if not self.topic or set(rest) & set("{}#+"):
            known = "{gateway}, {city}, {measurement} and {sensor}"
            raise ValueError(f"topic {self.topic!r}: the names are {known}, and there is no # or +")
        return self


class Web(Settings):
    """``[web]``: the health page and the metrics."""

    listen: Annotated[str, AfterValidator(_listen)] = "127.0.0.1:8080"


Source = Annotated[SerialSource | MqttSource, Field(discriminator="type")]
Sink = Annotated[InfluxSink | MqttSink, Field(discriminator="type")]


class Configuration(Settings):
    """The whole file."""

    gateway: Gateway
    spool: SpoolTable = SpoolTable()
    sources: dict[Name, Source] = Field(default_factory=dict)
    sensors: dict[Name, SensorSettings] = Field(default_factory=dict)
    sinks: dict[Name, Sink] = Field(default_factory=dict)
    web: Web | None = None
