"""The documents and the code agree: what a page names exists, and a retired word does not come back."""

import ast
import io
import re
import tokenize
import tomllib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
ARCHITECTURE = ROOT / "docs" / "architecture.md"
PAGES = [ARCHITECTURE, *sorted((ROOT / "docs" / "decisions").glob("*.md"))]
FOLDERS = ("gateway", "drivers", "firmware-sim", "tests", "docs", "config", "systemd", ".ci")

NAMED = re.compile(rf"`((?:{'|'.join(re.escape(folder) for folder in FOLDERS)})/[\w./-]*|\w+\.toml)(?:::([\w.]+))?`")
LINKED = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")


class Retired(NamedTuple):
    """A word that once meant what another means now.

    ``names`` are parts of identifiers in the gateway's code, ``text`` a pattern for its strings and comments and for
    the documents. ``allowed`` are the files where it means something else, each with what.
    """

    word: str
    names: frozenset[str]
    text: str
    allowed: dict[str, str]


NOTHING = r"(?!)"

RETIRED = (
    Retired(
        "clock-deferred, parked, quarantined or blocked",
        frozenset({"held", "hold", "holding", "unheld"}),
        r"\bheld (?:back|lines?|readings?|messages?)\b|\b(?:lines?|readings?|sinks?) (?:is|are|was|were) held\b"
        r"|\bhold(?:s|ing)? back\b|\bquarantine(?: \w+)? held\b|\bheld[:`]",
        {
            "gateway/spool/held_note.py": "the file's name in version 0.1, which is still honoured",
            "gateway/spool/store.py": "the module of that name",
            "gateway/spool/retention.py": "the bytes that the segments have",
            "gateway/config/load.py": "the name of version 0.1 in the quarantine, which no sink may have",
            "docs/architecture.md": "the glossary names what it retired",
        },
    ),
    Retired(
        "pending",
        frozenset({"waiting", "behind"}),
        r"\bwaiting readings\b|\breadings (?:that )?(?:wait|waits|waited|are waiting)\b|\bhow far behind\b"
        r"|\b(?:is|are|was|were) waiting to be (?:sent|delivered)\b|\d waiting\b",
        {
            "gateway/links/mqtt/buffered_socket.py": "bytes that lie in the socket's buffer",
            "gateway/cli/demo.py": "what the demo waits for before it stops",
            "gateway/cli/demo_view.py": "how long ago the last delivery was",
            "gateway/sinks/live_mqtt.py": "a queue in memory, which no reading is committed to",
            "gateway/ingest/committer.py": "what is not committed yet waits for the disk",
        },
    ),
    Retired(
        "in doubt",
        frozenset({"unsure"}),
        r"\bunsure\b|\bmaybe sent\b",
        {"docs/architecture.md": "the glossary names what it retired"},
    ),
    Retired(
        "quarantined, for lines; set aside, for damaged bytes",
        frozenset({"aside"}),
        r"\bput(?:s|ting)? (?:\w+ ){0,4}aside\b",
        {
            "gateway/spool/recovery.py": "damaged bytes are set aside",
            "gateway/spool/requests.py": "the same",
            "gateway/spool/store.py": "the same",
            "docs/architecture.md": "the glossary names what it retired",
        },
    ),
    Retired(
        "seen",
        frozenset({"taken"}),
        r"\b(?:identities|packets|messages) (?:that )?(?:it|we) (?:took|has taken|have taken)\b|\btaken identities\b",
        {
            "gateway/spool/quarantine.py": "lines that were taken out of the quarantine",
            "gateway/spool/requests.py": "the same",
            "gateway/spool/pressure.py": "up to where a sink has everything",
            "gateway/spool/store.py": "the same",
            "gateway/links/mqtt/buffered_socket.py": "bytes that were taken from the buffer",
            "gateway/mqtt/reasons.py": "a session that another client took over",
        },
    ),
    Retired("back-pressure", frozenset({"backpressure"}), r"\bback ?pressure\b", {}),
    Retired(
        "problem; raised and cleared",
        frozenset({"trouble", "troubles"}),
        r"\btroubles?\b|\bwell again\b|\bsurpris(?:e|es|ed)\b",
        {},
    ),
    Retired(
        "the names that say what is done",
        frozenset({"own_up", "doubt_cursors", "trust_cursors", "taken_in", "weaker", "deaf", "last_words"}),
        NOTHING,
        {},
    ),
)


TEXT_OF_F_STRINGS = tuple(getattr(tokenize, name) for name in ("FSTRING_MIDDLE",) if hasattr(tokenize, name))
"""Since Python 3.12 an f-string is several tokens."""


@cache
def definitions(path: Path) -> frozenset[str]:
    """Return what a module defines: its functions, classes and constants, and theirs as ``Class.name``."""
    return frozenset(_defined(ast.parse(path.read_text(encoding="utf-8")).body))


def _defined(body: Iterable[ast.stmt], within: str = "") -> Iterator[str]:
    for node in body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield within + name
            case ast.ClassDef(name=name, body=inner):
                yield within + name
                yield from _defined(inner, f"{within}{name}.")
            case ast.Assign(targets=targets):
                yield from (within + target.id for target in targets if isinstance(target, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield within + name


def names_nothing(path: str, name: str) -> bool:
    file = ROOT / path
    if not name:
        return not file.exists()
    return not file.is_file() or name not in definitions(file)


def layers_of(picture: str) -> list[set[str]]:
    """Return the names in each row of boxes; what stands to the right of them is a comment."""
    rows = [line for line in picture.splitlines() if line.startswith("|")]
    return [{cell.strip() for cell in row[1 : row.rindex("|")].split("|")} for row in rows]


def words_of(identifier: str) -> set[str]:
    """Return the parts of an identifier, in snake or camel case, and the whole of it."""
    parts = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", identifier)
    return {part.lower() for part in parts} | {identifier.strip("_").lower()}


@cache
def code_and_text(path: Path) -> tuple[set[str], str]:
    """Return the identifiers of a file, and what stands in its strings and comments; a document is all text."""
    source = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        return set(), source
    identifiers: set[str] = set()
    text: list[str] = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.NAME:
            identifiers.add(token.string)
        elif token.type in (tokenize.STRING, tokenize.COMMENT, *TEXT_OF_F_STRINGS):
            text.append(token.string)
    return identifiers, "\n".join(text)


def offences(path: Path, retired: Retired) -> Iterator[str]:
    identifiers, text = code_and_text(path)
    for identifier in sorted(identifiers):
        if words_of(identifier) & retired.names:
            yield f"the name {identifier}"
    for found in re.finditer(retired.text.replace(" ", r"\s+"), text, re.IGNORECASE):
        yield repr(" ".join(found[0].split()))


def house() -> list[Path]:
    documents = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [*sorted((ROOT / "gateway").rglob("*.py")), *documents]


def test_every_file_and_function_that_a_page_names_exists() -> None:
    named = [(page, *found) for page in PAGES for found in NAMED.findall(page.read_text(encoding="utf-8"))]
    assert len(named) > 100, "the pages name hardly anything"
    missing = [f"{page.name}: {path}::{name}" for page, path, name in named if names_nothing(path, name)]
    assert missing == []


def test_every_page_that_a_page_links_to_exists() -> None:
    pages = [*PAGES, ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
    missing = {
        f"{page.relative_to(ROOT)}: {target}"
        for page in pages
        for target in LINKED.findall(page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    }
    assert sorted(missing) == []


def test_every_decision_is_in_the_list_of_decisions() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = set(LINKED.findall((folder / "README.md").read_text(encoding="utf-8")))
    assert {page.name for page in folder.glob("*.md")} - {"README.md"} == {name for name in listed if "/" not in name}


def test_the_drawing_has_the_layers_that_are_enforced() -> None:
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    layers = next(one["layers"] for one in tools["importlinter"]["contracts"] if one["type"] == "layers")
    drawn = ARCHITECTURE.read_text(encoding="utf-8").partition("```\n")[2].partition("```")[0]
    assert layers_of(drawn) == [{room.strip() for room in layer.split("|")} for layer in layers]


def test_every_room_has_its_paragraph() -> None:
    text = ARCHITECTURE.read_text(encoding="utf-8")
    rooms = [path for path in (ROOT / "gateway").iterdir() if not path.name.startswith(("_", "."))]
    names = [f"gateway/{path.name}{'/' if path.is_dir() else ''}" for path in rooms if path.name != "py.typed"]
    assert sorted(name for name in names if f"**`{name}`**" not in text) == []


def test_no_retired_word_comes_back_where_it_meant_something_else() -> None:
    offenders = [
        f"{path.relative_to(ROOT)}: {offence}; the word is: {retired.word}"
        for path in house()
        for retired in RETIRED
        if str(path.relative_to(ROOT)) not in retired.allowed
        for offence in offences(path, retired)
    ]
    assert offenders == []


def test_no_file_is_allowed_a_word_that_it_does_not_use() -> None:
    unused = [
        f"{name}: {retired.word}"
        for retired in RETIRED
        for name in retired.allowed
        if (ROOT / name).exists() and not any(offences(ROOT / name, retired))
    ]
    assert unused == []
