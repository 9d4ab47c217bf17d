"""Content-Encoding of a body: unpacked within a bound. Pure."""

import zlib


class TooLarge(ValueError):
    """A body unpacks to more than is allowed."""


class UnknownEncoding(ValueError):
    """A body is encoded in a way that is not known here; the message names those that are."""


def decoded(body: bytes, encoding: str, longest: int) -> bytes:
    """Return a body as it was before its Content-Encoding, several of them undone from the last to the first.

    Raises `TooLarge` beyond ``longest`` bytes, `UnknownEncoding`, and ``ValueError`` for what is damaged.
    """
    for one in reversed([part.strip().lower() for part in encoding.split(",")]):
        if one in {"", "identity"}:
            continue
        if one in {"gzip", "x-gzip"}:
            body = _inflated(body, 16 + zlib.MAX_WBITS, longest)
        elif one == "deflate":
            # Meant is zlib (RFC 9110); some send what the name says.
            zlib_head = len(body) >= 2 and body[0] & 0x0F == 8 and not int.from_bytes(body[:2], "big") % 31
            body = _inflated(body, zlib.MAX_WBITS if zlib_head else -zlib.MAX_WBITS, longest)
        else:
            raise UnknownEncoding(f"Content-Encoding {one!r} is not known here: gzip, deflate or none")
    return body


def _inflated(body: bytes, window: int, longest: int) -> bytes:
    unpacked = b""
    while body:
        stream = zlib.decompressobj(window)
        try:
            unpacked += stream.decompress(body, longest + 1 - len(unpacked))
        except zlib.error as error:
            raise ValueError(f"the body cannot be unpacked: {error}") from None
        if len(unpacked) > longest:
            raise TooLarge(f"the body unpacks to more than {longest} bytes")
        if not stream.eof:
            raise ValueError("the body cannot be unpacked: it is cut short")
        body = stream.unused_data
    return unpacked
