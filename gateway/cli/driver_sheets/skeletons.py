"""The skeleton of a new device, written into a checkout: its driver, twin, recording and test.

The templates are in the checkout as well (``tests/skeletons``), and are not installed: an installation has no tests
to which a driver could be held, nor a simulator beside which its twin could stand.
"""

import re
from keyword import iskeyword
from pathlib import Path
from string import Template
from typing import Literal, get_args

from gateway.errors import PrehodError

Kind = Literal["serial", "mqtt", "codec"]
KINDS: tuple[Kind, ...] = get_args(Kind)
LONGEST_NAME = 32

_NAME = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
_TEMPLATES = Path("tests", "skeletons")
_NEEDED = (Path("drivers", "codecs"), Path("firmware-sim", "firmware_sim", "devices"), _TEMPLATES)


class SkeletonRefused(PrehodError):
    """No skeleton was written; says why, and what to do."""


def checkout(start: Path) -> Path:
    """Return the root of the checkout that contains ``start``."""
    for folder in (start, *start.parents):
        if all((folder / needed).is_dir() for needed in _NEEDED):
            return folder
    raise SkeletonRefused(
        f"{start} is in no checkout of Prehod: a new device needs a twin, a recording and a test beside its driver; "
        "clone the repository and run this there"
    )


def check_name(name: str, known: list[str]) -> None:
    """Look whether a new driver or codec can have this name; raises `SkeletonRefused`."""
    if not _NAME.fullmatch(name) or iskeyword(name) or len(name) > LONGEST_NAME:
        raise SkeletonRefused(
            f"{name!r} is no name of a driver: at most {LONGEST_NAME} lower-case letters, digits and single "
            "underscores, a letter first, as in acme_3000"
        )
    if name in known:
        raise SkeletonRefused(f"{name} is there already: prehod drivers {name} shows it")


def write(root: Path, name: str, kind: Kind) -> list[Path]:
    """Write the four files below ``root``; return their paths. Files that exist are left alone, and refused."""
    files = {root / path: _filled(root / _TEMPLATES / kind / template, name) for template, path in _paths(name, kind)}
    there = [str(path.relative_to(root)) for path in files if path.exists() or path.with_suffix("").is_dir()]
    if there:
        raise SkeletonRefused(f"{', '.join(there)} is there already: choose another name, or remove it")
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return list(files)


def _paths(name: str, kind: Kind) -> tuple[tuple[str, Path], ...]:
    """Return each template with the path of what it becomes."""
    codecs = ("codecs",) if kind == "codec" else ()
    return (
        ("driver.py.txt", Path("drivers", *codecs, f"{name}.py")),
        ("twin.py.txt", Path("firmware-sim", "firmware_sim", "devices", f"{name}.py")),
        ("recording.toml.txt", Path("tests", "recordings", *codecs, name, "example.toml")),
        ("test.py.txt", Path("tests", "drivers", f"test_{name}.py")),
    )


def _filled(template: Path, name: str) -> str:
    words = name.split("_")
    title = " ".join(word.capitalize() for word in words)
    text = Template(template.read_text(encoding="utf-8"))
    return text.substitute(name=name, Name=title.replace(" ", ""), title=title)
