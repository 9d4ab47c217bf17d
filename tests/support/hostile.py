"""Messages as nobody should send them: good ones among damaged ones, random bytes, and what breaks parsers."""

import random
from collections.abc import Iterator, Sequence

HOSTILE = (
    b"",
    b"\x00" * 100,
    b"[" * 5000,
    b"{" * 5000,
    b"null",
    b"nan",
    b"\xff\xfe{\x00}\x00",
    b"{'t': 21.5}",
    b'{"a":' * 1000 + b"1" + b"}" * 1000,
    b"1e999",
    b"9" * 5000,
    b"# a comment\n",
    b"[]",
    b"{}",
    b"\x81" * 200,
    b"\xc2\x61x",
    b"\xa1at\xc2\x59\x07\xd0" + b"\xff" * 2000,
)


def damaged(data: bytes, chance: random.Random) -> bytes:
    """Return bytes of which a few are others."""
    changed = bytearray(data)
    for _ in range(chance.randrange(1, 6) if changed else 0):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


def hostile_messages(
    recorded: Sequence[tuple[str, bytes]], longest: int, chance: random.Random
) -> Iterator[tuple[str, bytes]]:
    """Yield messages without end; ``longest`` is the longest that is read."""
    while True:
        topic, payload = chance.choice(recorded)
        kind = chance.randrange(6)
        if kind == 0:
            yield topic, payload
        elif kind == 1:
            yield topic, payload[: chance.randrange(len(payload) + 1)]
        elif kind == 2:
            yield topic, chance.randbytes(chance.randrange(200))
        elif kind == 3:
            yield chance.choice((topic, "x" * chance.randrange(1, 100))), chance.choice(HOSTILE)
        elif kind == 4 and chance.random() < 0.02:
            yield topic, bytes(longest + 1)
        else:
            yield topic, damaged(payload, chance)
