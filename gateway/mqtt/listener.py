"""What listens where a broker should be: asked once a connection ended before the broker had answered.

TLS spoken to a plain port, or the reverse, ends in a reset that says nothing; so does MQTT 5 spoken to a broker of
3.1.1. So the same address is asked once more, in other ways and without our name or password, what it understands.
"""

import os
import socket
import ssl
from base64 import b64encode
from collections.abc import Callable
from contextlib import suppress

from gateway.errors import LinkRefused
from gateway.mqtt.broker import WEBSOCKET_PATH, BrokerSettings

PATIENCE = 2.0
"""Seconds for each look."""

_CONNECT_311 = bytes.fromhex("10 0C 0004 4D515454 04 02 000A 0000")
_CONNECT_5 = bytes.fromhex("10 0D 0004 4D515454 05 02 000A 00 0000")
"""CONNECT with a clean session and an empty client id."""

_CONNACK = 0x20
_OLD_REFUSAL = bytes.fromhex("20 02 00 01")
"""The CONNACK by which a broker of MQTT 3.1.1 refuses any other version."""

Open = Callable[[], socket.socket]


def wrong_way(settings: BrokerSettings, tls: ssl.SSLContext | None) -> LinkRefused | None:
    """Return what is wrong with the scheme, the port, the path or the version; None where nothing is seen to be.

    Blocks for a few times `PATIENCE` at most: call it in a thread.
    """
    found = _wrong_scheme(settings)
    if not found:
        found = _wrong_path(settings, tls) if settings.websocket_path is not None else _wrong_version(settings, tls)
    return LinkRefused(f"{settings.where}: {found}") if found else None


def _wrong_scheme(settings: BrokerSettings) -> str:
    plain = _opener(settings, None)
    websocket = settings.websocket_path is not None
    if not settings.tls and _speaks_tls(plain):
        secure = "wss" if websocket else "mqtts"
        return f"this port speaks TLS: write {secure}:// in the url, or the port that is not encrypted"
    return (_wrong_for_websocket if websocket else _wrong_for_mqtt)(settings, plain)


def _wrong_for_websocket(settings: BrokerSettings, plain: Open) -> str:
    if settings.tls and " 101" in _first_line(plain, settings):
        return "this port is not encrypted: write ws:// in the url, or the port that speaks TLS"
    if _is_mqtt(_said(plain, _CONNECT_311)):
        return "MQTT is spoken here without a WebSocket: write mqtt:// in the url, or the port of the WebSocket"
    return ""


def _wrong_for_mqtt(settings: BrokerSettings, plain: Open) -> str:
    said = _said(plain, _CONNECT_311)
    if settings.tls and _is_mqtt(said):
        return "this port is not encrypted: write mqtt:// in the url, or the port that speaks TLS (mostly 8883)"
    if not said:
        said = _first_line(plain, settings).encode()
    # A server of TLS may tell in plain HTTP that it is one.
    if said.startswith(b"HTTP/") and not settings.tls:
        return "a web server is at this port: write ws:// or wss:// in the url, or the port of MQTT (mostly 1883)"
    return ""


def _wrong_path(settings: BrokerSettings, tls: ssl.SSLContext | None) -> str:
    line = _first_line(_opener(settings, tls), settings)
    if not line.startswith("HTTP/") or " 101" in line:
        return ""
    return f"no WebSocket for MQTT at {settings.websocket_path} ({line}): correct the path in the url, or the port"


def _wrong_version(settings: BrokerSettings, tls: ssl.SSLContext | None) -> str:
    if settings.protocol != "5":
        return ""
    new, old = (_said(_opener(settings, tls), connect) for connect in (_CONNECT_5, _CONNECT_311))
    if _is_mqtt(old) and (not new or new == _OLD_REFUSAL):
        return 'the broker speaks MQTT 3.1.1 only: set protocol = "3.1.1"'
    return ""


def _opener(settings: BrokerSettings, tls: ssl.SSLContext | None) -> Open:
    host, port = settings.address

    def connect() -> socket.socket:
        opened = socket.create_connection((host, port), timeout=PATIENCE)
        return opened if tls is None else tls.wrap_socket(opened, server_hostname=host)

    return connect


def _speaks_tls(connect: Open) -> bool:
    """Tell whether a handshake begins; nothing is sent in it and nothing believed, so no certificate is looked at."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with connect() as plain, context.wrap_socket(plain):
            return True
    except ssl.SSLError as error:
        return "ALERT" in (error.reason or "")  # it refused us in TLS's own words
    except OSError:
        return False


def _said(connect: Open, data: bytes) -> bytes:
    """Return the beginning of the answer to ``data``; b"" where there is none."""
    with suppress(OSError), connect() as opened:
        opened.sendall(data)
        return opened.recv(256)
    return b""


def _is_mqtt(said: bytes) -> bool:
    return said[:1] == bytes((_CONNACK,))


def _first_line(connect: Open, settings: BrokerSettings) -> str:
    """Return the first line of the answer to the beginning of a WebSocket."""
    lines = (
        f"GET {settings.websocket_path or WEBSOCKET_PATH} HTTP/1.1",
        f"Host: {settings.where}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {b64encode(os.urandom(16)).decode()}",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Protocol: mqtt",
    )
    said = _said(connect, ("\r\n".join(lines) + "\r\n\r\n").encode())
    return said.partition(b"\r\n")[0].decode("latin-1")
