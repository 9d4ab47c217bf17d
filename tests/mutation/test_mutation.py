"""The table of rooms is true, a sample follows the code wherever it moves, and no mutant is lost without a word."""

from pathlib import Path

import pytest

from tests.mutation.report import KILLED, SURVIVED, TIMED_OUT, Result, compared, load, save
from tests.mutation.rooms import ROOMS, ROOT

FIRST = """
def grown(size: int, by: int) -> int:
    if size + by > 100:
        raise ValueError
    return size + by
"""
SECOND = """
class Counter:
    def take(self, lines: list[bytes]) -> None:
        for line in lines:
            self.count += 1
            self.bytes += len(line)
        self.log(self.count)
"""


def test_every_file_and_test_that_a_room_names_is_there() -> None:
    named = [name for room in ROOMS.values() for name in (*room.code, *room.tests)]
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_moved_code_keeps_its_mutants() -> None:
    pytest.importorskip("cosmic_ray", reason="make mutants installs it")
    from tests.mutation.mutants import sample  # noqa: PLC0415 -- it imports cosmic-ray

    def keys(source: str) -> set[str]:
        return {mutant.key for mutant in sample(Path("any.py"), source, share=0.5, least=0)}

    assert keys(FIRST + SECOND) == keys(SECOND + FIRST) == keys(FIRST) | keys(SECOND)
    assert len(keys(FIRST + SECOND)) >= 5


def test_a_statement_that_acts_is_removed_and_no_log_message_and_no_new_name() -> None:
    pytest.importorskip("cosmic_ray", reason="make mutants installs it")
    from tests.mutation.mutants import mutants  # noqa: PLC0415 -- it imports cosmic-ray

    source = """
async def store(self, line: bytes) -> None:
    file = self.open()
    await file.write(line)
    log.info("written")
    self.size = file.size
    total += 1
    del self.lines[0]
    raise ValueError
"""
    changed = [one for one in mutants(Path("any.py"), source) if one.operator == "RemoveStatement"]
    removed = [source.splitlines()[one.line - 1].split()[0] for one in changed]
    assert removed == ["await", "self.size", "total", "del", "raise"]
    assert [(one.code(source) or "").splitlines()[one.line - 1] for one in changed] == ["    pass"] * 5


def result(file: str, key: str, outcome: str) -> Result:
    return Result("spool", file, 1, "AddNot", key, outcome, "", 1.0, "-a\n+b\n")


def test_what_was_noticed_before_and_is_not_now_is_lost_wherever_it_moved() -> None:
    earlier = [
        result("a.py", "moved", KILLED),
        result("a.py", "equal", SURVIVED),
        result("b.py", "equal", KILLED),
        result("a.py", "known", SURVIVED),
        result("a.py", "slow", TIMED_OUT),
        result("a.py", "gone", KILLED),
    ]
    now = [
        result("new.py", "moved", SURVIVED),
        result("new.py", "equal", SURVIVED),
        result("b.py", "equal", SURVIVED),
        result("a.py", "known", SURVIVED),
        result("a.py", "slow", SURVIVED),
        result("a.py", "fresh", SURVIVED),
    ]
    lost = [line.split()[1] for line in compared(earlier, now) if "LOST" in line]
    assert lost == [
        "moved",
        "equal",
        "equal",
        "slow",
    ]
    assert [line for line in compared(earlier, earlier) if "LOST" in line] == []


def test_a_run_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    results = [result("a.py", "one", KILLED), result("a.py", "two", SURVIVED)]
    save(tmp_path / "some" / "run", results, ["a report"])
    assert load(tmp_path / "some" / "run") == results
    assert (tmp_path / "some" / "run.txt").read_text().splitlines() == ["a report", "", "two a.py:1", "-a", "+b"]
