"""Passwords, tokens and certificates: what cannot be used is told with its key, its file and the remedy."""

import os
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.credentials import read_secret, tls_context, tls_problem
from gateway.errors import CredentialsError
from tests.support.certificates import Certificates, openssl


@pytest.mark.parametrize(
    ("written", "secret"),
    [
        ("\u010duvaj me\n", "\u010duvaj me"),
        (" sp ace ", " sp ace "),
        (" sp ace \n", " sp ace "),
        ("\ttab\r\n", "\ttab"),
        ("\ufeffof a windows editor\r\n\r\n", "of a windows editor"),
        ("", ""),
    ],
)
def test_a_secret_is_the_line_that_a_file_holds_with_the_spaces_at_its_ends(
    tmp_path: Path, written: str, secret: str
) -> None:
    file = tmp_path / "password"
    file.write_bytes(written.encode())
    assert read_secret("password_file", file) == secret


@pytest.mark.parametrize(
    ("write", "says"),
    [
        (lambda _: None, "no such file; create it, or correct the path"),
        (lambda file: file.mkdir(), "a directory; name the file in it"),
        (
            lambda file: file.write_text("user\nsecret\n"),
            "holds several lines; write the secret alone into it, on one line",
        ),
        (lambda file: file.write_bytes(b"\xff\xfe"), "not UTF-8 text; write the secret alone into it"),
        (lambda file: file.symlink_to(file), "cannot be read: Too many levels of symbolic links; correct the path"),
    ],
)
def test_a_secret_that_cannot_be_read_is_told_with_its_key_its_file_and_the_remedy(
    tmp_path: Path, write: Callable[[Path], object], says: str
) -> None:
    file = tmp_path / "secret"
    write(file)
    with pytest.raises(CredentialsError) as caught:
        read_secret("token_file", file)
    assert str(caught.value) == f"token_file: {file}: {says}"


def test_a_path_that_is_none_is_told_too() -> None:
    with pytest.raises(CredentialsError, match=r"^password_file: .*cannot be read: embedded null byte; correct"):
        read_secret("password_file", Path("a\0b"))


def test_who_may_not_read_a_secret_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def deny(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", deny)
    monkeypatch.setattr(os, "geteuid", lambda: 987654)
    with pytest.raises(CredentialsError, match="the user 987654 may not read it; let that user read it, or run this"):
        read_secret("password_file", tmp_path / "secret")


@pytest.mark.parametrize("key", ["ca_file", "certificate_file", "key_file"])
def test_of_several_files_the_one_that_is_missing_is_named(
    key: str, certificates: Certificates, tmp_path: Path
) -> None:
    files: dict[str, Any] = {
        "ca_file": certificates.authority,
        "certificate_file": certificates.client,
        "key_file": certificates.client_key,
    }
    tls_context(**files)
    missing = tmp_path / "missing.pem"
    with pytest.raises(CredentialsError, match=f"^{key}: {missing}: no such file"):
        tls_context(**{**files, key: missing})


def test_a_file_without_a_certificate_is_told(tmp_path: Path, certificates: Certificates) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing\n", encoding="utf-8")
    with pytest.raises(CredentialsError, match=f"^ca_file: {empty}: holds no certificate; it has to be in PEM form"):
        tls_context(empty)
    with pytest.raises(CredentialsError, match=f"^certificate_file: {empty}: cannot be used for TLS: .*in PEM form"):
        tls_context(None, empty)
    with pytest.raises(CredentialsError, match=f"certificate_file: {certificates.client}, key_file: {empty}: cannot"):
        tls_context(None, certificates.client, empty)


def test_a_key_with_a_passphrase_is_refused_and_nobody_is_asked_for_it(
    tmp_path: Path, certificates: Certificates
) -> None:
    locked = tmp_path / "locked.key"
    openssl("ec", "-in", certificates.client_key, "-aes256", "-passout", "pass:secret", "-out", locked)
    with pytest.raises(CredentialsError, match="without a passphrase"):
        tls_context(None, certificates.client, locked)


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        (9, "is this machine's clock right?"),
        (10, "renew it, or is this machine's clock wrong?"),
        (19, "name the authority that signed it in ca_file"),
        (62, "write the name that the certificate is for into the url"),
    ],
)
def test_a_certificate_that_is_not_trusted_is_told_with_the_remedy(code: int, remedy: str) -> None:
    error = ssl.SSLCertVerificationError(1, "x")
    error.verify_code = code
    error.verify_message = "words of OpenSSL"
    assert tls_problem(error, "the server's") == (
        f"TLS: the server's certificate is not trusted: words of OpenSSL; {remedy}"
    )


def test_a_certificate_for_another_name_is_told_with_the_key_that_may_hold_it() -> None:
    error = ssl.SSLCertVerificationError(1, "x")
    error.verify_code, error.verify_message = 62, "Hostname mismatch"
    assert tls_problem(error, "the broker's", name_key="server_name").endswith(
        "; write the name that the certificate is for into the url, or into server_name"
    )


def test_what_else_ends_tls_is_told_in_openssls_words() -> None:
    error = ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1000)")
    error.reason = "WRONG_VERSION_NUMBER"
    assert tls_problem(error, "the broker's") == "TLS: wrong version number"
