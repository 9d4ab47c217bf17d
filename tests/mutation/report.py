"""What became of the mutants of one run: counted, listed, kept in a file, and compared with an earlier run."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

KILLED, TIMED_OUT, SURVIVED = "killed", "timed out", "survived"


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one mutant; ``killer`` is the test that failed."""

    room: str
    file: str
    line: int
    operator: str
    key: str
    outcome: str
    killer: str
    seconds: float
    diff: str


def load(path: Path) -> list[Result]:
    """Return the results that `save` wrote."""
    return [Result(**one) for one in json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))]


def save(path: Path, results: list[Result], report: list[str]) -> None:
    """Write the results as JSON, and the report as text with the diff of each survivor."""
    survived = [f"\n{one.key} {one.file}:{one.line}\n{one.diff}" for one in results if one.outcome == SURVIVED]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_suffix(".txt").write_text("\n".join([*report, *survived]), encoding="utf-8")
    path.with_suffix(".json").write_text(json.dumps([asdict(one) for one in results], indent=1), encoding="utf-8")


def table(results: list[Result]) -> Iterator[str]:
    """Yield a line for each file, each room and everything."""
    yield f"{'':40} mutants  killed  timed out  survived"
    for room in dict.fromkeys(result.room for result in results):
        of_room = [result for result in results if result.room == room]
        for file in dict.fromkeys(result.file for result in of_room):
            yield _counts(f"  {file}", (result for result in of_room if result.file == file))
        yield _counts(room, of_room)
    yield _counts("all", results)


def lost(earlier: list[Result], results: list[Result]) -> list[Result]:
    """Return the mutants that no test notices now and one did in the earlier run.

    Equal lines of two files have equal keys: what counts are more survivors of a key than there were.
    """
    tried = {result.key for result in earlier}
    more = _survivors(results) - _survivors(earlier)
    return [one for one in results if one.outcome == SURVIVED and one.key in tried and more[one.key]]


def compared(earlier: list[Result], results: list[Result]) -> Iterator[str]:
    """Yield what became of an earlier run's mutants, and each that is lost."""
    now, then = ({result.key for result in run} for run in (results, earlier))
    yield f"{len(now & then)} of {len(then)} mutants of the earlier run were found again"
    yield _counts("  then", (result for result in earlier if result.key in now))
    yield _counts("  now", (result for result in results if result.key in then))
    yield from (f"LOST {result.key} {result.file}:{result.line}" for result in lost(earlier, results))


def _counts(name: str, results: Iterable[Result]) -> str:
    of = Counter(result.outcome for result in results)
    return f"{name:40} {of.total():7}  {of[KILLED]:6}  {of[TIMED_OUT]:9}  {of[SURVIVED]:8}"


def _survivors(results: list[Result]) -> Counter[str]:
    return Counter(result.key for result in results if result.outcome == SURVIVED)
