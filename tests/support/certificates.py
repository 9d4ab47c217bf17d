"""Certificates for tests of TLS, made by openssl as a city makes its own; see docs/install.md."""

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.requirements import require_program

NEW = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
KEY_USAGE = "keyUsage=critical,keyCertSign,cRLSign"
STRICT = pytest.mark.skipif(sys.version_info < (3, 13), reason="Python verifies certificates strictly since 3.13")


class Certificate(NamedTuple):
    """A certificate and its key."""

    file: Path
    key: Path


class Authority:
    """Who signs certificates; ``file`` is its own, with these extensions beside the usual ones."""

    def __init__(self, directory: Path, name: str = "authority", *extensions: str) -> None:
        self._directory = directory
        self.file, self._key = _new(directory, name, *(extensions or (KEY_USAGE,)))

    def certify(self, name: str, *extensions: str, host: str = "IP:127.0.0.1") -> Certificate:
        """Make a certificate for a host."""
        usual = (f"subjectAltName={host}", "basicConstraints=critical,CA:FALSE")
        return _new(self._directory, name, *usual, *extensions, by=(self.file, self._key))


class Certificates(NamedTuple):
    """An authority, a server and a client that it signed, and an authority of which nobody has heard."""

    authority: Path
    stranger: Path
    server: Path
    server_key: Path
    client: Path
    client_key: Path


def make_certificates(directory: Path) -> Certificates:
    authority, stranger = Authority(directory), Authority(directory, "stranger")
    return Certificates(authority.file, stranger.file, *authority.certify("server"), *authority.certify("client"))


def without_key_usage(directory: Path) -> Authority:
    """Make an authority as ``openssl req -x509`` makes it when nothing else is asked for."""
    return Authority(directory, "careless", "nsComment=made by hand")


def openssl(*arguments: str | Path) -> None:
    require_program("openssl")
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def _new(directory: Path, name: str, *extensions: str, by: tuple[Path, Path] | None = None) -> Certificate:
    made = Certificate(directory / f"{name}.pem", directory / f"{name}.key")
    more: list[str | Path] = ["-CA", by[0], "-CAkey", by[1]] if by else []
    for extension in extensions:
        more += ["-addext", extension]
    openssl(*NEW, "-subj", f"/CN={name}", "-out", made.file, "-keyout", made.key, *more)
    return made
