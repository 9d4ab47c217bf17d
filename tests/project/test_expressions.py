"""Regular expressions mean the same on every Python that Prehod runs on, Debian 12's 3.11.2 included."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
POSSESSIVE_GROUP = re.compile(r"(?<!\\)\)[*+?}]\+")
"""Python before 3.11.5 does not step back over such a group, and so misses what it should find (gh-106052)."""


def expressions(tree: ast.AST) -> list[str]:
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    return [
        text if isinstance(text, str) else text.decode("latin-1") for text in texts if isinstance(text, str | bytes)
    ]


def test_no_repetition_of_a_group_is_possessive() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {text.strip()}"
        for folder in ("gateway", "drivers", "firmware-sim", "tests")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if path != Path(__file__)
        for text in expressions(ast.parse(path.read_text(encoding="utf-8")))
        if POSSESSIVE_GROUP.search(text)
    ]
    assert not found
