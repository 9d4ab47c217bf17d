"""The house is in order: its lists agree with each other, its files are small, and nothing is left half done."""

import ast
import re
import sys
import tomllib
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import pytest

import drivers
from firmware_sim import registry
from firmware_sim.devices import tps110
from gateway.cli.drivers import markdown

ROOT = Path(__file__).parents[2]
DEVICES = ROOT / "firmware-sim" / "firmware_sim" / "devices"
RECORDINGS = ROOT / "tests" / "recordings"

PACKAGES = {
    "influxdb_client": "influxdb-client",
    "paho": "paho-mqtt",
    "prometheus_client": "prometheus-client",
    "serial": "pyserial",
}
"""Packages whose name is not that of their module."""

LONGEST_FILE = 400
LONGEST_DRIVER = 200
LONGEST_TEST = 600
"""Lines: of a program; of a driver without its data sheet; of a test file, which is a list of sentences."""

COMPLEXITY = {"C901", "PLR0911", "PLR0912", "PLR0915"}
"""Ruff's rules for branches, returns and statements of one function."""

HALF_DONE = re.compile("|".join(["TO" + "DO", "FIX" + "ME", r"\bXX" + r"X\b", "NotImplemented" + "Error"]))


def programs() -> Iterator[Path]:
    for folder in ("gateway", "drivers", "firmware-sim"):
        yield from sorted((ROOT / folder).rglob("*.py"))


def texts() -> Iterator[Path]:
    yield from (ROOT / name for name in ("pyproject.toml", "Makefile"))
    yield from ROOT.glob("*.md")
    for folder in ("gateway", "drivers", "firmware-sim", "tests", "config", "systemd", "docs"):
        yield from (path for path in (ROOT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts)


def dependencies() -> list[str]:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    return [re.split(r"[<>=]", one)[0] for one in declared]


def lines_of(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def lines_of_code(path: Path) -> int:
    """Return the lines behind the module's docstring."""
    match ast.parse(path.read_text(encoding="utf-8")).body:
        case [ast.Expr(value=ast.Constant(value=str()), end_lineno=int(sheet)), *_]:
            return lines_of(path) - sheet
    return lines_of(path)


def too_long(paths: Iterator[Path], most: int, count: Callable[[Path], int] = lines_of) -> dict[str, int]:
    return {str(path.relative_to(ROOT)): count(path) for path in paths if count(path) > most}


def test_the_readmes_table_is_what_the_drivers_say_of_themselves() -> None:
    found = re.search(
        r"<!-- drivers:begin -->\n(.*?)<!-- drivers:end -->",
        (ROOT / "README.md").read_text(encoding="utf-8"),
        re.DOTALL,
    )
    if found is None:
        pytest.skip("README.md has no <!-- drivers:begin --> yet")
    said = markdown(drivers.load_all(), drivers.load_all_codecs())
    assert found[1].strip() == said.strip(), "put what `prehod drivers --markdown` prints into README.md"


def simulated(path: Path) -> list[str]:
    """Return the drivers and codecs that a simulator says it stands for; a family's module has several."""
    module = import_module(f"firmware_sim.devices.{path.stem}")
    own = [getattr(module, name) for name in ("DRIVER", "CODEC") if hasattr(module, name)]
    return [*own, *getattr(module, "CODECS", ())]


def test_every_device_has_a_simulator_and_every_simulator_a_driver() -> None:
    wanted = {*drivers.names(), *drivers.codec_names()}
    said = {path.stem: simulated(path) for path in DEVICES.glob("*.py") if path.stem != "__init__"}
    assert [name for name, stands_for in said.items() if not stands_for] == []
    assert sorted(name for stands_for in said.values() for name in stands_for) == sorted(wanted)


def test_one_of_every_device_is_made_without_being_named() -> None:
    assert {*registry.twins(), *registry.networks()} == set(drivers.names())
    assert {*registry.sensors(), tps110.CODEC} == set(drivers.codec_names())


def test_every_driver_and_codec_has_recordings_and_every_recording_its_driver() -> None:
    assert {path.name for path in RECORDINGS.iterdir()} == {*drivers.names(), "codecs"}
    assert {path.name for path in (RECORDINGS / "codecs").iterdir()} == set(drivers.codec_names())
    assert [path.name for path in RECORDINGS.rglob("*") if path.is_dir() and not list(path.iterdir())] == []


def test_no_file_is_too_long_to_be_read_at_once() -> None:
    assert too_long(programs(), LONGEST_FILE) == {}


def test_no_driver_is_longer_than_a_driver_should_be() -> None:
    assert too_long((ROOT / "drivers").rglob("*.py"), LONGEST_DRIVER, lines_of_code) == {}


UNDATED = {
    *("actility", "adec_tdc", "moko_lw009", "natch", "pni_placepod"),
    *("form", "json", "lorawan", "struct", "text", "value"),
}
"""Drivers and codecs whose sources say of no edition that they are, and those that read what one describes."""


def _source(docstring: str) -> str:
    """Return what a sheet says of its sources, and what the shared parts say that it names there."""
    said = re.split(r"^Sources?:", docstring, flags=re.MULTILINE)[-1] if "Source" in docstring else ""
    shared = re.findall(r"`(drivers\.[a-z_.0-9]+)`", said)
    return " ".join([said, *(_source(import_module(name).__doc__ or "") for name in shared)])


def test_every_sheet_names_the_edition_of_what_it_follows() -> None:
    """Makers change a layout later: a firmware, a document's number, a date or a commit tells which one is meant."""
    sheets = {name: import_module(f"drivers.{name}") for name in drivers.names()}
    sheets |= {name: import_module(f"drivers.codecs.{name}") for name in drivers.codec_names()}
    undated = {name for name, sheet in sheets.items() if not re.search("[0-9]", _source(sheet.__doc__ or ""))}
    assert undated - UNDATED == set()


def test_no_part_of_a_device_hides_behind_an_underscore() -> None:
    """A driver is one file; a device that is more is a package whose parts have names."""
    hidden = [path for path in (ROOT / "drivers").rglob("_*.py") if path.stem != "__init__"]
    assert [str(path.relative_to(ROOT)) for path in hidden] == []


def test_no_rule_of_complexity_is_switched_off_for_a_file() -> None:
    lint = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["ruff"]["lint"]
    assert lint["select"] == ["ALL"]
    ignored = {*lint["ignore"], *(rule for rules in lint["per-file-ignores"].values() for rule in rules)}
    assert [rule for rule in ignored if any(one.startswith(rule) for one in COMPLEXITY)] == []
    assert lint["mccabe"]["max-complexity"] <= 10
    assert lint["pylint"]["max-branches"] <= 10
    assert lint["pylint"]["max-statements"] <= 40


def test_no_test_file_is_endless() -> None:
    assert too_long((ROOT / "tests").rglob("*.py"), LONGEST_TEST) == {}


def test_nothing_is_left_half_done() -> None:
    left = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in texts()
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        if HALF_DONE.search(line)
    ]
    assert left == []


def test_contributing_gives_a_reason_for_exactly_the_dependencies_there_are() -> None:
    path = ROOT / "CONTRIBUTING.md"
    if not path.exists():
        pytest.skip("CONTRIBUTING.md is not written yet")
    explained = re.findall(r"(?m)^\| `([a-z-]+)` \| .+ \| .+ \|$", path.read_text(encoding="utf-8"))
    assert sorted(explained) == sorted(dependencies())


def test_what_is_imported_is_declared_and_what_is_declared_imported() -> None:
    """A dependency that came in by another's back door disappears with it."""
    declared = set(dependencies())
    imported: set[str] = set()
    for path in programs():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add(str(node.module).partition(".")[0])
    others = imported - set(sys.stdlib_module_names) - {"gateway", "drivers", "firmware_sim"}
    extras = {"iotcore", "jmespath"}
    assert {PACKAGES.get(name, name) for name in others - extras} == declared
