"""SHDLC, in which Sensirion's sensors are asked on a serial line: frames, stuffing, checks.

``kk`` is the complement of the low byte of the sum before it. Between the two 7E, what is 7E, 7D, 11 or 13 is sent as
7D and the byte xor 20 (7D 5E, 7D 5D, 7D 31, 7D 33), the check as well; lengths are counted before that::

    host     7E  00 cc    ll dd .. dd  kk  7E      00 address, c command, l bytes of data d
    sensor   7E  00 cc ss ll dd .. dd  kk  7E      s state: 0 fine, else why not; bit 7: an error is in its status

    7E 00 7D 31 43 00 AB 7E                        command 11, state 43; 00 + 11 + 43 + 00 = 54, its complement AB

States: 1 length, 2 unknown command, 3 access, 4 parameter, 28 internal, 43 not in this mode.

Source: SPS30 datasheet v2.0 D1, June 2023, chapter 5 (Sensirion); two of its examples carry wrong checks.
"""

import re
from typing import NamedTuple

from gateway.contract import Reject

HEADER = b"\x7e\x00"
UNKNOWN_COMMAND, NOT_NOW, ERROR_FLAG = 0x02, 0x43, 0x80
_TO_STUFF = re.compile(rb"[\x7d\x7e\x11\x13]")
_STUFFED = re.compile(rb"\x7d(.)", re.DOTALL)


class Reply(NamedTuple):
    """An answer; ``state`` is without its bit 7, which is ``flagged``."""

    command: int
    state: int
    flagged: bool
    data: bytes
    frame: bytes


def longest(data: int) -> int:
    """Return the bytes of the longest answer with so much data, every byte of it stuffed."""
    return 2 + 2 * (data + 5)


def stuff(plain: bytes) -> bytes:
    """Return what is sent for ``plain``."""
    return _TO_STUFF.sub(lambda found: bytes((0x7D, found[0][0] ^ 0x20)), plain)


def unstuff(sent: bytes) -> bytes:
    """Return what ``sent`` stands for; in one pass, so that 7D 5D 31 is 7D 31."""
    return _STUFFED.sub(lambda found: bytes((found[1][0] ^ 0x20,)), sent)


def command(code: int, data: bytes = b"") -> bytes:
    """Return the frame of a command."""
    body = bytes((0, code, len(data))) + data
    return b"\x7e" + stuff(body + bytes((_check(body),))) + b"\x7e"


def length(head: bytes) -> int:
    """Return the bytes of the frame that begins like this; 0 when more are needed to tell."""
    return head.find(b"\x7e", 1) + 1


def parse(frame: bytes) -> Reply | Reject:
    """Parse one whole frame, sound or damaged."""
    body = unstuff(frame[1:-1])
    if len(body) < 5 or body[3] != len(body) - 5:
        return Reject("length", frame, f"{len(body)} bytes")
    if (found := _check(body[:-1])) != body[-1]:
        return Reject("checksum", frame, f"check {found:02X}, frame says {body[-1]:02X}")
    return Reply(body[1], body[2] & ~ERROR_FLAG, bool(body[2] & ERROR_FLAG), body[4:-1], frame)


def _check(body: bytes) -> int:
    return ~sum(body) & 0xFF
