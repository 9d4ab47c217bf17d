"""Passwords, tokens and certificates: what cannot be used is told with its key, its file and the remedy."""

import os
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.credentials import read_secret, tls_context, tls_problem
from gateway.errors import CredentialsError
from tests.support.certificates import Certificates, openssl


def test_a_secret_is_what_a_file_holds_without_the_spaces_around_it(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(" \u010duvaj me \n", encoding="utf-8")
    assert read_secret("token_file", file) == "\u010duvaj me"


@pytest.mark.parametrize(
    ("write", "says"),
    [
        (lambda _: None, "no such file; create it, or correct the path"),
        (lambda file: file.mkdir(), "a directory; name the file in it"),
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
    files = {
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


def test_what_else_ends_tls_is_told_in_openssls_words() -> None:
    error = ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1000)")
    error.reason = "WRONG_VERSION_NUMBER"
    assert tls_problem(error, "the broker's") == "TLS: wrong version number"
