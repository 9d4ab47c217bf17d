"""How a line of bytes is set up, and where it is: a port of this machine, or one behind a network."""

import re
from dataclasses import dataclass
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

FORMS = (
    "a path (/dev/ttyUSB0), usb:VID:PID, socket://HOST:PORT for a serial server, rfc2217://HOST:PORT for one that is "
    "to be set up, or modbus://HOST for Modbus TCP"
)

Scheme = Literal["socket", "rfc2217", "modbus"]
_DEFAULT_PORTS: dict[Scheme, int | None] = {"socket": None, "rfc2217": None, "modbus": 502}
_ELSEWHERE: dict[str, Scheme] = {
    "tcp": "socket",
    "telnet": "rfc2217",
    "modbus+tcp": "modbus",
    "modbus-tcp": "modbus",
    "modbustcp": "modbus",
    "mbtcp": "modbus",
    "rtuovertcp": "socket",
    "rtu+tcp": "socket",
}
"""What other programs call these schemes."""

_ADDRESS = re.compile(r"(?!/)[\w.-]+:\d{1,5}")


class NetworkPort(NamedTuple):
    """A serial line, or a Modbus network, behind a TCP port."""

    scheme: Scheme
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> "NetworkPort | None":
        """Read ``SCHEME://HOST:PORT``; None for what is no url, ``ValueError`` for one that is not ours."""
        if _ADDRESS.fullmatch(text):
            raise ValueError(f"write socket://{text} for a serial server, or modbus://{text} for Modbus TCP")
        scheme, separator, rest = text.partition("://")
        if not separator:
            return None
        scheme = scheme.lower()
        if ours := _ELSEWHERE.get(scheme):
            also = ", or for Modbus TCP modbus://" + rest if scheme == "tcp" else ""
            raise ValueError(f"write {ours}://{rest}{also}")
        if scheme not in _DEFAULT_PORTS:
            raise ValueError(f"a port is {FORMS}")
        parts = urlsplit(text)
        try:
            host, port = parts.hostname, parts.port or _DEFAULT_PORTS[scheme]
        except ValueError:
            host, port = None, None
        if not host or not port or parts.path.strip("/") or parts.query or "@" in parts.netloc:
            raise ValueError(f"write it as {scheme}://HOST:PORT, and nothing after that")
        return cls(scheme, host, port)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Rs485:
    """The kernel's RS-485 mode: it lets RTS switch the driver of the line on while it sends. Delays are seconds."""

    rts_on_send: bool = True
    delay_before_send: float = 0.0
    delay_after_send: float = 0.0


@dataclass(frozen=True, slots=True)
class SerialSettings:
    """How a port is set up; ``port`` is a path, a USB identity (`gateway.links.ports`) or a `NetworkPort`.

    ``dtr`` and ``rts`` are False where these lines are left alone, because a change resets what hangs on them.
    """

    port: str
    baudrate: int
    parity: str = "N"
    stopbits: float = 1
    databits: int = 8
    dtr: bool | None = None
    rts: bool | None = None
    rs485: Rs485 | None = None
