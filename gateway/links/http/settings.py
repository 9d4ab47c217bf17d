"""What may be set about HTTP: where to listen, and how to ask another server."""

from pathlib import Path
from typing import Self

from pydantic import model_validator

from gateway.settings import Listen, Settings, host_and_port


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
