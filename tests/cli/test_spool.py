import argparse
import csv
import gc
import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, cast

import pytest

from gateway.cli import spool as command
from gateway.spool import Batch, Spool, SpoolTuning
from gateway.spool.export import FORMATS, StoredReading
from tests.support.spool import Batches

T0 = 1732281600000000000
Run = Callable[..., int]


@pytest.fixture
def run() -> Run:
    """Call the command as the main program does."""

    def call(*arguments: str | Path) -> int:
        parser = argparse.ArgumentParser()
        parser.add_argument("--config", type=Path)
        parser.add_argument("--json", action="store_true")
        command.configure(parser)
        return command.run(parser.parse_args([str(argument) for argument in arguments]))

    return call


@pytest.fixture
def text(root: Path, batches: Batches) -> str:
    """A spool of three segments, 10 + 10 + 4 readings; what it holds."""
    made = [batches(10), batches(10), batches(4)]
    with Spool.open(root, tuning=SpoolTuning(segment_bytes=1), sinks=["influx"]) as spool:
        for batch in made:
            spool.writer.append(batch)
        spool.consumer("influx").seek(8)
    return b"".join(batch.lines for batch in made).decode()


def damage(root: Path) -> Path:
    path = root / f"{10:020}.lp.gz"
    data = bytearray(path.read_bytes())
    data[80] ^= 1
    path.write_bytes(data)
    return path


def test_status_says_how_much_there_is_and_what_waits(
    root: Path, text: str, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert text
    assert run("--dir", root, "status") == 0
    out = capsys.readouterr().out
    for words in ("24, numbers 0 to before 24", "3 segments", "2024-11-22T13:20:23Z", "influx", "16"):
        assert words in out


@pytest.mark.parametrize("place", ["before", "behind"])
def test_status_for_machines(place: str, root: Path, text: str, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert text
    options = ["--json", "--dir", root]
    assert run(*options, "status") == 0 if place == "before" else run("status", *options) == 0
    status = json.loads(capsys.readouterr().out)
    assert (status["readings"], status["segments"], status["next_seq"]) == (24, 3, 24)
    assert status["sinks"]["influx"] == {"next_seq": 8, "pending": 16, "oldest_pending": T0}
    assert (status["damaged"], status["losses"], status["problems"]) == (0, 0, [])


def test_verify_names_every_damaged_place(
    root: Path, text: str, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert text
    assert run("--dir", root, "verify") == 0
    assert "24 readings sound, 0 damaged places" in capsys.readouterr().out
    path = damage(root)
    size = path.stat().st_size
    assert run("--dir", root, "verify") == 1
    out = capsys.readouterr().out
    assert f"{path.name}, {size:,} bytes at offset 0: the body's checksum is wrong" in out
    assert "14 readings sound, 1 damaged place" in out
    assert run("--dir", root, "--json", "verify") == 1
    [place] = json.loads(capsys.readouterr().out)["damaged"]
    assert (place["segment"], place["offset"], place["length"]) == (path.name, 0, size)


def test_a_spool_with_damage_set_aside_has_a_problem(
    root: Path, text: str, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert text
    (root / f"{10:020}.lp.gz").write_bytes(b"\xff" * 100)
    Spool.open(root, sinks=["influx"]).close()
    assert run("--dir", root, "status") == 1
    out = capsys.readouterr().out
    assert "1 piece in damaged/" in out
    assert "10 readings, see prehod spool losses" in out


def test_cat_prints_line_protocol(root: Path, text: str, run: Run, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert run("--dir", root, "cat") == 0
    assert capfdbinary.readouterr().out.decode() == text


def test_machines_get_json_lines_from_cat_and_export(
    root: Path, text: str, run: Run, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    for command_line in (("cat",), ("export",)):
        assert run("--dir", root, "--json", *command_line) == 0
        lines = capfdbinary.readouterr().out.splitlines()
        assert len(lines) == len(text.splitlines())
        assert set(json.loads(lines[0])) >= {"time", "measurement", "tags", "fields"}


def test_cat_within_times_prints_just_those_lines(
    root: Path, text: str, run: Run, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    times = ["--since", "2024-11-22T13:20:05Z", "--until", "2024-11-22T14:20:12+01:00"]
    assert run("--dir", root, "cat", *times) == 0
    assert capfdbinary.readouterr().out.decode() == "".join(text.splitlines(keepends=True)[5:12])


def test_cat_leaves_out_what_is_damaged_and_says_so(
    root: Path, text: str, run: Run, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    damage(root)
    assert run("--dir", root, "cat") == 1
    captured = capfdbinary.readouterr()
    assert captured.out.decode() == "".join(text.splitlines(keepends=True)[:10] + text.splitlines(keepends=True)[20:])
    assert b"at offset 0: the body's checksum is wrong" in captured.err


def test_readings_without_utc_times_are_printed_with_their_comment_and_left_out_when_times_are_asked_for(
    root: Path, batches: Batches, run: Run, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    boot = bytes(range(16))
    with Spool.open(root) as spool:
        spool.writer.append(batches(1, boot=boot, time=7))
        spool.writer.append(batches(1))
    assert run("--dir", root, "cat") == 0
    assert capfdbinary.readouterr().out.startswith(b"# prehod: times are CLOCK_BOOTTIME")
    assert run("--dir", root, "cat", "--since", "2024-01-01") == 0
    captured = capfdbinary.readouterr()
    assert captured.out.count(b"\n") == 1
    assert b"left out 1 readings without UTC times" in captured.err
    assert run("--dir", root, "export", "--format", "jsonl") == 0
    first, second = map(json.loads, capfdbinary.readouterr().out.splitlines())
    assert (first["time"], first["boot_id"], first["boot_time_ns"]) == (None, boot.hex(), 7)
    assert "boot_id" not in second


def test_export_writes_csv_with_a_row_for_each_field(root: Path, text: str, run: Run, tmp_path: Path) -> None:
    assert text
    target = tmp_path / "readings.csv"
    assert run("--dir", root, "export", "--output", target) == 0
    rows = list(csv.DictReader(io.StringIO(target.read_text())))
    assert len(rows) == 48
    assert rows[0] == {
        "time": "2024-11-22T13:20:00Z",
        "measurement": "air_quality",
        "sensor": "aq-0",
        "field": "pm10",
        "value": "0.5",
        "tags": "city=koper",
        "boot_id": "",
        "boot_time_ns": "",
    }


def test_export_writes_json_lines_and_line_protocol(
    root: Path, text: str, run: Run, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert run("--dir", root, "export", "--format", "jsonl", "--since", "2024-11-22T13:20:23Z") == 0
    assert json.loads(capfdbinary.readouterr().out) == {
        "time": "2024-11-22T13:20:23Z",
        "measurement": "air_quality",
        "tags": {"city": "koper", "sensor": "aq-23"},
        "fields": {"pm10": 23.5, "quality": 0},
    }
    assert run("--dir", root, "export", "--format", "lp") == 0
    assert capfdbinary.readouterr().out.decode() == text


def test_wrong_use_is_one_clear_line(
    root: Path, text: str, run: Run, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert text
    (tmp_path / "empty").mkdir()
    for nowhere in (tmp_path / "nowhere", tmp_path / "empty"):
        assert run("--dir", nowhere, "status") == 2
        assert f"there is no spool in {nowhere}: " in capsys.readouterr().err
    assert run("--dir", root, "export", "--output", tmp_path / "nowhere" / "x.csv") == 2
    assert "cannot write" in capsys.readouterr().err
    with pytest.raises(SystemExit) as caught:
        run("--dir", root, "cat", "--since", "yesterday-ish")
    assert caught.value.code == 2
    assert "'yesterday-ish' is no time" in capsys.readouterr().err


def test_the_directory_above_a_spool_is_understood(
    tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    Spool.open(tmp_path / "spool").close()
    assert run("--dir", tmp_path, "status") == 0
    assert str(tmp_path / "spool") in "".join(capsys.readouterr().out.split())


def test_the_spool_of_the_configuration_is_found(
    tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "prehod.toml"
    config.write_text(f'[gateway]\nid = "koper-01"\ncity = "Koper"\ndata_dir = "{tmp_path}"\n')
    assert run("--config", config, "status") == 2
    assert "start the gateway, or give --dir" in capsys.readouterr().err
    Spool.open(tmp_path / "spool").close()
    assert run("--config", config, "status") == 0


class _GonePipe(io.RawIOBase):
    """Takes a little, then its reader is gone."""

    taken = 0

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override] # nothing else is written here
        self.taken += len(data)
        self.flush()
        return len(data)

    def flush(self) -> None:
        if self.taken > 1000:
            raise BrokenPipeError


@pytest.mark.parametrize("write", FORMATS.values(), ids=FORMATS)
def test_an_export_that_its_reader_ends_leaves_the_output_open_for_whoever_opened_it(
    write: Callable[[Iterable[StoredReading], BinaryIO], None],
) -> None:
    output = _GonePipe()
    with pytest.raises(BrokenPipeError):
        write(
            (StoredReading(b"air_quality,sensor=aq-1 pm10=1 %d" % n, None) for n in range(1_000)),
            cast("BinaryIO", output),
        )
    gc.collect()
    assert not output.closed
    output.taken = 0  # it is flushed when it is closed


def test_a_reader_that_has_seen_enough_causes_no_complaint(root: Path) -> None:
    lines = b"".join(
        b"air_quality,sensor=aq-%d pm10=%d %d\n" % (n % 9, n * 7919 % 1000, T0 + n) for n in range(50_000)
    )
    with Spool.open(root) as spool:
        spool.writer.append(Batch(lines, 50_000, T0, T0 + 49_999))
    program = "import sys; from gateway.cli.main import main; sys.exit(main())"
    arguments = [sys.executable, "-c", program, "spool", "--dir", str(root), "export"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline().startswith(b"time,")
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 0


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2024-11-22", T0 - (13 * 60 + 20) * 60 * 10**9),
        ("2024-11-22T13:20:00", T0),
        ("2024-11-22T13:20:00Z", T0),
        ("2024-11-22T14:20:00.5+01:00", T0 + 5 * 10**8),
    ],
)
def test_times_are_utc_unless_they_say_otherwise(written: str, expected: int) -> None:
    assert command.parse_time(written) == expected


def test_a_duration_is_a_time_ago() -> None:
    before = datetime.now(UTC).timestamp()
    asked = command.parse_time("6h") / 1e9 + 6 * 3600
    assert before - 1e-3 <= asked <= datetime.now(UTC).timestamp() + 1e-3
