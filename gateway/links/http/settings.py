"""What may be set about HTTP: where to listen, and how to ask another server."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from gateway.http.proxy import ProxyUrl
from gateway.settings import Duration, HeaderName, HeaderValue, Listen, Settings, host_and_port, url

_AUTHORIZATION = "Authorization"

PageUrl = Annotated[str, url("http", "https", path=True, query=True)]


class ListenSettings(Settings):
    """An address to listen on; with a certificate it speaks TLS alone."""

    listen: Listen = "127.0.0.1:8090"
    certificate_file: Path | None = None
    key_file: Path | None = None

    @model_validator(mode="after")
    def _certificate_and_key(self) -> Self:
        if self.key_file is not None and self.certificate_file is None:
            raise ValueError("'key_file' needs a 'certificate_file'")
        return self

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        return host_and_port(self.listen)

    @property
    def is_local(self) -> bool:
        """Whether this machine alone reaches it."""
        host, _ = self.address
        return host in {"localhost", "::1"} or host.startswith("127.")


class AskSettings(Settings):
    """An address that is asked. ``token_prefix`` stands before the token in ``token_header``."""

    url: PageUrl
    timeout: Duration = 10.0
    headers: dict[HeaderName, HeaderValue] = Field(default_factory=dict)
    token_file: Path | None = None
    token_header: HeaderName = _AUTHORIZATION
    token_prefix: str = "Bearer "  # noqa: S105 -- what stands before a token
    username: str | None = None
    password_file: Path | None = None
    proxy: ProxyUrl | None = None
    ca_file: Path | None = None

    @model_validator(mode="after")
    def _one_authorization(self) -> Self:
        if self.username is None and self.password_file is not None:
            raise ValueError("'password_file' needs a 'username'")
        if self.username is not None and self.token_file is not None and self.token_header == _AUTHORIZATION:
            raise ValueError("a name and a password take 'Authorization': name the token's header in 'token_header'")
        return self

    @property
    def where(self) -> str:
        """The address without its query, which may hold a key."""
        return self.url.partition("?")[0]
