"""SHDLC on the sensor's side, as Sensirion's sensors speak it: the check, and the stuffing of what would be a mark.

``7E stuffed(body check) 7E``; the check is the complement of the low byte of the body's sum, and 7E, 7D, 11 and 13
are sent as 7D and themselves xor 20.
"""


def check(body: bytes) -> int:
    """Return the check of a frame's body."""
    return ~sum(body) & 0xFF


def framed(body: bytes) -> bytes:
    """Return the frame of an answer."""
    plain = body + bytes((check(body),))
    return (
        b"\x7e"
        + b"".join(bytes((0x7D, one ^ 0x20)) if one in b"\x7e\x7d\x11\x13" else bytes((one,)) for one in plain)
        + b"\x7e"
    )


def unstuffed(body: bytes) -> bytes:
    """Return what was sent between two marks, check included."""
    plain = bytearray()
    escaped = False
    for byte in body:
        if byte == 0x7D and not escaped:
            escaped = True
        else:
            plain.append(byte ^ 0x20 if escaped else byte)
            escaped = False
    return bytes(plain)
