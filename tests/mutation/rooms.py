"""The rooms that `make mutants` tries, and the tests that have to notice: the one table to change when code moves."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]


class Room(NamedTuple):
    """Files or folders to mutate, and the tests to run against each mutant until one fails, in this order.

    A room's own tests come first, then those neighbours' that notice much and are quick. tests/system takes minutes
    a mutant and stays out.
    """

    code: tuple[str, ...]
    tests: tuple[str, ...]

    def files(self) -> Iterator[Path]:
        """Yield the files to mutate, relative to the tree."""
        for path in (ROOT / name for name in self.code):
            for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
                yield file.relative_to(ROOT)


ROOMS = {
    "spool": Room(
        code=("gateway/spool",),
        tests=(
            "tests/spool",
            "tests/ingest/test_committer.py",
            "tests/delivery",
            "tests/daemon/test_housekeeping.py",
            "tests/cli/test_spool.py",
        ),
    ),
    "ingest": Room(
        code=("gateway/ingest",),
        tests=(
            "tests/ingest",
            "tests/sources/test_mqtt.py",
            "tests/sources/test_serial.py",
            "tests/spool/test_groups.py",
        ),
    ),
    "delivery": Room(
        code=("gateway/delivery",),
        tests=("tests/delivery", "tests/spool/test_requests.py", "tests/daemon/test_watchdog.py"),
    ),
    "sources": Room(
        code=("gateway/sources/redelivery.py", "gateway/sources/ack_window.py"),
        tests=("tests/sources/test_redelivery.py", "tests/sources/test_ack_window.py", "tests/sources/test_mqtt.py"),
    ),
}
