"""The base of every settings model, and the types that their fields share. Pure.

The settings of a part stand in the ``settings`` module of its room (the broker's, which several rooms use, in
`gateway.mqtt.broker`): models that say what a configuration file may hold, and that the part takes as they are.
`gateway.config.models` puts them together.
"""

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict

from gateway.units import parse_duration, parse_size

RESERVED_TAGS = frozenset({"city", "gateway", "sensor"})


class Settings(BaseModel):
    """The base of settings: an unknown key is an error, and nothing changes after loading."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def url(*schemes: str, path: bool, query: bool = False) -> AfterValidator:
    """Return the check of a URL with one of these schemes; ``path`` and ``query`` say whether it may have those."""
    form = f"write it as {' or '.join(f'{known}://host:port' for known in schemes)}"

    def check(value: str) -> str:
        try:
            parts = urlsplit(value)
            right = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
        except ValueError:
            right = False
        if not right or value != value.strip():
            raise ValueError(form)
        if parts.username is not None:
            raise ValueError(f"{form}: a user name has its own key, and a password or token its own file")
        if (parts.query and not query) or parts.fragment or (parts.path.strip("/") and not path):
            raise ValueError(f"{form}: nothing comes after the port")
        return value

    return AfterValidator(check)


def _name(value: str) -> str:
    if not value or value != value.strip() or any(ord(letter) < 0x20 for letter in value):
        raise ValueError("a name is not empty, has no spaces around it and no control characters")
    return value


def _listen(value: str) -> str:
    host, separator, port = value.rpartition(":")
    if not separator or not host or not port.isdecimal() or int(port) > 65535:
        raise ValueError('write it as "address:port", for example "127.0.0.1:8080"')
    return value


def host_and_port(listen: str) -> tuple[str, int]:
    """Return the two parts of an address to listen on."""
    host, _, port = listen.rpartition(":")
    return host.strip("[]"), int(port)


def _header_name(value: str) -> str:
    if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", value):
        raise ValueError("the name of an HTTP header has letters, digits and dashes alone")
    return value


def _header_value(value: str) -> str:
    if value != value.strip() or not value.isascii() or not value.isprintable():
        raise ValueError("the value of an HTTP header is printable ASCII without spaces around it")
    return value


def _tags(value: dict[str, str]) -> dict[str, str]:
    if reserved := RESERVED_TAGS & value.keys():
        raise ValueError(f"the tag {min(reserved)!r} is set by the gateway itself")
    if "time" in value:
        raise ValueError("no tag can be called 'time': databases refuse it")
    return value


def _location(value: tuple[float, float]) -> tuple[float, float]:
    latitude, longitude = value
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        raise ValueError("a location is [latitude, longitude] in degrees")
    return value


Duration = Annotated[float, BeforeValidator(parse_duration)]
"""Seconds, written as ``"10s"``."""

Size = Annotated[int, BeforeValidator(parse_size)]
"""Bytes, written as ``"2GiB"``."""

Name = Annotated[str, AfterValidator(_name)]
"""A text that can stand in tags, topics and file names."""

Listen = Annotated[str, AfterValidator(_listen)]
"""An address to listen on, written as ``"127.0.0.1:8080"``."""

HeaderName = Annotated[str, AfterValidator(_header_name)]
HeaderValue = Annotated[str, AfterValidator(_header_value)]
"""A header of an HTTP request as the configuration writes it."""

Tags = Annotated[dict[Name, Name], AfterValidator(_tags)]
"""Tags that a reading gets beside those that the gateway sets."""

Location = Annotated[
    tuple[float, float], BeforeValidator(lambda v: tuple(v) if isinstance(v, list) else v), AfterValidator(_location)
]
"""Latitude and longitude in degrees."""
