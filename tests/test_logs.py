"""The log: JSON for machines, words for people, and never anything on standard output."""

import errno
import io
import json
import os
import sys
from collections.abc import Iterator

import pytest
import structlog

from gateway import logs


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    """Leave structlog as other tests expect to find it."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_machine_gets_one_json_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure()
    structlog.get_logger().bind(link="broker").warning("link down", problem='it said "no"\nand left')
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    entry = json.loads(line)
    assert entry.pop("timestamp").endswith("Z")
    assert entry == {
        "event": "link down",
        "level": "warning",
        "link": "broker",
        "problem": 'it said "no"\nand left',
    }


def test_a_traceback_stays_on_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure()
    try:
        int("a surprise")
    except ValueError:
        structlog.get_logger().exception("surprise")
    (line,) = capsys.readouterr().err.splitlines()
    assert "ValueError: invalid literal" in json.loads(line)["exception"]


def test_a_terminal_gets_words(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    logs.configure()
    structlog.get_logger().info("link up", link="broker")
    (line,) = terminal.getvalue().splitlines()
    assert "link up" in line
    assert "broker" in line
    assert not line.startswith("{")


@pytest.mark.parametrize(("verbose", "seen"), [(False, ["info"]), (True, ["debug", "info"])])
def test_details_are_told_only_when_asked_for(
    capsys: pytest.CaptureFixture[str], verbose: bool, seen: list[str]
) -> None:
    logs.configure(verbose=verbose)
    log = structlog.get_logger()
    log.debug("detail")
    log.info("news")
    assert [json.loads(line)["level"] for line in capsys.readouterr().err.splitlines()] == seen


class FullDisk(io.StringIO):
    def write(self, _: str) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_log_that_cannot_be_written_stops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", FullDisk())
    logs.configure()
    structlog.get_logger().error("spool does not take readings", problem="No space left on device")
