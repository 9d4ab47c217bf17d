"""Compressed messages: unpacked before the driver sees them, within bounds. Pure.

A few kilobytes of gzip can unpack to gigabytes, so no more is unpacked than the driver's longest message has. What is
not compressed as the configuration says is refused with a word that tells what it looks like; with ``auto``, what is
not compressed at all is taken as it is.
"""

import zlib
from typing import Literal

from gateway.contract import Reject

Compression = Literal["gzip", "zlib", "auto"]

_GZIP = b"\x1f\x8b\x08"
_WINDOW = {"gzip": 16 + zlib.MAX_WBITS, "zlib": zlib.MAX_WBITS}
_TASTE = 64
"""Bytes unpacked of what only looks like zlib: its two bytes of header are a letter and something else in texts."""


def unpack(payload: bytes, compression: Compression, longest: int) -> bytes | Reject:
    """Return what a message holds, at most ``longest`` bytes; a `Reject` for what cannot be unpacked."""
    found = looks_like(payload)
    if compression == "auto":
        if found is None:
            return payload
        compression = found
    if found != compression:
        what = f"{found} in place of" if found else "not compressed with"
        return Reject("noise", b"", f'{what} {compression}: set compression = "{found or "auto"}"')
    unpacked = b""
    rest = payload
    while rest:
        stream = zlib.decompressobj(_WINDOW[compression])
        try:
            unpacked += stream.decompress(rest, longest + 1 - len(unpacked))
        except zlib.error as error:
            return Reject("checksum", b"", f"damaged {compression}: {error}")
        if len(unpacked) > longest:
            return Reject("length", b"", f"{compression} of more than {longest} bytes")
        if not stream.eof:
            return Reject("length", b"", f"{compression} that is cut short")
        rest = stream.unused_data.lstrip(b"\0")  # tar and some modems fill up with zeros
    return unpacked


def looks_like(payload: bytes) -> Literal["gzip", "zlib"] | None:
    """Return how a message seems to be compressed, None for not at all."""
    if payload.startswith(_GZIP):
        return "gzip"
    if len(payload) < 8 or payload[0] & 0x0F != 8 or int.from_bytes(payload[:2], "big") % 31:
        return None
    try:
        tasted = zlib.decompressobj().decompress(payload[:-4], _TASTE)  # without the checksum
    except zlib.error:
        return None
    return "zlib" if tasted else None
