"""Tries what strangers' bytes reach, guided by coverage: ``make fuzz ARGS="--seconds 60 --only driver-sds011"``.

Each target runs in a process of its own under atheris, which has to be installed (the extra ``fuzz``). What it finds
is written to ``.fuzz/NAME/`` and ends this program with 1: play it again with ``--only NAME --replay FILE``.
"""

import argparse
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT)]


def main() -> int:
    """Run what the command line asks for; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=30, help="for each target; 30 unless set")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="this target; may be repeated")
    parser.add_argument("--list", action="store_true", help="print the names of all targets")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="run one target with what was found")
    parser.add_argument("--inside", metavar="NAME", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.inside:
        return _fuzz(arguments.inside, arguments.seconds)
    from tests.fuzz.targets import targets  # noqa: PLC0415 -- inside atheris it is imported under its eyes

    known = targets()
    wanted = arguments.only or list(known)
    if unknown := set(wanted) - known.keys():
        parser.error(f"no such target: {min(unknown)}; --list names them")
    if arguments.list:
        _say("\n".join(known))
    elif arguments.replay:
        known[wanted[0]]().run(arguments.replay.read_bytes())
    elif find_spec("atheris") is None:
        _say("atheris is not installed: .venv/bin/pip install --editable '.[fuzz]'")
        return 2
    else:
        return _all(wanted, arguments.seconds)
    return 0


def _say(*lines: str) -> None:
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def _all(names: list[str], seconds: int) -> int:
    failed = []
    for name in names:
        began = time.monotonic()
        command = [sys.executable, __file__, "--inside", name, "--seconds", str(seconds)]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        executions = [line for line in done.stderr.splitlines() if line.startswith(("#", "Done"))]
        last = executions[-1] if executions else "it did not begin"
        _say(
            f"{'found ' if done.returncode else 'fine  '} {name:32} {time.monotonic() - began:4.0f} s  {last.strip()}"
        )
        if done.returncode:
            failed.append(name)
            _say(*[line for line in done.stderr.splitlines() if not line.startswith("INFO")][-25:])
    _say(f"{len(names) - len(failed)} of {len(names)} targets are fine", *(f"not {name}" for name in failed))
    return 1 if failed else 0


def _fuzz(name: str, seconds: int) -> int:
    import atheris  # noqa: PLC0415 -- an extra of its own

    with atheris.instrument_imports(include=["drivers", "gateway", "firmware_sim"]):
        from tests.fuzz.targets import targets  # noqa: PLC0415 -- only what is imported here is seen

        target = targets()[name]()
    corpus = ROOT / ".fuzz" / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds):
        (corpus / f"seed-{number}").write_bytes(seed)
    options = [f"-max_total_time={seconds}", "-max_len=4096", "-timeout=10", f"-artifact_prefix={corpus}/found-"]
    atheris.Setup([sys.argv[0], *options, str(corpus)], target.run)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
