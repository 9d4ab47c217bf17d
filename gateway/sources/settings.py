"""What may be set about sources: a serial line with its devices, an MQTT broker, what comes by HTTP."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from gateway.links.http.settings import AskSettings, ListenSettings
from gateway.links.line_settings import NetworkPort
from gateway.links.mqtt.settings import MqttSettings
from gateway.links.ports import UsbPort
from gateway.settings import Duration, Location, Name, Settings, Tags
from gateway.sources.compression import Compression


def _port(value: str) -> str:
    if value.lower().startswith("usb:"):
        return str(UsbPort.parse(value))
    return str(NetworkPort.parse(value) or value)


def _stopbits(value: object) -> object:
    if value not in (1, 1.5, 2):
        raise ValueError("1, 1.5 or 2")
    return value


def _pause(value: float) -> float:
    if value < 0.001:
        raise ValueError("less than 1ms would leave the machine no time for anything else")
    return value


Port = Annotated[Name, AfterValidator(_port)]
"""A serial port: its path, what is plugged in (`gateway.links.ports`), or its place in a network (`NetworkPort`)."""

_LINE = ("baudrate", "databits", "parity", "stopbits", "dtr", "rts")
"""What is set up about a line."""


def _poll_interval(value: float) -> float:
    if value < 1.0:
        raise ValueError("less than 1s is no interval for HTTP: have the device post, or use MQTT")
    return value


PollInterval = Annotated[Duration, AfterValidator(_poll_interval)]

Pause = Annotated[Duration, AfterValidator(_pause)]


class Rs485Settings(Settings):
    """``rs485 = { .. }``: the kernel's RS-485 mode, for a UART whose RTS switches the driver of the line."""

    rts_on_send: bool = True
    delay_before_send: Duration = 0.0
    delay_after_send: Duration = 0.0


class SerialDeviceSettings(Settings):
    """One device on a serial line."""

    driver: str
    sensor: Name | None = None
    address: int | None = None
    interval: Pause | None = None
    timeout: Pause | None = None
    restart_after: Duration | None = None
    options: dict[str, Any] = Field(default_factory=dict)
    location: Location | None = None
    expect_every: Duration | None = None
    tags: Tags = Field(default_factory=dict)


class SerialSourceSettings(Settings):
    """``[sources.NAME]`` with ``type = "serial"``: one line with one device, or a bus with ``devices``."""

    type: Literal["serial"] = "serial"
    port: Port
    baudrate: int | None = Field(None, gt=0)
    databits: Literal[5, 6, 7, 8] | None = None
    parity: Literal["N", "E", "O", "M", "S"] | None = None
    stopbits: Annotated[float, BeforeValidator(_stopbits)] | None = None
    dtr: bool | None = None
    rts: bool | None = None
    rs485: Annotated[Rs485Settings, BeforeValidator(lambda one: {} if one is True else one)] | None = None
    devices: tuple[SerialDeviceSettings, ...] = ()
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
        elif self.driver is None:
            raise ValueError("'driver' is missing (or devices = [...] for a bus)")
        return self

    @model_validator(mode="after")
    def _set_up_where_the_line_is(self) -> Self:
        where = NetworkPort.parse(self.port)
        if where is None:
            return self
        if self.rs485 is not None:
            raise ValueError(f"'rs485' belongs to a port of this machine, and {where} is none")
        given = [key for key in _LINE if getattr(self, key) is not None]
        if given and where.scheme == "socket":
            raise ValueError(
                f"{given[0]!r} cannot be set through {where}: set it in the serial server itself and leave it out"
                " here, or write rfc2217:// if the server can be set up like that"
            )
        if given and where.scheme == "modbus":
            raise ValueError(f"{given[0]!r} means nothing to Modbus TCP: leave it out")
        return self

    def all_devices(self) -> tuple[SerialDeviceSettings, ...]:
        """Return the devices on this line, the short form written out."""
        if self.devices:
            return tuple(device.model_copy(update={"tags": {**self.tags, **device.tags}}) for device in self.devices)
        # Every value was checked by this model already, so it is taken over as it is.
        fields = SerialDeviceSettings.model_fields.keys() & type(self).model_fields.keys()
        return (SerialDeviceSettings.model_construct(**{key: getattr(self, key) for key in fields}),)


class MessageSourceSettings(Settings):
    """What every source of whole messages has: who reads them, and what is done with sensors nobody configured."""

    driver: str
    compression: Compression | None = None
    unknown_sensors: Literal["accept", "hold"] = "accept"
    options: dict[str, Any] = Field(default_factory=dict)
    tags: Tags = Field(default_factory=dict)


class MqttSourceSettings(MessageSourceSettings, MqttSettings):
    """``[sources.NAME]`` with ``type = "mqtt"``: a broker whose messages become readings."""

    type: Literal["mqtt"] = "mqtt"
    retained: Literal["accept", "skip"] | None = None
    """What a broker had kept and what has no time of its own: taken as of now, or left out; None: that is told."""


def _path(value: str) -> str:
    if not value.startswith("/") or not value.isprintable() or set(value) & set("?#&%") or "//" in value:
        raise ValueError('write it as "/stations": from the first slash, without ? # & %')
    return value if value == "/" else value.rstrip("/")


class HttpSourceSettings(MessageSourceSettings, ListenSettings):
    """``[sources.NAME]`` with ``type = "http"``: what posts its messages to us.

    ``path`` is "/NAME" unless it is set. ``sensor`` names the one sensor that all messages are of.
    """

    type: Literal["http"] = "http"
    path: Annotated[str, AfterValidator(_path)] | None = None
    token_file: Path | None = None
    sensor: Name | None = None

    def path_of(self, name: str) -> str:
        """Return the path of the source that is called so."""
        return self.path or f"/{name}"

    @property
    def exposed(self) -> str:
        """What others on the network can do that one may not want, with the remedy; "" for nothing."""
        if self.is_local:
            return ""
        if self.token_file is None:
            return "everybody who reaches this address may post; set token_file"
        if self.certificate_file is None:
            return "the token travels in clear text; set certificate_file, or put a proxy with TLS before it"
        return ""


class HttpPollSettings(MessageSourceSettings, AskSettings):
    """``[sources.NAME]`` with ``type = "http_poll"``: an address that is asked every ``interval``.

    ``topic`` is "NAME" unless it is set, for drivers that read one.
    """

    type: Literal["http_poll"] = "http_poll"
    interval: PollInterval = 60.0
    topic: Name | None = None
    sensor: Name | None = None
