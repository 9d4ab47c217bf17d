"""A spool of version 0.1 is read by this one: ``written_by_0_1`` is what that left behind, stopped by a kill.

It holds 12 readings in three segments, four of them with the time since boot; cursors of two databases, one of which
has deferred readings behind its front; a replay under way; a refused line in a database's quarantine; three lines
of unknown sensors, and a fourth of a group that was never finished; and a loss.
"""

import shutil
from pathlib import Path

import pytest

from gateway.line_protocol import sensors_in
from gateway.spool import Identity, Spool, SpoolSettings, SpoolView, decode_member
from gateway.spool.quarantine_lines import UNKNOWN_SENSORS

T0 = 1732281600000000000
BOOT = bytes(range(16))
WRITTEN = Path(__file__).parent / "written_by_0_1"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    shutil.copytree(WRITTEN, tmp_path / "spool")
    return tmp_path / "spool"


def opened(root: Path) -> Spool:
    return Spool.open(root, SpoolSettings(min_free_bytes=0, keep="10000d"), sinks=["influx", "victoria"])


def identity(number: int) -> Identity:
    return Identity.of("broker", number, "city/aq", b"%d" % number)


def unknown(spool: SpoolView) -> list[str]:
    return [name for one in spool.quarantined(UNKNOWN_SENSORS) for name in sensors_in(one.line)]


def test_every_reading_of_0_1_is_read(root: Path) -> None:
    with opened(root) as spool:
        found = [
            (member.header.first, member.header.boot, line)
            for member in spool.reader().members()
            for line in decode_member(member.raw).splitlines()
            if not line.startswith(b"#")
        ]
        assert spool.recovery.problems == []
        assert (spool.recovery.cut, spool.recovery.damaged) == ([], [])
    boots = {first for first, boot, _ in found if boot == BOOT}
    assert (len(found), boots) == (12, {3, 8})
    texts = b"\n".join(line for _, _, line in found)
    assert all(b" pm10=%d.5," % number in texts for number in range(12))


def test_every_message_of_0_1_is_known_that_was_stored_and_no_other(root: Path) -> None:
    with opened(root) as spool:
        assert spool.recovery.identities == tuple(identity(number) for number in range(1, 9))


def test_the_cursors_of_0_1_say_what_each_database_has(root: Path) -> None:
    with opened(root) as spool:
        cursor = spool.cursors.of("influx")
        assert (cursor.front, cursor.next, cursor.deferred_count, cursor.stopped) == (8, 3, 2, True)
        assert [one.boot for one in cursor.deferred] == [BOOT]
        assert spool.cursors.next("victoria") == 5
        assert (spool.cursors.broken, spool.cursors.refused) == ((), {})
        assert spool.unfinished_replays() == ["victoria"]
        assert spool.next_seq == 12


def test_the_ledger_and_the_quarantine_of_0_1_are_there(root: Path) -> None:
    with opened(root) as spool:
        assert [(one["rule"], one["count"]) for one in spool.ledger.entries] == [("serial_refused", 7)]
        [refused] = spool.quarantined("influx")
        assert "field type conflict" in refused.reason
        assert sensors_in(refused.line) == {"aq-2"}


def test_the_lines_of_unknown_sensors_of_0_1_are_there_without_the_group_that_was_not_finished(root: Path) -> None:
    for _ in range(2):
        with opened(root) as spool:
            assert unknown(spool) == ["stranger-1", "stranger-2", "stranger-3"]
            assert [one.boot for one in spool.quarantined(UNKNOWN_SENSORS)] == [None, BOOT, None]
