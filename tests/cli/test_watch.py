"""What `prehod watch` makes of messages and of its arguments."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from gateway.cli.main import main
from gateway.cli.watch import MAX_TOPICS, Board, render, shorten


@pytest.mark.parametrize(
    ("payload", "shown"),
    [
        (
            b'{"fields": {"pm25": 12.50, "ok": true}, "tags": {"city": "Koper"}, "quality": 0}',
            "pm25=12.5 ok=true quality=0",
        ),
        (b'{"time": "2026-11-22", "fields": {"pm25": 1}}', "pm25=1 time=2026-11-22"),
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
    assert "city/[red]/x" in text
    assert "[bold]1" in text


def test_a_broker_that_is_not_there_is_one_clear_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["watch", "--broker", "mqtt://127.0.0.1:1", "--plain"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("prehod watch: broker 127.0.0.1:1: ")
    assert error.count("\n") == 1


def test_without_a_live_sink_it_says_how_to_name_a_broker(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "prehod.toml"
    file.write_text('[gateway]\nid = "a"\ncity = "b"\n', encoding="utf-8")
    assert main(["watch", "--config", str(file)]) == 1
    assert "--broker mqtt://HOST" in capsys.readouterr().err
