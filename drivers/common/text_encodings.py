"""Texts in other encodings than UTF-8: what their bytes mean, told from the bytes alone.

A byte order mark and the zeros of UTF-16 and UTF-32 leave no doubt. A byte that is no UTF-8 is a letter of one of the
single-byte alphabets of Western and Central Europe: where these agree, it is that letter, and where they differ, a
private character that is not printable, so that no name is made of it.
"""

from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE, BOM_UTF32_BE, BOM_UTF32_LE

UNREADABLE = 0xF700
"""This plus a byte is the private character that stands for a byte of which nobody knows the alphabet."""

_BOMS = (
    (BOM_UTF8, "utf-8"),
    (BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (BOM_UTF32_BE, "utf-32-be"),
    (BOM_UTF16_LE, "utf-16-le"),
    (BOM_UTF16_BE, "utf-16-be"),
)
_BY_ZEROS: dict[tuple[bool, ...], str] = {
    (True, True, True, False): "utf-32-be",
    (False, True, True, True): "utf-32-le",
    (True, False, True, False): "utf-16-be",
    (False, True, False, True): "utf-16-le",
}
_ALPHABETS = ("latin-1", "iso8859-2", "iso8859-15", "cp1250", "cp1252")


def _agreed(byte: int) -> int:
    letters = {bytes([byte]).decode(alphabet, "replace") for alphabet in _ALPHABETS}
    return ord(letters.pop()) if len(letters) == 1 else UNREADABLE + byte


_SINGLE_BYTES = {0xDC00 + byte: _agreed(byte) for byte in range(0x80, 0x100)}
"""What Python decodes such a byte to -> what it means."""
AS_LATIN_1 = {UNREADABLE + byte: byte for byte in range(0x80, 0x100)}
"""For `str.translate`: what cannot be a name may still be the sign of a unit."""


def decode(payload: bytes) -> tuple[str, dict[str, str]]:
    """Return the text without its byte order mark, and what is unusual with the place where.

    Raises ``ValueError`` for bytes that are not in the encoding that they begin with.
    """
    unusual: dict[str, str] = {}
    encoding = next((encoding for mark, encoding in _BOMS if payload.startswith(mark)), None)
    if encoding:
        unusual["a byte order mark"] = "at the beginning"
    elif len(payload.rstrip(b"\0")) > 1:
        encoding = _BY_ZEROS.get(tuple(byte == 0 for byte in payload[:4]))
    if encoding in (None, "utf-8"):
        try:
            text = payload.decode()
        except UnicodeDecodeError as error:
            unusual["single bytes for letters"] = f"{payload[error.start]:02X} at byte {error.start + 1} is no UTF-8"
            text = payload.decode("utf-8", "surrogateescape").translate(_SINGLE_BYTES)
    else:
        assert encoding is not None
        name = encoding[:6].upper()
        unusual[name] = "where UTF-8 should be"
        surplus = len(payload) % (4 if name == "UTF-32" else 2)
        if surplus and not any(payload[-surplus:]):
            payload = payload[:-surplus]
        try:
            text = payload.decode(encoding)
        except UnicodeDecodeError as error:
            raise ValueError(f"no {name} at byte {error.start + 1}: {error.reason}") from None
    return text.removeprefix("\ufeff"), unusual
