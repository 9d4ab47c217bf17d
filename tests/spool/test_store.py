import errno
import signal
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from firmware_sim.patience import patience
from gateway.errors import SpoolError, SpoolFull, SpoolLocked
from gateway.spool import Cursor, Cursors, Quarantine, Spool, SpoolTuning
from gateway.spool.filesystem import OsFile, OsFilesystem
from tests.support.spool import Batches

T0 = 1732281600000000000


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_a_second_process_is_told_who_has_the_spool_and_gets_it_once_that_is_killed(root: Path) -> None:
    program = """
        import sys, time
        from pathlib import Path
        from gateway.spool import Spool
        spool = Spool.open(Path(sys.argv[1]))
        print("open", flush=True)
        time.sleep(60)
    """
    command = [sys.executable, "-c", textwrap.dedent(program), str(root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as owner:
        try:
            assert owner.stdout
            assert owner.stdout.readline() == b"open\n"
            with pytest.raises(SpoolLocked, match=f"process {owner.pid}") as caught:
                Spool.open(root)
            assert caught.value.pid == owner.pid
        finally:
            owner.send_signal(signal.SIGKILL)
            owner.wait()
    Spool.open(root).close()


def test_a_closed_spool_can_be_closed_again_opened_again_and_takes_nothing(root: Path, batches: Batches) -> None:
    spool = Spool.open(root)
    spool.close()
    spool.close()
    with pytest.raises(SpoolError, match="closed"):
        spool.writer.append(batches(1))
    with Spool.open(root) as again:
        assert again.next_seq == 0


def test_no_file_stays_open(root: Path, batches: Batches) -> None:
    before = open_files()
    with Spool.open(root, tuning=SpoolTuning(segment_bytes=1), sinks=["influx"]) as spool:
        for _ in range(5):
            spool.writer.append(batches(2))
            spool.reader().read(0)
        spool.consumer("influx").seek(4, durable=True)
        spool.quarantine.append("influx", b"x y=1 2\n", "because")
        assert open_files() <= before + 2
    assert open_files() == before


def test_a_directory_that_cannot_be_used_is_a_clear_error(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"")
    with pytest.raises(SpoolError, match="as a spool"):
        Spool.open(file / "spool")


def test_refused_lines_are_kept_below_the_servers_words(root: Path) -> None:
    with Spool.open(root, now=lambda: T0) as spool:
        spool.quarantine.append("influx/eu", b"a x=1 1", "partial write:\n\x1b[31mtype conflict\x00 " + "x" * 999)
        spool.quarantine.append("influx/eu", b"a x=2 2\na x=3 3\n", "again")
        path = spool.quarantine.path("influx/eu")
    assert path.parent == root / "quarantine"
    first, *rest = path.read_bytes().splitlines()
    assert first.startswith(b"# 2024-11-22T13:20:00Z partial write: [31mtype conflict xxx")
    assert len(first) < 350
    assert rest == [b"a x=1 1", b"# 2024-11-22T13:20:00Z again", b"a x=2 2", b"a x=3 3"]


def test_a_full_quarantine_refuses(root: Path) -> None:
    root.mkdir()
    quarantine = Quarantine(OsFilesystem(), root, lambda: T0, max_bytes=100)
    quarantine.append("influx", b"a x=1 1", "why")
    with pytest.raises(SpoolFull, match="requeue or drop"):
        quarantine.append("influx", b"a x=1 1" * 10, "why")
    assert quarantine.size("influx") < 100


def test_identities_are_remembered_as_many_as_asked_and_the_newest(root: Path, batches: Batches) -> None:
    made = [batches(10, mqtt=True) for _ in range(6)]
    with Spool.open(root, tuning=SpoolTuning(segment_bytes=1)) as spool:
        for batch in made:
            spool.writer.append(batch)
    packets = [identity for batch in made for identity in batch.identities]
    with Spool.open(root) as spool:
        assert list(spool.recovery.identities) == packets
    with Spool.open(root, tuning=SpoolTuning(identities=25)) as spool:
        assert list(spool.recovery.identities) == packets[-25:]


def test_a_reason_cannot_swallow_the_line_after_it(root: Path) -> None:
    root.mkdir()
    quarantine = Quarantine(OsFilesystem(), root, lambda: T0, max_bytes=1000)
    quarantine.append("influx", b"a x=1 1", 'unable to parse "a=b: ends in \\')
    comment, line = quarantine.path("influx").read_bytes().splitlines()
    assert line == b"a x=1 1"
    assert b'"' not in comment
    assert b"\\" not in comment


def _stopped_at_seven(cursor: Cursor) -> Cursor:
    return replace(cursor, front=7, stopped=True)


def test_a_cursor_is_saved_by_one_at_a_time(root: Path) -> None:
    class Watched(OsFilesystem):
        """Holds the first rename up."""

        created, go_on = [threading.Event(), threading.Event()], threading.Event()

        def create(self, path: Path) -> OsFile:
            next(one for one in self.created if not one.is_set()).set()
            return super().create(path)

        def rename(self, old: Path, new: Path) -> None:
            assert self.go_on.wait(patience())
            super().rename(old, new)

    root.mkdir()
    disk = Watched()
    cursors = Cursors(disk, root)
    with ThreadPoolExecutor(2) as threads:
        cancelled = threads.submit(cursors.update, "influx", lambda cursor: cursor.with_front(5))
        assert disk.created[0].wait(patience())
        last = threads.submit(cursors.update, "influx", _stopped_at_seven, durable=True)
        assert not disk.created[1].wait(0.1), "one would take away what the other renames"
        disk.go_on.set()
        cancelled.result()
        last.result()
    assert Cursors(OsFilesystem(), root).of("influx") == Cursor(7, stopped=True)


@pytest.mark.parametrize("shorter", [5, 123_456_789_012])
def test_on_a_full_disk_a_cursor_moves_all_the_same(root: Path, shorter: int) -> None:
    """Else a kill would have everything sent again that went out meanwhile, to a database that keeps duplicates."""

    class Full(OsFilesystem):
        def create(self, path: Path) -> OsFile:
            raise OSError(errno.ENOSPC, f"no room for {path}")

    root.mkdir()
    Cursors(OsFilesystem(), root).update("influx", lambda _: Cursor(1_000, boot="ab"))
    full = Cursors(Full(), root)
    full.update("influx", lambda cursor: replace(cursor, front=shorter, in_doubt_to=9))
    full.update("new", lambda _: Cursor(7))
    again = Cursors(OsFilesystem(), root)
    assert (again.of("influx"), again.broken) == (Cursor(shorter, in_doubt_to=9, boot="ab"), ())
    assert again.sinks == ("influx",)
    with pytest.raises(SpoolError):
        full.update("influx", lambda _: Cursor(8), durable=True)
