"""What a Canoga card says: its texts, and the last vehicle at each of its four loops; `drivers.canoga` asks for it.

    < ll a p .. p xx >      text: l length of the whole in hex, a address (a byte: 0 to 15 place in the rack, 128 to
                            254 as set, 255 anybody), p its letter and what belongs to it, x XOR of all before it, hex

    ddd ssss c t  four times, and x      answer to the text ``*``, 37 bytes, big endian: d duration in ms, s its start
                            in ms since the card's reset, c count from 0 to 255 and on, t state, x XOR of all before

    3C 30 38 FF 2A 45 31 3E              <08.*E1> to anybody: the last vehicles?

Source: the protocol as in the Minnesota DOT's IRIS (tms.server.comm.canoga).
"""

from functools import reduce
from operator import xor
from struct import iter_unpack
from typing import NamedTuple

from drivers.common.loops import Event
from gateway.contract import Reject

EVENTS = 37
"""Bytes of the answer with the last vehicles."""
LONGEST = 40
TEXT = ord("<")
AROUND = 8
"""Bytes of a text around what is said."""


class Text(NamedTuple):
    """One sound text."""

    address: int
    letter: bytes
    said: bytes


def check(data: bytes) -> int:
    """Return the XOR of all bytes."""
    return reduce(xor, data, 0)


def text(address: int, payload: bytes) -> bytes:
    """Return a text as it goes over the line; the payload begins with its letter."""
    head = b"<%02X" % (len(payload) + AROUND - 1) + bytes((address,)) + payload
    return head + b"%02X>" % check(head)


def text_length(head: bytes) -> int:
    """Return how long the text is that begins like this, 0 for "wait", -1 where none does."""
    if len(head) < 3:
        return 0
    digits = head[1:3].decode("latin-1")
    size = int(digits, 16) if all(digit in "0123456789ABCDEF" for digit in digits) else -1
    return size if AROUND <= size <= LONGEST else -1


def parse_text(frame: bytes) -> Text | Reject:
    """Return what one whole text says."""
    if frame[-1:] != b">":
        return Reject("length", frame, "no > at its end")
    if b"%02X" % check(frame[:-3]) != frame[-3:-1]:
        return Reject("checksum", frame, f"XOR {check(frame[:-3]):02X}")
    return Text(frame[3], frame[4:5], frame[5:-3])


def parse_events(frame: bytes) -> tuple[Event, ...] | None:
    """Return the last vehicle at each loop; None where the check is wrong."""
    if check(frame):
        return None
    return tuple(Event(int.from_bytes(long, "big"), *rest) for long, *rest in iter_unpack(">3sIBB", frame[:-1]))
