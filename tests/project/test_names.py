"""One name, one thing: no two classes of the gateway share a name, and no import is hidden from the import rules."""

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]


def modules(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def test_a_class_name_stands_for_one_thing() -> None:
    places = defaultdict(list)
    for path in modules("gateway"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert len(places) > 100
    assert {name: found for name, found in places.items() if len(found) > 1} == {}, "rename all but one"


def test_no_import_hides_behind_type_checking() -> None:
    """Such an import makes two files need each other that seem not to."""
    found = {
        str(path.relative_to(ROOT))
        for path in modules("gateway", "drivers", "firmware-sim")
        if "TYPE_CHECKING" in path.read_text(encoding="utf-8")
    }
    assert found == set(), "import it plainly, or move what both need to a third file"


def test_what_belongs_to_no_room_is_little() -> None:
    flat = sorted(path.stem for path in (ROOT / "gateway").glob("*.py") if path.stem != "__init__")
    assert len(flat) <= 12, f"give it a room: {flat}"
