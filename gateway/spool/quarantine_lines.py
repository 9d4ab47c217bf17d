"""How lines stand in a file of the quarantine: each under the words why it is there. Pure."""

from collections.abc import Iterable
from contextlib import suppress
from typing import NamedTuple

MAX_REASON = 300
"""Characters of a server's words that are kept."""

_OF_BOOT = "times are since boot "


class Held(NamedTuple):
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


def parse(content: bytes) -> list[Held]:
    """Return the lines of a file."""
    lines, reason = [], ""
    for line in content.split(b"\n"):
        if line.startswith(b"#"):
            reason = line[1:].strip().decode(errors="replace")
        elif line.strip():
            lines.append(Held(reason, line))
    return lines


def text_of(lines: Iterable[Held]) -> bytes:
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
    """Return ``reason`` as one printable line of bounded length, safe as a comment.

    InfluxDB 1.x reads on past the end of a comment that leaves a double quote open or ends in a backslash, answers
    204 and loses the line after it; so both are replaced.
    """
    safe = reason.replace('"', "'").replace("\\", "/")
    printable = "".join(character if character.isprintable() else " " for character in safe)
    words = " ".join(printable.split())
    return words if len(words) <= MAX_REASON else words[: MAX_REASON - 3] + "..."


def of_boot(boot: bytes) -> str:
    """Return the words that tell `Held` of which boot the times are."""
    return f"{_OF_BOOT}{boot.hex()}"
