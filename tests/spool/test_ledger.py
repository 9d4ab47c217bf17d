"""The loss ledger has a bound, and forgets no reading that was lost."""

import errno
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.cli.main import main
from gateway.spool.ledger import MAX_BYTES, Ledger, Loss
from tests.support.disk import SimulatedDisk

PATH = Path("/spool/losses.jsonl")
T0 = 1732281600000000000
SECOND = 10**9


def loss(number: int, rule: str = "max_bytes", count: int = 10) -> Loss:
    first, time = 10 * number, T0 + number * SECOND
    return Loss(
        rule, "why", first, first + count - 1, count, time, time + SECOND // 2, f"{first}", ("influx",), {"a"}
    )


def by_rule(entries: list[dict[str, Any]]) -> Counter[str]:
    found: Counter[str] = Counter()
    for entry in entries:
        found[entry["rule"]] += entry["count"]
    return found


SMALL = 3_000
"""A bound of a few lines."""


def test_beyond_the_bound_older_lines_become_one_for_each_rule(disk: SimulatedDisk) -> None:
    ledger = Ledger(disk, PATH, lambda: T0, max_bytes=SMALL)
    for number in range(40):
        ledger.record(loss(number, "stopped" if number % 4 == 0 else "max_bytes"))
        assert disk.size(PATH) <= SMALL
    assert (ledger.readings, ledger.lines) == (400, 40)
    again = Ledger(disk, PATH, lambda: T0, max_bytes=SMALL)
    assert again.entries == ledger.entries
    assert len(again.entries) < 12
    folded = {entry["rule"]: entry for entry in again.entries if "lines" in entry}
    assert folded.keys() == {"stopped", "max_bytes"}
    assert folded["max_bytes"]["first_time"] == "2024-11-22T13:20:01Z"
    assert folded["stopped"]["first_time"] == "2024-11-22T13:20:00Z"
    assert folded["stopped"]["last_time"].endswith(".5Z")
    assert (folded["stopped"]["sinks"], folded["stopped"]["sensors"]) == (["influx"], ["a"])
    assert again.entries[-1]["from"] == 390, "the newest keep all they say"
    assert again.knows("max_bytes", "390", 399)


def test_a_ledger_of_an_older_version_is_bounded_in_memory_at_once_and_on_the_disk_soon(
    disk: SimulatedDisk,
) -> None:
    lines = [json.dumps({"rule": "damaged", "from": n, "to": n, "count": 1}) for n in range(500)]
    disk.put(PATH, "\n".join([*lines, "nonsense", ""]).encode())
    ledger = Ledger(disk, PATH, lambda: T0, max_bytes=SMALL)
    assert (ledger.readings, ledger.lines) == (500, 500)
    assert len(ledger.entries) < 60
    assert disk.size(PATH) > SMALL, "to look changes nothing"
    ledger.flush()
    assert disk.size(PATH) <= SMALL
    assert Ledger(disk, PATH, lambda: T0, max_bytes=SMALL).readings == 500


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(
    seed=st.integers(0, 2**32),
    steps=st.lists(
        st.tuples(st.sampled_from("ab"), st.none() | st.integers(0, 6), st.sampled_from([False, False, True])),
        min_size=20,
        max_size=40,
    ),
)
def test_no_lost_reading_is_forgotten_or_counted_twice_whatever_fails_and_whenever(
    disk_type: type[SimulatedDisk], seed: int, steps: list[tuple[str, int | None, bool]]
) -> None:
    disk = disk_type(seed)
    ledger = Ledger(disk, PATH, lambda: T0, max_bytes=SMALL)
    said: Counter[str] = Counter()
    """Written down, surely."""
    doubtful: Counter[str] = Counter()
    for number, (rule, fails, power) in enumerate(steps):
        if fails is not None:
            disk.fail(fails, errno.ENOSPC, times=1 + number % 2)
        doubtful[rule] += number
        try:
            ledger.record(loss(number, rule, count=number))
        except OSError:
            pass
        else:
            said, doubtful = said + doubtful, Counter()
        disk.heal()
        if power:
            disk.power_cut()
            ledger = Ledger(disk, PATH, lambda: T0, max_bytes=SMALL)
            found = by_rule(ledger.entries)
            assert said <= found <= said + doubtful
            said, doubtful = found, Counter()
            ledger.flush()
    ledger.flush()
    assert PATH not in disk.files() or disk.size(PATH) <= SMALL
    assert by_rule(Ledger(disk, PATH, lambda: T0, max_bytes=SMALL).entries) == said + doubtful


def test_the_command_prints_what_was_folded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = json.dumps(
        {"when": "2024-11-22T13:20:00Z", "rule": "max_bytes", "why": "w", "from": 1, "to": 5, "count": 5}
    )
    count = MAX_BYTES // len(line) + 1
    (tmp_path / "cursors").mkdir()
    (tmp_path / "losses.jsonl").write_text((line + "\n") * count, encoding="utf-8")
    assert main(["spool", "losses", "--dir", str(tmp_path)]) == 1
    printed = capsys.readouterr().out
    assert "older lines of the ledger together" in printed.splitlines()[0]
    assert printed.splitlines()[-1] == f"{5 * count:,} readings lost"
