"""What systemd hears, and that nothing happens where it does not listen."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.daemon.systemd import Notifier


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield listening


def test_systemd_hears_lines_in_one_message(systemd: socket.socket) -> None:
    Notifier().tell("READY=1", "STATUS=all well")
    assert systemd.recv(1000) == b"READY=1\nSTATUS=all well"


def test_a_line_break_in_a_status_begins_no_line_of_its_own(systemd: socket.socket) -> None:
    Notifier().tell("STATUS=broker said: no\nMAINPID=1")
    assert systemd.recv(1000) == b"STATUS=broker said: no MAINPID=1"


def test_a_name_in_the_abstract_namespace_is_understood(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    name = f"prehod-test{tmp_path}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind("\0" + name)
        listening.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", "@" + name)
        Notifier().tell("WATCHDOG=1")
        assert listening.recv(1000) == b"WATCHDOG=1"


def test_a_systemd_that_went_away_or_does_not_read_is_no_error(systemd: socket.socket) -> None:
    notifier = Notifier()
    for _ in range(1000):
        notifier.tell("WATCHDOG=1")
    systemd.close()
    notifier.tell("WATCHDOG=1")


def test_without_systemd_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    notifier = Notifier()
    notifier.tell("READY=1")
    assert notifier.watchdog is None


@pytest.mark.parametrize(("text", "seconds"), [("30000000", 30.0), ("", None), ("soon", None)])
def test_the_watchdogs_time_is_told_in_seconds(
    monkeypatch: pytest.MonkeyPatch, text: str, seconds: float | None
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", text)
    assert Notifier().watchdog == seconds
