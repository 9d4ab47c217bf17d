"""An MQTT broker as the configuration names it: its address, our credentials, TLS.

Read here once for the sources' links, for the live topics and for ``prehod watch``.
"""

import ssl
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, model_validator

from gateway.credentials import read_secret, tls_context, tls_problem
from gateway.errors import CredentialsError, LinkRefused
from gateway.settings import Duration, Name, Settings, url

PORTS = {"mqtt": 1883, "mqtts": 8883, "ws": 80, "wss": 443}
"""Each scheme, and the port where the URL names none."""

WEBSOCKET_PATH = "/mqtt"
"""Where brokers have their WebSocket, if the URL names no path."""

_ELSEWHERE = {"tcp": "mqtt", "ssl": "mqtts", "tls": "mqtts", "mqtt+ssl": "mqtts", "http": "ws", "https": "wss"}
"""What other programs call these schemes."""


def _own_scheme(value: str) -> str:
    scheme, separator, rest = value.partition("://")
    if separator and (ours := _ELSEWHERE.get(scheme.lower())):
        raise ValueError(f"write {ours}:// for {scheme}://, as in {ours}://{rest}")
    return value


def _path_of_websocket(value: str) -> str:
    parts = urlsplit(value)
    if parts.path.strip("/") and parts.scheme in ("mqtt", "mqtts"):
        raise ValueError(f"nothing comes after the port of {parts.scheme}://; only ws:// and wss:// have a path")
    return value


MqttUrl = Annotated[str, BeforeValidator(_own_scheme), url(*PORTS, path=True), AfterValidator(_path_of_websocket)]
Protocols = Annotated[tuple[str, ...], BeforeValidator(lambda value: (value,) if isinstance(value, str) else value)]


def _qos(value: object) -> object:
    if value not in (0, 1):
        raise ValueError("0 or 1; with 1 the gateway itself stores each message exactly once")
    return value


Qos = Annotated[Literal[0, 1], BeforeValidator(_qos)]


class Credentials(NamedTuple):
    """What we show the broker; ``tls`` is None where the connection is not encrypted."""

    username: str | None
    password: str | None
    tls: ssl.SSLContext | None


class BrokerSettings(Settings):
    """How to reach an MQTT broker. An empty ``client_id`` is filled in by `with_client_id`.

    ``server_name`` is the name that its certificate is for, where the url cannot have that; ``alpn`` what is asked
    for behind a port that several protocols share, as at port 443 of AWS IoT.
    """

    url: MqttUrl
    username: str | None = None
    password_file: Path | None = None
    client_id: Name = ""
    protocol: Literal["5", "3.1.1"] = "5"
    keepalive: Duration = 60.0
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    server_name: Name | None = None
    alpn: Protocols = ()

    @model_validator(mode="after")
    def _tls_only(self) -> Self:
        given = [key for key in ("server_name", "alpn") if getattr(self, key)]
        if given and not self.tls:
            raise ValueError(f"{given[0]!r} belongs to an encrypted connection: mqtts:// or wss://")
        return self

    @property
    def scheme(self) -> str:
        """One of `PORTS`."""
        return urlsplit(self.url).scheme

    @property
    def tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.scheme in ("mqtts", "wss")

    @property
    def websocket_path(self) -> str | None:
        """The path of the broker's WebSocket; None where MQTT is spoken without one."""
        parts = urlsplit(self.url)
        return (parts.path or WEBSOCKET_PATH) if parts.scheme in ("ws", "wss") else None

    @property
    def address(self) -> tuple[str, int]:
        """Host and port; the scheme's own where the URL names no port."""
        parts = urlsplit(self.url)
        return parts.hostname or "", parts.port or PORTS[parts.scheme]

    @property
    def where(self) -> str:
        """Host and port as people write them."""
        host, port = self.address
        return f"{host}:{port}"

    @property
    def keepalive_seconds(self) -> int:
        """The keep-alive as MQTT has it: whole seconds, 1 at least."""
        return max(1, round(self.keepalive))

    def with_client_id(self, default: str) -> Self:
        """Return the same settings with this client id, if they have none of their own."""
        return self if self.client_id else self.model_copy(update={"client_id": default})

    def load_credentials(self) -> Credentials:
        """Read the password and the certificates; raises `LinkRefused`, which names the file and the remedy."""
        password = None
        try:
            if self.username is not None and self.password_file is not None:
                password = read_secret("password_file", self.password_file)
            tls = self._tls_context() if self.tls else None
        except CredentialsError as error:
            raise LinkRefused(f"{self.where}: {error}") from error
        return Credentials(self.username, password, tls)

    def tls_problem(self, error: ssl.SSLError) -> str:
        """Return why TLS with this broker failed, and what to do."""
        return tls_problem(error, "the broker's", name_key="server_name")

    def _tls_context(self) -> ssl.SSLContext:
        name = self.server_name or ""
        return tls_context(self.ca_file, self.certificate_file, self.key_file, server_name=name, alpn=self.alpn)
