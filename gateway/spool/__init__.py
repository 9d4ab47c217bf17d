"""The spool: every reading is on the disk before anybody is told that we have it, and what is there goes on the wire.

Constraints
    A board on a lamp post loses power without notice, its card wears out and lies, its disk fills up, its network is
    away for a week. What was acknowledged must survive the first, be mostly readable after the second, and wait for
    the last; and the daemon must always start. A stranger with a card reader must get at the readings without us.

On disk
    ::

        spool/
          lock                         flock'ed by the owner; holds its pid, for people
          00000000000000000000.lp.gz   segments, named by the sequence number of their first reading
          00000000000000081920.lp.gz
          cursors/influx.json          {"version": 1, "next": 90112, ...}: the sink has everything below
          damaged/                     pieces that are no good members, named SEGMENT-OFFSET; never deleted by us
          quarantine/influx.lp         lines that the server will never take, with its words above them
          quarantine/unknown.lp        lines of sensors that nobody configured
          quarantine/parked.json       how far they were brought there from the spool: see `parked`
          requests/                    what people ask of the owner: see `requests`
          losses.jsonl                 the loss ledger: what is gone, and why

    Every reading has a sequence number; they rise by one and are never given twice. A segment is a row of gzip
    members and so a gzip file itself: ``zcat *.lp.gz`` prints line protocol. `member` draws one: its header holds its
    own length, its sequence numbers, its time range, the MQTT packets that it came in, and checks. A segment ends
    where the next one's name begins: members beyond that are leftovers, and do not count.

    What is committed together is a group: a run of members in one segment, of which each says whether the group
    continues and whether it began before. A member holds one kind of lines: readings with UTC, readings with the time
    since boot, or parked lines of unknown sensors. All of a group counts, or nothing does.

    Members have a format number. A segment with members of a later one is left as it is: it is neither delivered nor
    taken for damage, its numbers are not given again, and a problem names it and the remedy.

Write (`writer`)
    Compress, write the group at the end of the newest segment, fdatasync; for a new segment fsync the directory too;
    only then is the group acknowledged. If anything fails the group is not there: its bytes are cut off, the file is
    given up, and the next attempt gets the same sequence numbers in a new segment.

Park (`parked`, `quarantine`)
    Lines of sensors that nobody configured wait for a person. They are written in the group of the messages that they
    came in, as comment lines, so that a message is durable as a whole or not at all. Readers pass over them; a
    consumer with a cursor of its own brings them into the quarantine, each once: it writes down the file's size, adds
    the lines, and moves its cursor on, and after a kill it begins at that size again.

Read (`reader`, `cursors`, `consumer`)
    The segment is found by its name, the member by walking headers; a reader that goes on knows its place. A member
    is verified by the checksum over its compressed bytes and handed on as it is. After damage the walk continues at
    the next good member. Each sink has its own cursor, which only its `Consumer` writes; only after the sink has
    stored everything below does that move, by write-temporary-and-rename. It may be lost: sending again is harmless,
    because times were fixed before.

Delete (`retention`, `ledger`)
    Whole segments, never the newest. Those that every sink has go after ``keep``, and first when room is needed
    (``max_bytes``, ``min_free_bytes``). Then ``drop_oldest`` takes the oldest undelivered one, once the ledger holds
    a line on what exactly is lost; ``refuse_new`` refuses new readings instead.

Recovery (`recovery`)
    Walk every segment by its headers, the newest with its bodies, newest first. Members with numbers that do not rise
    or do not belong are damage, and so is what cannot be parsed. Damage goes to ``damaged/``; the tail is cut, a hole
    is closed by rewriting the segment. The newest group is cut where it lacks a member and nothing follows it: it is
    a write that never ended, and nothing of it was acknowledged. An older one was durable once, and keeps what it
    has. The last group is written once more and synced, because a killed writer may have left it in memory only. The
    next number is the highest end of a member or of a cursor.

Ask (`requests`)
    The daemon has the lock, and people have wishes: to requeue what is in quarantine, or to drop it. They put a small
    file into ``requests/``; whoever has the lock carries it out and answers. `requests` says how each of them is done
    once, whenever the owner is killed. To send a range once more takes no lock: `SpoolView` is enough.

Press (`pressure`)
    How full it is with what nobody took, and how long that lasts.

Everything here is synchronous and meant for worker threads. `Spool.open` is for the daemon; `SpoolView.look` for
everybody else: it takes no lock and changes nothing.
"""

from gateway.spool.consumer import Consumer, InFlight
from gateway.spool.cursors import Cursor, Cursors, Deferred
from gateway.spool.ledger import Ledger, Loss, format_time
from gateway.spool.member import (
    MAX_IDENTITIES,
    Batch,
    Header,
    Identity,
    Member,
    MemberDamaged,
    decode_member,
    encode_member,
)
from gateway.spool.pressure import Gauge, Levels, Pressure
from gateway.spool.quarantine import Quarantine
from gateway.spool.quarantine_lines import UNKNOWN_SENSORS, QuarantinedLine, of_boot, park, unpark
from gateway.spool.reader import SpoolReader
from gateway.spool.recovery import Recovery
from gateway.spool.segments import Piece
from gateway.spool.settings import Policy, SpoolSettings, SpoolTuning
from gateway.spool.store import Spool
from gateway.spool.view import SinkStatus, SpoolStatus, SpoolView, Verification
from gateway.spool.writer import SpoolWriter

__all__ = [
    "MAX_IDENTITIES",
    "UNKNOWN_SENSORS",
    "Batch",
    "Consumer",
    "Cursor",
    "Cursors",
    "Deferred",
    "Gauge",
    "Header",
    "Identity",
    "InFlight",
    "Ledger",
    "Levels",
    "Loss",
    "Member",
    "MemberDamaged",
    "Piece",
    "Policy",
    "Pressure",
    "Quarantine",
    "QuarantinedLine",
    "Recovery",
    "SinkStatus",
    "Spool",
    "SpoolReader",
    "SpoolSettings",
    "SpoolStatus",
    "SpoolTuning",
    "SpoolView",
    "SpoolWriter",
    "Verification",
    "decode_member",
    "encode_member",
    "format_time",
    "of_boot",
    "park",
    "unpark",
]
