"""An MQTT broker as the configuration names it: its address, our credentials, TLS.

Read here once for the sources' links, for the live topics and for ``prehod watch``.
"""

import ssl
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, Self
from urllib.parse import urlsplit

from gateway.credentials import read_secret, tls_context
from gateway.errors import CredentialsError, LinkRefused
from gateway.settings import Duration, Name, Settings, url

MqttUrl = Annotated[str, url("mqtt", "mqtts", path=False)]


class Credentials(NamedTuple):
    """What we show the broker; ``tls`` is None where the connection is not encrypted."""

    username: str | None
    password: str | None
    tls: ssl.SSLContext | None


class BrokerSettings(Settings):
    """How to reach an MQTT broker. An empty ``client_id`` is filled in by `with_client_id`."""

    url: MqttUrl
    username: str | None = None
    password_file: Path | None = None
    client_id: Name = ""
    protocol: Literal["5", "3.1.1"] = "5"
    keepalive: Duration = 60.0
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None

    @property
    def tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.url.startswith("mqtts://")

    @property
    def address(self) -> tuple[str, int]:
        """Host and port; 1883 and 8883 where the URL names no port."""
        parts = urlsplit(self.url)
        return parts.hostname or "", parts.port or (8883 if self.tls else 1883)

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
            tls = tls_context(self.ca_file, self.certificate_file, self.key_file) if self.tls else None
        except CredentialsError as error:
            raise LinkRefused(f"{self.where}: {error}") from error
        return Credentials(self.username, password, tls)
