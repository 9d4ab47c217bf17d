"""The command line: what is right answers 0, what is wrong 1, wrong use 2, and everybody is told why."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

import drivers
from firmware_sim.patience import patience
from gateway import __version__
from gateway.cli import main as main_module
from gateway.cli.drivers import markdown
from gateway.cli.main import COMMANDS, DEFAULT_CONFIG, main
from gateway.errors import SpoolLocked

MINIMAL = Path(__file__).parents[2] / "config" / "minimal.toml"
Printed = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _log_as_before() -> Iterator[None]:
    """`prehod run` sets up the log for the whole process."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def wrong(tmp_path: Path) -> Path:
    path = tmp_path / "wrong.toml"
    path.write_text(MINIMAL.read_text(encoding="utf-8").replace("sds011", "sds01") + "[sinkz]\n", encoding="utf-8")
    return path


def mistakes(path: Path) -> list[str]:
    return [
        f"{path}: sinkz: no key is called 'sinkz'; did you mean 'sinks'?",
        f"{path}: sources.air.driver: no driver is called 'sds01'; did you mean 'sds011'?",
    ]


@pytest.mark.parametrize("arguments", [[str(MINIMAL)], ["--config", str(MINIMAL)]])
def test_check_says_what_a_right_file_holds(arguments: list[str], capsys: Printed) -> None:
    assert main(["check", *arguments]) == 0
    out, err = capsys.readouterr()
    assert out == f"{MINIMAL}: fine. 1 serial device, 0 brokers, 0 named sensors\nsinks: influx\n"
    assert err == ""


def test_check_says_every_mistake_on_standard_error(wrong: Path, capsys: Printed) -> None:
    assert main(["check", str(wrong)]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == mistakes(wrong)


def test_check_says_it_to_machines_in_json(wrong: Path, capsys: Printed) -> None:
    assert main(["check", "--json", str(wrong)]) == 1
    assert json.loads(capsys.readouterr().out) == {"file": str(wrong), "problems": mistakes(wrong)}
    assert main(["check", "--json", str(MINIMAL)]) == 0
    assert json.loads(capsys.readouterr().out) == {"file": str(MINIMAL), "problems": []}


def test_a_file_that_is_not_there_is_a_problem_and_no_traceback(tmp_path: Path, capsys: Printed) -> None:
    missing = tmp_path / "missing.toml"
    for command in ("check", "run"):
        assert main([command, "--config", str(missing)]) == 1
        assert capsys.readouterr().err == f"{missing}: no such file; start from config/minimal.toml\n"


def test_drivers_lists_every_driver_and_codec_and_cuts_no_word(
    capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["drivers"]) == 0
    out = capsys.readouterr().out
    for name in (*drivers.names(), *drivers.codec_names()):
        assert f" {name} " in f" {' '.join(out.split())} "
    assert "average_vehicle_speed" in out
    assert "…" not in out


def test_drivers_are_told_to_machines_with_their_fields(capsys: Printed) -> None:
    assert main(["drivers", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [one["name"] for one in told["drivers"]] == drivers.names()
    assert [one["name"] for one in told["codecs"]] == drivers.codec_names()
    (sds011,) = [one for one in told["drivers"] if one["name"] == "sds011"]
    assert (sds011["link"], sds011["kinds"]) == ("serial", ["air_quality"])
    assert {"name": "pm25", "type": "float", "unit": "ug/m3", "health": False}.items() <= sds011["fields"][0].items()


def test_drivers_in_markdown_are_one_row_each(capsys: Printed) -> None:
    assert main(["drivers", "--markdown"]) == 0
    out = capsys.readouterr().out
    assert out == markdown(drivers.load_all(), drivers.load_all_codecs())
    rows = [line.strip("| ").split(" | ") for line in out.splitlines()]
    assert rows[0] == ["Driver", "Device", "How", "Measures"]
    assert [row[0].strip("`") for row in rows[2:]] == [*drivers.names(), *drivers.codec_names()]
    assert {len(row) for row in rows} == {4}
    assert ["MQTT", "as the codec says"] in [row[2:] for row in rows if row[0] == "`chirpstack`"]
    assert max(len(row[3]) for row in rows) < 300, "a driver with many fields says so instead of listing them"


def test_the_version_is_told(capsys: Printed) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"prehod {__version__}\n"


def test_no_command_is_wrong_use_and_shows_those_there_are(capsys: Printed) -> None:
    assert main([]) == 2
    out = capsys.readouterr().out
    for command, summary in COMMANDS.items():
        assert command in out
        assert summary.partition(":")[0].split()[0] in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["chek"], "invalid choice: 'chek'"),
        (["check", "--jsn"], "unrecognized arguments: --jsn"),
        (["check", "a", "b"], "unrecognized arguments: b"),
        (["check", "--config"], "expected one argument"),
        (["drivers", "sds011", "x"], "unrecognized arguments: x"),
    ],
)
def test_wrong_use_ends_with_2_and_says_what_is_wrong(arguments: list[str], message: str, capsys: Printed) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str, capsys: Printed) -> None:
    with pytest.raises(SystemExit) as end:
        main([command, "--help"])
    assert end.value.code == 0
    out = capsys.readouterr().out
    assert f"usage: prehod {command}" in out
    assert str(DEFAULT_CONFIG) in out


@pytest.mark.parametrize(
    ("raised", "code", "message"),
    [
        (
            SpoolLocked("another daemon owns /var/lib/prehod", 17),
            1,
            "prehod check: another daemon owns /var/lib/prehod\n",
        ),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_an_error_of_ours_is_told_in_one_line(
    raised: BaseException, code: int, message: str, monkeypatch: pytest.MonkeyPatch, capsys: Printed
) -> None:
    def fail(_: Path) -> None:
        raise raised

    monkeypatch.setattr("gateway.cli.check.load_configuration", fail)
    assert main(["check"]) == code
    assert capsys.readouterr().err == message


def test_the_installed_command_does_the_same(wrong: Path) -> None:
    prehod = Path(sys.executable).with_name("prehod")
    done = subprocess.run([prehod, "check", wrong], capture_output=True, text=True, check=False, timeout=patience())
    assert (done.returncode, done.stdout, done.stderr.splitlines()) == (1, "", mistakes(wrong))


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    command = [str(Path(sys.executable).with_name("prehod")), "check", str(MINIMAL)]
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=buffered) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        assert running.stderr.read() == b""
        assert running.wait(patience()) == 0


def test_a_command_imports_only_what_it_needs() -> None:
    """A small board starts slowly: `check` needs no web server, no MQTT, no database client."""
    program = f"import sys; from gateway.cli.main import main; main(['check', {str(MINIMAL)!r}]); print(*sys.modules)"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=patience())
    imported = set(done.stdout.splitlines()[-1].split())
    assert not imported & {
        "aiohttp",
        "paho",
        "influxdb_client",
        "rich",
        "gateway.daemon.app",
        "gateway.daemon.process",
        "firmware_sim",
        "asyncio",
    }
    assert main_module.__name__ in imported
