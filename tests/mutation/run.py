"""Changes the code in small ways, each in a copy of the tree, and lists the changes that no test notices.

``make mutants ARGS="--out before"``, and after a restructuring ``ARGS="--out after --against before"``. The same code
gives the same sample. A run that is out of time, or broken off, has tried the mutants with the lowest keys; with
``--go-on`` the next one tries the rest, and again what timed out. ``--share 1 --lines 'sync|durable'`` tries every
change to such lines.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

from tests.mutation.mutants import Mutant, sample
from tests.mutation.report import KILLED, SURVIVED, TIMED_OUT, Result, compared, load, lost, save, table
from tests.mutation.rooms import ROOMS, ROOT

PARALLEL = 2
PATIENCE = 120
"""Seconds for one test, and for all of a mutant beyond what they take without it: others may use the machine too."""

NOT_COPIED = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info")


def run_tests(tree: Path, room: str, timeout: float, mutated: str = "") -> tuple[int, str]:
    """Run a room's tests on a copy; return the exit code (124 or 137: it took too long) and what was printed."""
    limits = ["timeout", "--kill-after=5", str(timeout), "nice", "-n", "19"]
    options = ["-xq", "--tb=no", "-p", "no:cacheprovider", f"--timeout={PATIENCE}", f"--basetemp={tree}.tmp"]
    environment = {
        **os.environ,
        "PYTHONPATH": f"{tree}:{tree / 'firmware-sim'}",
        "PYTHONHASHSEED": "0",
        # A mutant leaves no bytecode that could pass for its file's; the run without a mutant leaves that of all.
        "PYTHONDONTWRITEBYTECODE": "1" if mutated else "",
        "MUTATED": mutated,
    }
    command = [*limits, sys.executable, "-m", "pytest", *options, "-p", "tests.mutation.quick", *ROOMS[room].tests]
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, check=False)
    return done.returncode, done.stdout.decode(errors="replace") + done.stderr.decode(errors="replace")


def try_mutant(tree: Path, room: str, mutant: Mutant, timeout: float) -> Result:
    """Run a room's tests against one mutant, and put the file back as it was."""
    path = tree / mutant.path
    source, times = path.read_text(encoding="utf-8"), path.stat()
    began = time.monotonic()
    path.write_text(mutant.code(source) or "", encoding="utf-8")
    try:
        code, printed = run_tests(tree, room, timeout, path.stem)
    finally:
        path.write_text(source, encoding="utf-8")
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    outcome = {0: SURVIVED, 124: TIMED_OUT, 137: TIMED_OUT}.get(code, KILLED)
    failed = re.search(r"(?m)^(?:FAILED|ERROR) (\S+)", printed)
    place = (str(mutant.path), mutant.line, mutant.operator, mutant.key)
    seconds = round(time.monotonic() - began, 1)
    return Result(room, *place, outcome, failed[1] if failed else "", seconds, mutant.diff(source))


def try_all(work: list[tuple[str, Mutant]], seconds: float) -> Iterator[Result]:
    """Try mutants in parallel until all are done or the time is over; yield what became of each."""
    rooms = dict.fromkeys(room for room, _ in work)
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder, ThreadPoolExecutor(PARALLEL) as threads:
        made = [Path(folder) / f"tree{number}" for number in range(PARALLEL)]
        for tree in made:
            shutil.copytree(ROOT, tree, ignore=NOT_COPIED)
        timeouts = {room: PATIENCE + 3 * max(threads.map(unchanged, made, [room] * PARALLEL)) for room in rooms}
        trees: SimpleQueue[Path] = SimpleQueue()
        for tree in made:
            trees.put(tree)
        deadline = time.monotonic() + seconds

        def one(item: tuple[str, Mutant]) -> Result | None:
            if time.monotonic() > deadline:
                return None
            room, mutant = item
            tree = trees.get()
            try:
                result = try_mutant(tree, room, mutant, timeouts[room])
            finally:
                trees.put(tree)
            place = f"{result.file}:{result.line} {result.operator}"
            say(f"{result.outcome:9} {result.seconds:5} s  {place} {result.killer}")
            return result

        yield from filter(None, threads.map(one, work))


def unchanged(tree: Path, room: str) -> float:
    """Return how long a room's tests take where nothing is changed."""
    began = time.monotonic()
    code, printed = run_tests(tree, room, timeout=1800)
    if code:
        sys.exit(f"the tests of {room} fail without any mutant:\n{printed[-2000:]}")
    seconds = time.monotonic() - began
    say(f"{room}: its tests take {seconds:.0f} s")
    return seconds


def say(*lines: str) -> None:
    """Print."""
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def main() -> int:
    """Run what the command line asks for; return 1 when a mutant survives that did not in the earlier run."""
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument("--room", action="append", choices=ROOMS, help="this room only; may be repeated")
    parser.add_argument("--share", type=float, default=0.15, help="of all mutants; 0.15 unless set")
    parser.add_argument("--least", type=int, default=6, help="mutants of each file, whatever the share; 6 unless set")
    parser.add_argument("--lines", default="", metavar="REGEX", help="change only lines in which this is found")
    parser.add_argument("--minutes", type=float, default=45, help="begin no mutant after these; 45 unless set")
    parser.add_argument("--out", type=Path, default=ROOT / ".mutants" / "run", help="writes OUT.json and OUT.txt")
    parser.add_argument("--go-on", action="store_true", help="keep what OUT.json has, and try the rest")
    parser.add_argument("--against", type=Path, metavar="OUT", help="try an earlier run's mutants too, and compare")
    arguments = parser.parse_args()
    earlier = load(arguments.against) if arguments.against else []
    results = [one for one in load(arguments.out) if one.outcome != TIMED_OUT] if arguments.go_on else []
    known = {(result.file, result.key) for result in results}
    also = {result.key for result in earlier}
    work = [
        (room, mutant)
        for room in arguments.room or ROOMS
        for path in ROOMS[room].files()
        for mutant in sample(
            path,
            (ROOT / path).read_text(encoding="utf-8"),
            arguments.share,
            arguments.least,
            lines=arguments.lines,
            also=also,
        )
        if (str(path), mutant.key) not in known
    ]
    work.sort(key=lambda one: one[1].key)
    for result in try_all(work, arguments.minutes * 60):
        results.append(result)
        results.sort(key=lambda one: (list(ROOMS).index(one.room), one.file, one.line))
        # Each time: a run that is broken off has lost nothing.
        save(arguments.out, results, [*table(results), *(compared(earlier, results) if earlier else ())])
    say(*table(results), *(compared(earlier, results) if earlier else ()))
    return 1 if lost(earlier, results) else 0


if __name__ == "__main__":
    sys.exit(main())
