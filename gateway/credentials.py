"""Passwords, tokens and certificates: read from the files that the configuration names.

Everything that signs in somewhere reads its files here, so that each error names the key, the file and the remedy.
"""

import os
import pwd
import socket
import ssl
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from gateway.errors import CredentialsError

_NOT_YET_VALID, _EXPIRED, _WRONG_NAME, _WRONG_ADDRESS = 9, 10, 62, 64
_NO_KEY_USAGE = 92
_STRICT = range(80, 95)
_GUIDE = 'docs/install.md, "Certificates of your own"'
_REMEDIES = {
    # What only strict verification finds (RFC 5280), as Python has it since 3.13: an upgrade may end a connection.
    **dict.fromkeys(_STRICT, f"make the certificates anew, Python 3.13 and later are strict: {_GUIDE}"),
    _NO_KEY_USAGE: f"make the authority (ca_file) anew with keyUsage, as Python 3.13 and later require: {_GUIDE}",
    _NOT_YET_VALID: "is this machine's clock right?",
    _EXPIRED: "renew it, or is this machine's clock wrong?",
    _WRONG_NAME: "write the name that the certificate is for into the url",
    _WRONG_ADDRESS: "write the name that the certificate is for into the url",
}
"""What to do about a certificate that OpenSSL does not take, by its reason (``X509_V_ERR_...``)."""


def read_secret(key: str, file: Path) -> str:
    """Return the password or token in a file; raises `CredentialsError`.

    The end of the line and a byte order mark are the editor's; spaces, also at the ends, are the secret's own.
    """
    raw = _read(key, file)
    try:
        secret = raw.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:
        raise CredentialsError(f"{key}: {file}: not UTF-8 text; write the secret alone into it") from None
    if "\n" in secret:
        raise CredentialsError(f"{key}: {file}: holds several lines; write the secret alone into it, on one line")
    return secret


class _ClosingSocket(ssl.SSLSocket):
    """Closes when the handshake fails; paho leaves it open, for the garbage collector to find."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise


class _NamedContext(ssl.SSLContext):
    """Asks for one name, and expects the certificate to be for that, whatever address was connected to."""

    server_name = ""

    def wrap_socket(self, sock: socket.socket, *args: Any, **options: Any) -> ssl.SSLSocket:  # noqa: ANN401 -- the base's
        return super().wrap_socket(sock, *args, **{**options, "server_hostname": self.server_name})


def tls_context(
    ca_file: Path | None = None,
    certificate_file: Path | None = None,
    key_file: Path | None = None,
    *,
    server_name: str = "",
    alpn: Sequence[str] = (),
) -> ssl.SSLContext:
    """Return a client's TLS context, with a certificate of its own if one is named; raises `CredentialsError`.

    Without ``ca_file`` the machine's own authorities are trusted. The certificate has to be for ``server_name``, or
    for the address where that is "". ``alpn`` names the protocols that are offered behind one port.
    """
    for key, file in (("ca_file", ca_file), ("certificate_file", certificate_file), ("key_file", key_file)):
        if file is not None:
            _read(key, file)  # OpenSSL does not say which file it cannot read
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise CredentialsError(f"ca_file: {ca_file}: holds no certificate; it has to be in PEM form") from error
    if server_name:
        context = _named(context, server_name, ca_file)
    if alpn:
        context.set_alpn_protocols(alpn)
    context.sslsocket_class = _ClosingSocket
    if certificate_file is not None:
        _load_chain(context, certificate_file, key_file)
    return context


def _load_chain(context: ssl.SSLContext, certificate_file: Path, key_file: Path | None) -> None:
    try:
        context.load_cert_chain(certificate_file, key_file, password="")  # else OpenSSL asks at the terminal
    except (OSError, ValueError) as error:
        named = f"certificate_file: {certificate_file}" + (f", key_file: {key_file}" if key_file else "")
        words = _openssl_words(error) if isinstance(error, ssl.SSLError) else str(error)
        raise CredentialsError(
            f"{named}: cannot be used for TLS: {words}; certificate and key have to belong together, in PEM form"
            " and without a passphrase"
        ) from error


def server_tls_context(certificate_file: Path, key_file: Path | None = None) -> ssl.SSLContext:
    """Return a server's TLS context; the key may stand in the certificate's file. Raises `CredentialsError`."""
    for key, file in (("certificate_file", certificate_file), ("key_file", key_file)):
        if file is not None:
            _read(key, file)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    _load_chain(context, certificate_file, key_file)
    return context


def _named(default: ssl.SSLContext, server_name: str, ca_file: Path | None) -> ssl.SSLContext:
    """Return a context as strict as the default one, for another name than the address."""
    context = _NamedContext(ssl.PROTOCOL_TLS_CLIENT)
    context.server_name = server_name
    context.options, context.verify_flags = default.options, default.verify_flags
    if ca_file is None:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    else:
        context.load_verify_locations(ca_file)
    return context


def tls_error(error: BaseException | None) -> ssl.SSLError | None:
    """Return the TLS error behind one of aiomqtt's, if there is one."""
    while error is not None and not isinstance(error, ssl.SSLError):
        error = error.__cause__ or error.__context__
    return error


def tls_problem(error: ssl.SSLError, whose: str, *, name_key: str = "") -> str:
    """Return why TLS failed and what to do, in words; ``whose`` certificate it is, as in "the broker's".

    ``name_key`` is the key that may name another server than the url does, "" where there is none.
    """
    if isinstance(error, ssl.SSLCertVerificationError):
        remedy = _REMEDIES.get(error.verify_code, "name the authority that signed it in ca_file")
        if name_key and error.verify_code in (_WRONG_NAME, _WRONG_ADDRESS):
            remedy += f", or into {name_key}"
        return f"TLS: {whose} certificate is not trusted: {error.verify_message}; {remedy}"
    return f"TLS: {_openssl_words(error)}"


def _openssl_words(error: ssl.SSLError) -> str:
    """Return OpenSSL's reason without its source lines."""
    return (error.reason or str(error)).replace("_", " ").lower()


def _read(key: str, file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        why = "no such file; create it, or correct the path"
    except PermissionError:
        why = f"the user {_user()} may not read it; let that user read it, or run this as its owner"
    except IsADirectoryError:
        why = "a directory; name the file in it"
    except (OSError, ValueError) as error:
        why = f"cannot be read: {getattr(error, 'strerror', None) or error}; correct the path"
    raise CredentialsError(f"{key}: {file}: {why}")


def _user() -> str:
    with suppress(KeyError):
        return pwd.getpwuid(os.geteuid()).pw_name
    return str(os.geteuid())
