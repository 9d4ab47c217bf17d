"""What `prehod watch` makes of messages and of its arguments."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from gateway.cli.main import main
from gateway.cli.watch import shorten
from gateway.cli.watch_table import MAX_TOPICS, Board, render


@pytest.mark.parametrize(
    ("payload", "shown"),
    [
        (
            b'{"fields": {"pm25": 12.50, "ok": true}, "tags": {"city": "Koper"}, "quality": 0}',
            "pm25=12.5 ok=true quality=0",
        ),
        (b'{"time": "2026-11-22", "fields": {"pm25": 1}}', "pm25=1 time=2026-11-22"),
        (b'{"location": null}', "location=null"),
        (b"[1, 2]", "[1, 2]"),
        (b"Online", "Online"),
        (b"\xff\x00", "ff 00"),
        (b"", ""),
        (b"bell \x07 and\nbreak", "bell   and break"),
    ],
)
def test_a_payload_is_one_line_for_people(payload: bytes, shown: str) -> None:
    assert shorten(payload) == shown


def test_a_long_payload_is_cut_and_says_so() -> None:
    assert shorten(b"x" * 300, 10) == "xxxxxxxxx…"


def test_the_board_knows_last_value_age_and_rate() -> None:
    board = Board()
    for second in range(4):
        board.note("a/b", f"value {second}", 100.0 + second)
    topic = board.topics["a/b"]
    assert (topic.text, topic.last, topic.count) == ("value 3", 103.0, 4)
    assert topic.rate(103.0) == pytest.approx(60.0)


def test_the_board_does_not_grow_without_bound() -> None:
    board = Board()
    for number in range(MAX_TOPICS + 5):
        board.note(f"t/{number}", "", 0.0)
    assert len(board.topics) == MAX_TOPICS
    assert board.dropped == 5


def test_topics_with_markup_characters_are_shown_as_they_are() -> None:
    board = Board()
    board.note("city/[red]/x", "[bold]1", 0.0)
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(render(board, ["city/#"]))
    text = console.export_text()
    assert "1 topic under city/: #" in text
    assert "\n [red]/x" in text or "\n[red]/x" in text
    assert "[bold]1" in text


def test_on_a_narrow_terminal_the_value_is_cut_and_not_the_names() -> None:
    board = Board()
    for sensor in ("aq-tito-square", "aq-tito-square-2"):
        board.note(f"prehod/koper-01/air_quality/{sensor}", "pm25=11.25 " * 20, 0.0)
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(render(board, ["prehod/koper-01/+/+", "prehod/koper-01/status"]))
    text = console.export_text()
    assert "2 topics under prehod/koper-01/: +/+, status" in text
    for word in ("air_quality/aq-tito-square ", "air_quality/aq-tito-square-2 ", "pm25=11.25", "age", "a minute"):
        assert word in text
    assert all(len(line) <= 80 for line in text.splitlines())


def test_ctrl_c_is_how_a_watch_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    async def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("gateway.cli.watch._watch", interrupted)
    assert main(["watch", "--broker", "mqtt://127.0.0.1:1"]) == 0


def test_a_broker_that_is_not_there_is_one_clear_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["watch", "--broker", "mqtt://127.0.0.1:1", "--plain"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("prehod watch: broker 127.0.0.1:1: ")
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "fix"),
    [
        (("--broker", "foo:99999"), "write it as mqtt://[user:password@]host[:port]"),
        (("--broker", "http://foo"), "write it as mqtt://[user:password@]host[:port]"),
        (("--broker", "foo", "a/#/b"), "'a/#/b' is no topic filter"),
        (("--broker", "foo", "--seconds", "-1"), "'-1': write a number from 0.1 to 10,000,000"),
        (("--broker", "foo", "--seconds", "nan"), "'nan': write a number from 0.1"),
    ],
)
def test_wrong_use_is_told_with_the_fix(
    arguments: tuple[str, ...], fix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(["watch", *arguments])
    assert end.value.code == 2
    assert fix in capsys.readouterr().err


@pytest.mark.parametrize("line", ['password_file = "{}"', 'ca_file = "{}"'])
def test_a_secret_that_cannot_be_read_is_named(line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, missing = tmp_path / "prehod.toml", tmp_path / "missing"
    live = f'[sinks.live]\ntype = "mqtt"\nurl = "mqtts://127.0.0.1:1"\nusername = "u"\n{line.format(missing)}\n'
    file.write_text(f'[gateway]\nid = "koper-01"\ncity = "Koper"\n\n{live}')
    assert main(["watch", "--config", str(file)]) == 1
    key = line.partition(" ")[0]
    assert capsys.readouterr().err == (
        f"prehod watch: 127.0.0.1:1: {key}: {missing}: no such file; create it, or correct the path;"
        " `sudo -u prehod prehod watch` reads it while the service runs\n"
    )


def test_without_a_live_sink_it_says_how_to_name_a_broker(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "prehod.toml"
    file.write_text('[gateway]\nid = "a"\ncity = "b"\n', encoding="utf-8")
    assert main(["watch", "--config", str(file)]) == 1
    assert "--broker mqtt://HOST" in capsys.readouterr().err
