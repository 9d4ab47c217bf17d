"""Every promise in docs/reliability.md names the tests that hold it, and they exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def test_every_test_that_the_page_names_exists() -> None:
    named = NAMED.findall(TEXT)
    assert len(named) > 20, "the page names hardly any test"
    missing = [f"{path}::{name}" for path, name in named if not _defines(path, name)]
    assert missing == []


def test_every_promise_names_its_limit_and_its_tests() -> None:
    promises = TEXT.partition("\n## What is promised\n")[2].partition("\n## ")[0].split("\n### ")[1:]
    assert promises
    for promise in promises:
        title = promise.partition("\n")[0]
        assert "\n**Limit.** " in promise, title
        assert NAMED.search(promise.partition("\n**Held by**")[2]), title


def test_every_fault_of_the_torture_is_in_the_page() -> None:
    listed = set(re.findall(r"^\| `([a-z-]+)` +\|", TEXT, re.MULTILINE))
    source = (ROOT / "firmware-sim" / "firmware_sim" / "torture" / "faults.py").read_text(encoding="utf-8")
    defined = re.findall(r"^@_fault\(.*\)\nasync def (\w+)", source, re.MULTILINE)
    assert listed == {name.replace("_", "-") for name in defined}


def _defines(path: str, name: str) -> bool:
    file = ROOT / path
    return file.exists() and re.search(rf"def {name}\(", file.read_text(encoding="utf-8")) is not None
