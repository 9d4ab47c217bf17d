"""From time since boot to UTC, once a boot's offset is known; pure."""

from gateway.contract import Quality

_MARK = b"quality="


def restamp(text: bytes, offset: int, *, estimated: bool) -> bytes:
    """Return line protocol with ``offset`` nanoseconds added to every time; comment lines are left out.

    ``estimated`` marks each reading with `Quality.ESTIMATED_TIME`.
    """
    lines = []
    for line in text.splitlines():
        if not line or line.startswith(b"#"):
            continue
        head, _, time = line.rpartition(b" ")
        if estimated:
            head = _marked(head)
        lines.append(b"%s %d\n" % (head, int(time) + offset))
    return b"".join(lines)


def _marked(head: bytes) -> bytes:
    before, mark, value = head.rpartition(_MARK)
    # The gateway writes quality as the last field, an integer.
    return b"%s%s%di" % (before, mark, int(value.rstrip(b"i")) | Quality.ESTIMATED_TIME) if mark else head
