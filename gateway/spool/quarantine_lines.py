"""How lines stand in a file of the quarantine, and how parked ones stand in the spool before they come there. Pure.

In the quarantine each line is below the words why it is there::

    # 2024-11-22T13:20:00Z unknown sensor ecda3b1eaaaf
    air_quality,sensor=ecda3b1eaaaf co2=441 1732281600000000000

In a member of the spool it is a comment, so that what ``zcat`` prints is line protocol all the same: a tab between
words and line, and in the line a percent sign and two hexadecimal digits for percent sign, double quote, backslash
and tab. InfluxDB 1.x reads on past the end of a comment that leaves a double quote open or ends in a backslash,
answers 204 and loses the line after it; so no comment has either::

    #parked	unknown sensor ecda3b1eaaaf	air_quality,sensor=ecda3b1eaaaf co2=441 1732281600000000000
"""

from collections.abc import Iterable
from contextlib import suppress
from typing import NamedTuple

MAX_REASON = 300
"""Characters of a server's words that are kept."""

UNKNOWN_SENSORS = "unknown"
"""The name in the quarantine for lines of sensors that nobody configured; no database may be called so."""

_OF_BOOT = "times are since boot "
_PARKED = b"#parked\t"
_ESCAPES = ((b"%", b"%25"), (b'"', b"%22"), (b"\\", b"%5C"), (b"\t", b"%09"))


class QuarantinedLine(NamedTuple):
    """A line of the quarantine and the comment above it, without its ``# ``."""

    reason: str
    line: bytes

    @property
    def boot(self) -> bytes | None:
        """The boot that its time counts from; ``None``: it is UTC."""
        _, _, words = self.reason.partition(" ")  # after the time
        with suppress(ValueError):
            return bytes.fromhex(words.removeprefix(_OF_BOOT)[:32]) if words.startswith(_OF_BOOT) else None
        return None


def parse(content: bytes) -> list[QuarantinedLine]:
    """Return the lines of a file."""
    lines, reason = [], ""
    for line in content.split(b"\n"):
        if line.startswith(b"#"):
            reason = line[1:].strip().decode(errors="replace")
        elif line.strip():
            lines.append(QuarantinedLine(reason, line))
    return lines


def text_of(lines: Iterable[QuarantinedLine]) -> bytes:
    """Return lines as a file."""
    parts: list[bytes] = []
    above = None
    for reason, line in lines:
        if reason != above:
            parts.append(b"# %s\n" % reason.encode())
            above = reason
        parts.append(line + b"\n")
    return b"".join(parts)


def one_line(reason: str) -> str:
    """Return ``reason`` as one printable line of bounded length, safe as a comment."""
    safe = reason.replace('"', "'").replace("\\", "/")
    printable = "".join(character if character.isprintable() else " " for character in safe)
    words = " ".join(printable.split())
    return words if len(words) <= MAX_REASON else words[: MAX_REASON - 3] + "..."


def park(reason: str, line: bytes) -> bytes:
    """Return a line of an unknown sensor as it stands in the spool, without its end."""
    for character, escape in _ESCAPES:
        line = line.replace(character, escape)
    return b"%s%s\t%s" % (_PARKED, one_line(reason).encode(), line)


def unpark(text: bytes, boot: bytes | None) -> list[QuarantinedLine]:
    """Return the lines that are parked in a member's text; ``boot`` is the one that its times count from."""
    lines = []
    for parked in text.split(b"\n"):
        mark, _, rest = parked.partition(b"\t")
        reason, tab, line = rest.partition(b"\t")
        if mark + b"\t" == _PARKED and tab:
            for character, escape in reversed(_ESCAPES):
                line = line.replace(escape, character)
            words = reason.decode(errors="replace")
            lines.append(QuarantinedLine(f"{of_boot(boot)}; {words}" if boot else words, line))
    return lines


def of_boot(boot: bytes) -> str:
    """Return the words that tell `QuarantinedLine` of which boot the times are."""
    return f"{_OF_BOOT}{boot.hex()}"
