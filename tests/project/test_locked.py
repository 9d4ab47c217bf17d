"""What `.ci/locked` names is what pyproject.toml asks for, with hashes, and the same in each of its files."""

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
NEEDED = {
    "gateway": [],
    "demo": ["demo"],
    "develop": ["demo", "test", "check"],
    "fuzz": ["demo", "test", "fuzz"],
    "mutants": ["demo", "test", "mutants"],
}
"""The extras that each file stands for."""

PINNED = re.compile(r"(?m)^([A-Za-z0-9._-]+)==([^ ;\\]+)((?:.*\\\n)+ +--hash=.+)?")


def pins(name: str) -> list[tuple[str, str, str]]:
    """Return each package that a file names, its version, and its hashes."""
    return PINNED.findall((ROOT / ".ci" / "locked" / f"{name}.txt").read_text(encoding="utf-8"))


def locked(name: str) -> dict[str, Version]:
    """Return the version of each package that a file names; where markers give it several, the newest."""
    versions: dict[str, Version] = {}
    for package, version, _ in pins(name):
        key = canonicalize_name(package)
        versions[key] = max(versions.get(key, Version("0")), Version(version))
    return versions


def wanted(extras: list[str]) -> list[Requirement]:
    project = PROJECT["project"]
    lines = project["dependencies"] + [line for extra in extras for line in project["optional-dependencies"][extra]]
    return [one for one in map(Requirement, lines + PROJECT["build-system"]["requires"]) if one.name != "prehod"]


def test_every_dependency_is_locked_at_a_version_that_it_allows() -> None:
    offenders = []
    for name, extras in NEEDED.items():
        versions = locked(name)
        for requirement in wanted(extras):
            version = versions.get(canonicalize_name(requirement.name))
            if version is None or version not in requirement.specifier:
                offenders.append(f"{name}.txt: {requirement}, locked at {version}")
    assert offenders == [], "run `make lock`"


def test_no_two_files_lock_a_package_at_different_versions() -> None:
    files = {name: locked(name) for name in NEEDED}
    offenders = [
        f"{package}: {name}.txt has {version}, gateway.txt {files['gateway'][package]}"
        for name, versions in files.items()
        for package, version in versions.items()
        if package in files["gateway"] and version != files["gateway"][package]
    ]
    assert offenders == [], "run `make lock`"


def test_nothing_is_locked_without_a_hash() -> None:
    offenders = [f"{name}.txt: {package}" for name in NEEDED for package, _, hashes in pins(name) if not hashes]
    assert offenders == [], "run `make lock`"
