"""Situations from the field, the lines of ``messages.jsonl`` in the folder that PREHOD_CASES names, and their tests.

Each line has an id; `CLAIMS` says which test shows that its input gives the value that it expects or is refused with
the remedy. What is not in the folder is not looked for.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path

FOLDER = os.environ.get("PREHOD_CASES", "")


def inputs() -> Mapping[str, str]:
    """Return the input of each case by its id; nothing without the folder."""
    if not FOLDER:
        return {}
    lines = (Path(FOLDER) / "messages.jsonl").read_text(encoding="utf-8").splitlines()
    return {case["id"]: case["input"] for case in map(json.loads, lines)}
