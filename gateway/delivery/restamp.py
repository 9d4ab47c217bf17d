"""From time since boot to UTC, once a boot's offset is known; pure."""

from gateway import line_protocol
from gateway.contract import Quality


def restamp(text: bytes, offset: int, *, estimated: bool) -> bytes:
    """Return line protocol with ``offset`` nanoseconds added to every time; comment lines are left out.

    ``estimated`` marks each reading with `Quality.ESTIMATED_TIME`, where quality is the last field, as it is in those
    of the gateway. A line without a time stays as it is.
    """
    lines = []
    for line in line_protocol.split(text):
        time = line_protocol.time_of(line)
        if time is None:
            lines.append(line + b"\n")
        else:
            head = line[: line.rindex(b" ")]
            lines.append(b"%s %d\n" % (_marked(head) if estimated else head, time + offset))
    return b"".join(lines)


def _marked(head: bytes) -> bytes:
    last = line_protocol.split_quality(head)
    if last is None:
        return head
    others, quality = last
    return b"%s%di" % (others, quality | int(Quality.ESTIMATED_TIME))
