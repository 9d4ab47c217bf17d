"""Certificates for tests of TLS, made by openssl."""

import subprocess
from pathlib import Path
from typing import NamedTuple


class Certificates(NamedTuple):
    """An authority, a server and a client that it signed, and an authority of which nobody has heard."""

    authority: Path
    stranger: Path
    server: Path
    server_key: Path
    client: Path
    client_key: Path


def openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def make_certificates(directory: Path) -> Certificates:
    made = Certificates(*(directory / f"{name}.pem" for name in Certificates._fields))
    new = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    for file, name in ((made.authority, "authority"), (made.stranger, "stranger")):
        openssl(*new, "-subj", f"/CN={name}", "-keyout", directory / f"{name}.key", "-out", file)
    signed = ("-CA", made.authority, "-CAkey", directory / "authority.key")
    server = ("-subj", "/CN=broker", "-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=CA:FALSE")
    openssl(*new, *server, *signed, "-keyout", made.server_key, "-out", made.server)
    client = ("-subj", "/CN=prehod", "-addext", "basicConstraints=CA:FALSE")
    openssl(*new, *client, *signed, "-keyout", made.client_key, "-out", made.client)
    return made
