"""What an earlier run stored with times that are still to come: its clock was ahead, and was set back since.

Our own stamps must rise within a series over a restart too. Looked for in each series by itself: a device whose own
clock is ahead must not move the times of its neighbours.
"""

from contextlib import suppress

from gateway import line_protocol
from gateway.errors import SpoolError
from gateway.ingest.intake import FAR
from gateway.spool import MemberDamaged, SpoolReader, decode_member

READINGS = 50_000
"""So many of the newest are looked at: some ten minutes of a busy gateway, and half a second of a small board."""


def still_to_come(reader: SpoolReader, end: int, now: int | None, *, readings: int = READINGS) -> dict[bytes, int]:
    """Return the newest time of each series, as `gateway.ingest.intake` writes it, later than ``now`` and near.

    ``end`` is the number after the last reading; times are nanoseconds UTC, None while nobody knows it. What cannot
    be read is passed over.
    """
    found: dict[bytes, int] = {}
    seq = max(0, end - readings)
    with suppress(SpoolError):
        while now is not None and (members := reader.read(seq, until=end)):
            seq = members[-1].header.end
            for member in members:
                if member.header.boot is None and member.header.t_max >= now:
                    with suppress(MemberDamaged):
                        _look(decode_member(member.raw), now, found)
    return found


def _look(text: bytes, now: int, found: dict[bytes, int]) -> None:
    for line in line_protocol.split(text):
        time = line_protocol.time_of(line)
        if time is not None and now <= time < now + FAR and (parts := line_protocol.split_line(line)):
            found[parts.series] = max(time, found.get(parts.series, 0))
