"""``prehod spool`` where it changes something, and no daemon runs: it does it itself."""

import argparse
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.cli import spool as command
from gateway.cli import spool_ask
from gateway.errors import SpoolError
from gateway.spool import Spool, SpoolSettings, SpoolView, decode_member
from tests.support.spool import Batches

T0 = 1732281600000000000
Run = Callable[..., int]


@pytest.fixture
def run(root: Path) -> Run:
    """Call the command as the main program does."""

    def call(*arguments: str) -> int:
        parser = argparse.ArgumentParser()
        parser.add_argument("--config", type=Path)
        parser.add_argument("--json", action="store_true")
        command.configure(parser)
        return command.run(parser.parse_args(["--dir", str(root), *arguments]))

    return call


@pytest.fixture
def held(root: Path, batches: Batches) -> Path:
    """A spool with ten delivered readings, and three lines in quarantine."""
    with Spool.open(root, SpoolSettings(min_free_bytes=0), sinks=["influx"]) as spool:
        spool.writer.append(batches(10))
        spool.consumer("influx").seek(10)
        spool.quarantine.append("influx", b"a,sensor=s1 x=1 %d\na,sensor=s2 x=2 %d" % (T0, T0), "a type conflict")
        spool.quarantine.append("unknown", b"a,sensor=s3 x=3 %d" % T0, "unknown sensor s3")
    return root


def stored(root: Path) -> str:
    members = SpoolView.look(root).reader().members()
    return "".join(decode_member(member.raw).decode() for member in members)


def test_the_quarantine_is_listed_by_sink_and_reason(
    held: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert held.is_dir()
    assert run("quarantine", "list") == 1
    assert capsys.readouterr().out.splitlines() == [
        "influx: 2 readings",
        "    2  a type conflict",
        "unknown: 1 reading",
        "    1  unknown sensor s3",
    ]
    assert run("quarantine", "list", "--json") == 1
    assert json.loads(capsys.readouterr().out)["influx"] == {"readings": 2, "reasons": {"a type conflict": 2}}
    assert run("status") == 1
    assert "quarantine unknown" in capsys.readouterr().out


def test_lines_are_shown_as_they_stand(held: Path, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert held.is_dir()
    assert run("quarantine", "show", "influx", "--match", "s2") == 0
    comment, line = capsys.readouterr().out.splitlines()
    assert comment.startswith("# ")
    assert comment.endswith("a type conflict")
    assert line == f"a,sensor=s2 x=2 {T0}"
    assert run("quarantine", "show", "unknown", "--json") == 0
    assert json.loads(capsys.readouterr().out)["line"] == f"a,sensor=s3 x=3 {T0}"


@pytest.mark.parametrize("verb", [("show",), ("requeue",), ("drop", "--all")])
def test_a_name_that_nobody_has_is_wrong_use(
    verb: tuple[str, ...], held: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert held.is_dir()
    assert run("quarantine", verb[0], "infux", *verb[1:]) == 2
    said = "there is no quarantine called 'infux'; there are: influx, unknown"
    assert capsys.readouterr().err == f"prehod spool: {said}\n"


def test_requeued_lines_are_in_the_spool_and_the_rest_stays(
    held: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("quarantine", "requeue", "influx", "--match", "s1") == 0
    assert capsys.readouterr().out.startswith("1 reading is back in the spool; ")
    assert stored(held).endswith(f"a,sensor=s1 x=1 {T0}\n")
    assert run("quarantine", "requeue", "influx") == 0
    assert run("quarantine", "requeue", "unknown", "--json") == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == {"readings": 1, "left_bytes": 0}
    assert run("quarantine", "list") == 0
    assert "the quarantine is empty" in capsys.readouterr().out
    assert SpoolView.look(held).next_seq == 13


def test_what_is_dropped_is_a_loss_and_never_by_accident(
    held: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert held.is_dir()
    with pytest.raises(SystemExit):
        run("quarantine", "drop", "influx")
    assert run("losses") == 0
    assert run("quarantine", "drop", "influx", "--all") == 0
    capsys.readouterr()
    assert run("losses") == 1
    out = capsys.readouterr().out
    assert "2 readings  dropped: a person dropped it from the quarantine of influx" in out
    assert "s1, s2" in out
    assert out.endswith("2 readings lost\n")
    assert run("losses", "--json") == 1
    assert json.loads(capsys.readouterr().out)[0]["sensor_count"] == 2


def test_a_repair_without_a_daemon_closes_the_hole(held: Path, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    path = held / f"{0:020}.lp.gz"
    data = bytearray(path.read_bytes())
    data[90] ^= 1
    path.write_bytes(data)
    assert run("verify", "--repair") == 0
    assert run("verify") == 0
    assert "0 damaged places" in capsys.readouterr().out
    assert [file.read_bytes() for file in (held / "damaged").iterdir()] == [bytes(data)]
    assert run("losses") == 0, "every database had it"


def test_a_request_that_nobody_takes_up_is_kept_and_said_so(
    held: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    with Spool.open(held, sinks=["influx"]):
        assert run("--wait", "10ms", "quarantine", "requeue", "unknown") == 1
        assert "noted, but not done yet" in capsys.readouterr().err
    assert run("--wait", "10ms", "quarantine", "requeue", "influx") == 0
    assert stored(held).count("sensor=s3") == 1, "the next owner does both"


def test_only_the_owner_may_ask(held: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: held.stat().st_uid + 1)
    with pytest.raises(SpoolError, match="use sudo"):
        spool_ask.ask(held, {"do": "repair"})


def test_root_acts_as_the_directorys_owner(held: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    became: list[int] = []
    monkeypatch.setattr(os, "seteuid", became.append)
    monkeypatch.setattr(os, "setegid", became.append)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    owner = held.stat()
    monkeypatch.setattr(Path, "stat", lambda _path: os.stat_result((0o40750, 1, 1, 1, 4242, 4343, 0, 0, 0, 0)))
    spool_ask.become_owner(held)
    assert became == [4343, 4242], "the group first: afterwards it would not be allowed"
    assert owner.st_uid != 4242


def test_an_older_spool_without_a_place_for_requests_gets_one(
    held: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    (held / "requests" / "done").rmdir()
    (held / "requests").rmdir()
    assert run("quarantine", "requeue", "unknown") == 0
    assert "1 reading is back" in capsys.readouterr().out
