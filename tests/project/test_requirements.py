"""A test that lacks a program says which one and what to install, and on CI that is a failure."""

import re
from pathlib import Path

import pytest

from tests.support import requirements
from tests.support.requirements import PACKAGES, require, require_program

ROOT = Path(__file__).parents[2]


@pytest.fixture(params=["", "true"])
def outcome(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> type[BaseException]:
    """Be on CI or not; what a missing requirement raises there."""
    monkeypatch.setenv("CI", request.param)
    return pytest.fail.Exception if request.param else pytest.skip.Exception


def test_a_missing_requirement_skips_and_on_ci_fails(outcome: type[BaseException]) -> None:
    with pytest.raises(outcome, match=r"^a sextant is not on board$"):
        require(None, "a sextant is not on board")
    require("a sextant", "a sextant is not on board")


def test_a_missing_program_names_itself_and_its_package(
    outcome: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requirements, "find_program", lambda name: name if name == "openssl" else None)
    require_program("openssl")
    with pytest.raises(outcome, match=r"^mkfs\.ext4 is not installed: sudo apt-get install e2fsprogs$"):
        require_program("openssl", "mkfs.ext4")


def test_what_make_installs_is_what_the_tests_require() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n", "")
    words = " ".join(re.findall(r"(?m)^(?:TOOLS|SERVERS) := (.+)$", makefile)).split()
    installed = {word.partition("=")[0]: word.rpartition("=")[2] for word in words}
    assert set(installed.values()) == {*PACKAGES.values(), "faketime"}
    assert {
        program: package for program, package in installed.items() if PACKAGES.get(program, program) != package
    } == {}


def test_no_other_file_decides_what_a_missing_program_means_on_ci() -> None:
    asking = re.compile(r"""environ.*["']CI["']|skipif\(.*which""")
    found = [path.name for path in (ROOT / "tests").rglob("*.py") if asking.search(path.read_text(encoding="utf-8"))]
    assert found == ["requirements.py"]
