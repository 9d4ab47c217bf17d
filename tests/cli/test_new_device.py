"""``prehod drivers --new``: what it writes passes every check and law as it stands, and it overwrites nothing."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import drivers
from firmware_sim.patience import patience
from gateway.cli.driver_sheets.options import eager
from gateway.cli.driver_sheets.skeletons import KINDS, LONGEST_NAME
from gateway.cli.main import main
from gateway.contract import Measurement, SerialLink
from tests.support.requirements import require

Printed = pytest.CaptureFixture[str]
Run = Callable[..., "subprocess.CompletedProcess[str]"]

ROOT = Path(__file__).parents[2]
NAMES = {kind: f"acme_{kind}_with_a_name".ljust(LONGEST_NAME, "x") for kind in KINDS}
"""A new device of each kind."""
SHORT = {kind: f"x{number}" for number, kind in enumerate(KINDS)}
LAWS = ("laws", "recordings", "twins", "twins_on_a_line", *NAMES.values())
"""Files of tests/drivers."""
COPIED = ("gateway", "drivers", "firmware-sim", "tests")
HOUSE = ("simulator", "one_of_every_device", "recordings", "driver_should_be", "underscore", "half_done")
"""Tests of the whole house that a new device has to pass."""


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout, without a history and without new devices."""
    root = tmp_path_factory.mktemp("checkout")
    for folder in COPIED:
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "Makefile", "README.md", "CONTRIBUTING.md"):
        shutil.copy(ROOT / name, root)
    return root


@pytest.fixture(scope="module")
def run(tree: Path) -> Run:
    """Run a Python module in the copy, whose packages come before those that are installed."""
    path = os.pathsep.join(map(str, (tree, tree / "firmware-sim")))
    environment = {**os.environ, "PYTHONPATH": path, "PREHOD_EXAMPLES": "5", "PYTHONDONTWRITEBYTECODE": "1"}

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", *arguments]
        return subprocess.run(
            command, cwd=tree, env=environment, check=False, capture_output=True, text=True, timeout=patience(500)
        )

    return run


@pytest.fixture(scope="module")
def written(tree: Path, run: Run) -> list[str]:
    """The files of the new devices."""
    files = [file for kind, name in NAMES.items() for file in make(run, name, kind)]
    assert all((tree / file).is_file() for file in files)
    return files


def make(run: Run, name: str, kind: str) -> list[str]:
    """Return the files that the command writes."""
    done = run("gateway.cli.main", "drivers", "--new", name, "--kind", kind, "--json")
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout)["written"])


@pytest.fixture
def short(tree: Path, run: Run) -> Iterator[list[str]]:
    """The files of others whose names are short; they go again, for two examples would take each other's frames."""
    files = [file for kind, name in SHORT.items() for file in make(run, name, kind)]
    yield files
    for file in files:
        (tree / file).unlink()
    for name in ("x0", "x1", "codecs/x2"):
        (tree / "tests" / "recordings" / name).rmdir()


def require_tools() -> None:
    missing = [name for name in ("ruff", "mypy") if not Path(sys.executable).with_name(name).exists()]
    require(not missing, f"{', '.join(missing)} is not installed: pip install 'prehod[check]'")


def test_a_device_is_a_driver_a_twin_a_recording_and_a_test(written: list[str]) -> None:
    folders = {"serial": "", "mqtt": "", "codec": "codecs/"}
    assert written == [file for kind in KINDS for file in four(NAMES[kind], folders[kind])]


def four(name: str, folder: str) -> list[str]:
    return [
        f"drivers/{folder}{name}.py",
        f"firmware-sim/firmware_sim/devices/{name}.py",
        f"tests/recordings/{folder}{name}/example.toml",
        f"tests/drivers/test_{name}.py",
    ]


@pytest.mark.timeout(600)
def test_ruff_and_mypy_have_nothing_to_say_of_it_however_long_its_name(
    written: list[str], short: list[str], run: Run
) -> None:
    require_tools()
    programs = [file for file in (*written, *short) if file.endswith(".py")]
    for check in (("ruff", "check"), ("ruff", "format", "--check"), ("mypy",)):
        done = run(*check, *programs)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.timeout(600)
@pytest.mark.usefixtures("written")
def test_the_laws_hold_over_it_and_its_twin_is_read(run: Run) -> None:
    files = [f"tests/drivers/test_{name}.py" for name in LAWS]
    done = run(
        "pytest", "-v", "-p", "no:cacheprovider", *files, "-k", " or ".join(["every_recording", *NAMES.values()])
    )
    assert done.returncode == 0, done.stdout
    passed = set(re.findall(r"::(\S+) PASSED", done.stdout))
    serial, mqtt, codec = (NAMES[kind] for kind in KINDS)
    assert {
        "test_every_recording_decodes_to_what_it_expects",
        f"test_any_chunking_gives_the_same_output[{serial}]",
        f"test_no_driver_takes_anothers_recordings_for_its_own[{serial}]",
        f"test_no_driver_takes_anothers_recordings_for_its_own[{mqtt}]",
        f"test_no_message_raises[{mqtt}]",
        f"test_no_payload_raises_and_each_is_a_reading_or_refused[{codec}]",
        f"test_what_is_read_is_what_was_measured[{serial}]",
        f"test_through_noise_and_damage_little_is_lost_and_less_is_invented[{serial}]",
        f"test_over_a_real_line_every_reading_arrives_once[{serial}]",
        f"test_a_message_is_read_as_its_twin_meant_it[{mqtt}]",
        "test_what_its_twin_measures_is_read_once_each",
    } <= passed
    assert [one for one in passed if one.startswith(f"test_a_payload_is_read_as_its_sensor_meant_it[{codec}-")]


def test_no_driver_takes_the_example_for_its_own(tree: Path, written: list[str]) -> None:
    serial, mqtt, _ = (tomllib.loads((tree / file).read_text("utf-8")) for file in written if file.endswith("toml"))
    for driver in drivers.load_all():
        decoder: Any = driver.decoder(eager(driver.options, {}))
        said: list[object] = []
        if isinstance(driver.link, SerialLink):
            for feed in serial["feed"]:
                said += decoder.feed(bytes.fromhex(feed["hex"]), 10**12)
        else:
            for feed in mqtt["feed"]:
                said += decoder.decode(feed["topic"], feed["text"].encode())
        assert [one for one in said if isinstance(one, Measurement)] == [], driver.name


@pytest.mark.usefixtures("written")
def test_the_house_accepts_it(run: Run) -> None:
    done = run("pytest", "-q", "-p", "no:cacheprovider", "tests/project/test_house.py", "-k", " or ".join(HOUSE))
    assert done.returncode == 0, done.stdout


@pytest.mark.usefixtures("written")
def test_it_is_found_by_its_name_at_once(run: Run) -> None:
    for name in NAMES.values():
        done = run("gateway.cli.main", "drivers", name)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(f"{name}: Acme ")


def test_what_is_there_is_never_overwritten(tree: Path, written: list[str], run: Run) -> None:
    before = {file: (tree / file).read_bytes() for file in written}
    for kind in KINDS:
        again = run("gateway.cli.main", "drivers", "--new", NAMES["serial"], "--kind", kind)
        assert (again.returncode, again.stdout) == (2, "")
        assert "is there already" in again.stderr
    assert {file: (tree / file).read_bytes() for file in written} == before


def test_a_file_in_the_way_is_named_and_nothing_is_written(tree: Path, run: Run) -> None:
    twin = tree / "firmware-sim" / "firmware_sim" / "devices" / "acme_5.py"
    twin.write_text('"""Mine."""\n', encoding="utf-8")
    try:
        done = run("gateway.cli.main", "drivers", "--new", "acme_5")
        assert done.returncode == 2
        assert "firmware-sim/firmware_sim/devices/acme_5.py is there already" in done.stderr
        assert not list(tree.glob("drivers/acme_5*"))
        assert twin.read_text(encoding="utf-8") == '"""Mine."""\n'
    finally:
        twin.unlink()


@pytest.mark.parametrize("name", ["", "Acme", "3000", "acme-3000", "_acme", "acme__3", "../acme", "class", "a" * 33])
def test_a_name_that_no_module_can_have_is_refused(
    name: str, tree: Path, capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tree)
    assert main(["drivers", "--new", name]) == 2
    assert f"{name!r} is no name of a driver" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["sds011", "modbus", "bosch_tps110", "common", "codecs", "table"])
def test_a_name_that_is_taken_is_refused(
    name: str, tree: Path, capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tree)
    assert main(["drivers", "--new", name]) == 2
    assert "is there already" in capsys.readouterr().err


def test_elsewhere_it_says_that_it_needs_a_checkout(
    tmp_path: Path, capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["drivers", "--new", "acme"]) == 2
    assert f"{tmp_path} is in no checkout of Prehod" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_folder_within_a_checkout_will_do(tree: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree / "tests" / "drivers")
    assert main(["drivers", "--new", "acme_6"]) == 0
    files = [tree / file for file in four("acme_6", "")]
    assert all(file.is_file() for file in files)
    for file in files:
        file.unlink()
    files[2].parent.rmdir()
    assert run("gateway.cli.main", "drivers", "acme_6").returncode == 2


def test_a_kind_alone_means_nothing(capsys: Printed) -> None:
    assert main(["drivers", "--kind", "codec"]) == 2
    assert "--kind belongs to --new" in capsys.readouterr().err
