"""``prehod refused``: a person looks at what became no reading, mends the cause, and has it read again."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.cli.main import main
from gateway.refused import Counted, Refusal, RefusedSettings, RefusedStore
from gateway.spool import Spool, SpoolSettings, SpoolView, decode_member

AT = 1_732_281_600_000_000_000
CONFIGURATION = """
[gateway]
id = "koper-01"
city = "Koper"
data_dir = "{data}"
clock = "system"

[spool]
min_free_bytes = 0

[sources.broker]
type = "mqtt"
url = "mqtt://127.0.0.1:1"
driver = "json"
topics = ["ref/+"]
options = {{ kind = "air_quality", sensor = "topic:1", fields = {{ temperature = "{path}" }} }}
"""

Run = Callable[..., int]


def refusal(number: int, raw: bytes, reason: str = "unsupported") -> Refusal:
    words = f"nothing at temp {number}"
    return Refusal("broker", f"ref/s{number}", AT + number * 10**9, raw, reason, words, size=len(raw))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """What an earlier run left: three messages that its configuration could not read, and two that it counted."""
    root = tmp_path / "data"
    with Spool.open(root / "spool", SpoolSettings(min_free_bytes=0)) as spool:
        store = RefusedStore(root / "refused", RefusedSettings(), spool)
        store.keep([refusal(1, b'{"t":21.5}'), refusal(2, b'{"t":22.5}')], with_group=False)
        store.keep([refusal(3, b"\xff\x00", "noise"), Counted("broker", "noise", "nothing", 2)], with_group=False)
        store.close()
    return root


@pytest.fixture
def run(data: Path, tmp_path: Path) -> Run:
    def call(*arguments: str, path: str = "t") -> int:
        file = tmp_path / "prehod.toml"
        file.write_text(CONFIGURATION.format(data=data, path=path), encoding="utf-8")
        return main(["refused", *arguments, "--config", str(file)])

    return call


def stored(data: Path) -> str:
    members = SpoolView.look(data / "spool").reader().members()
    return "".join(decode_member(member.raw).decode() for member in members)


def test_they_are_listed_by_source_and_reason_with_the_last_words(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("list") == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "broker: 2 messages, unsupported: nothing at temp 2"
    assert lines[1] == "    the last 2024-11-22T13:20:02Z, ref/s2"
    assert "broker: 1 message, noise: nothing at temp 3" in lines
    assert "broker: 0 messages and 2 more that were counted only, noise: nothing" in lines


def test_they_are_shown_with_all_their_bytes(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("show") == 0
    assert capsys.readouterr().out.splitlines() == [
        "# 0  2024-11-22T13:20:01Z  broker  ref/s1",
        "# unsupported: nothing at temp 1",
        '{"t":21.5}',
        "# 1  2024-11-22T13:20:02Z  broker  ref/s2",
        "# unsupported: nothing at temp 2",
        '{"t":22.5}',
        "# 2  2024-11-22T13:20:03Z  broker  ref/s3",
        "# noise: nothing at temp 3",
        "ff 00",
    ]
    assert run("show", "--reason", "unsupported", "--limit", "1", "--json") == 0
    (one,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert (one["number"], one["text"], one["hex"]) == (1, '{"t":22.5}', b'{"t":22.5}'.hex())


def test_without_a_daemon_the_command_reads_them_again_itself(
    run: Run, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("retry", path="wrong") == 1
    assert stored(data) == ""
    assert run("retry", "--source", "broker") == 1
    assert "3 messages read again: 2 readings stored" in capsys.readouterr().out
    assert [line.rpartition(" ")[2] for line in stored(data).splitlines()] == [str(AT + 10**9), str(AT + 2 * 10**9)]
    assert "temperature=21.5" in stored(data)
    assert run("list") == 1
    assert "unsupported" not in capsys.readouterr().out


def test_they_are_dropped_only_where_it_is_said_which(
    run: Run, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("drop") == 2
    assert "--all" in capsys.readouterr().err
    assert run("drop", "--reason", "noise") == 0
    assert run("drop", "--all", "--json") == 0
    assert capsys.readouterr().out.splitlines()[-1] == '{"messages": 2}'
    assert [entry["count"] for entry in SpoolView.look(data / "spool").ledger.entries] == [1, 2]


def test_an_empty_store_is_said(run: Run, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for file in (data / "refused").glob("*.refused"):
        file.unlink()
    assert run("list") == 0
    assert "no message is kept" in capsys.readouterr().out


def test_a_directory_without_them_is_said(tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("list", "--dir", str(tmp_path)) == 2
    assert "there are no refused messages" in capsys.readouterr().err


def test_nothing_is_asked_for_with_a_configuration_that_cannot_be_used(run: Run, data: Path) -> None:
    assert run("drop", "--all", path='" , x = "') == 1
    assert [path for path in (data / "refused" / "requests").iterdir() if path.is_file()] == []
    assert run("list") == 1
