"""Time, chance and bounds are passed in: the clock alone tells time and waits, and no test patches our modules."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
OURS = ("gateway", "drivers")

REAL_WAITS = {"gateway/clock.py": "the machine's clock waits by the event loop"}
"""Files in which `asyncio.sleep` is called; commands that a person waits for, in gateway/cli, are none of them."""

PATCHED = {
    "gateway.cli.check.load_configuration": "a command is called as a person calls it, and builds its own parts",
    "gateway.cli.probe.Patience": "a command is called as a person calls it, and builds its own parts",
    "gateway.cli.watch._watch": "a command is called as a person calls it, and builds its own parts",
    "gateway.daemon.app.GOODBYE": "the daemon builds all of its parts itself",
    "gateway.delivery.forwarder.LOOK": "it bounds a wait for an event of the loop, which is real",
    "gateway.links.ports.plugged_in": "what is plugged into the machine of the test is not the test's to say",
    "gateway.spool.requests.PORTION": "the spool builds the part that carries out requests itself",
}
"""Module attributes that tests patch all the same, and why."""


def trees(folder: str) -> Iterator[tuple[str, ast.Module]]:
    for path in sorted((ROOT / folder).rglob("*.py")):
        yield str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"))


def calls(tree: ast.AST, name: str) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == name:
            yield node


def modules_of(tree: ast.Module) -> dict[str, str]:
    """Return the modules of ours that a file gives a name, by that name; what is no module is no file either."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.asname or alias.name: alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return {name: module for name, module in found.items() if module.split(".")[0] in OURS and is_module(module)}


def is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").exists()


def patched_in(tree: ast.Module) -> Iterator[str]:
    modules = modules_of(tree)
    for call in calls(tree, "setattr"):
        match call.args:
            case [ast.Constant(value=str(path)), *_] if path.split(".")[0] in OURS:
                yield path
            case [target, ast.Constant(value=str(attribute)), *_] if (name := ast.unparse(target)) in modules:
                yield f"{modules[name]}.{attribute}"


def test_no_test_patches_a_module_but_those_that_are_listed_with_a_reason() -> None:
    patched: dict[str, list[str]] = {}
    for file, tree in trees("tests"):
        for path in patched_in(tree):
            owner = path.rpartition(".")[0]
            if is_module(owner):
                patched.setdefault(path, []).append(file)
    assert {path: files for path, files in patched.items() if path not in PATCHED} == {}
    assert sorted(PATCHED.keys() - patched) == [], "listed, and patched no more"


def test_a_patch_is_found_however_it_is_written() -> None:
    written = """
from gateway.ingest import intake
from gateway.spool import ledger as other
from gateway.links.serial import Line
import gateway.clock
monkeypatch.setattr(intake, "MAX_SERIES", 1)
monkeypatch.setattr(other, "MAX_BYTES", 1)
monkeypatch.setattr("gateway.supervise.LASTED", 1)
monkeypatch.setattr(gateway.clock, "time", None)
monkeypatch.setattr(Line, "open", None)
monkeypatch.setattr(os, "fsync", None)
"""
    assert list(patched_in(ast.parse(written))) == [
        "gateway.ingest.intake.MAX_SERIES",
        "gateway.spool.ledger.MAX_BYTES",
        "gateway.supervise.LASTED",
        "gateway.clock.time",
    ]


def test_only_the_clock_waits_by_the_event_loop() -> None:
    waiting = {
        file
        for file, tree in trees("gateway")
        if not file.startswith("gateway/cli/")
        and any(ast.unparse(call.func) == "asyncio.sleep" for call in calls(tree, "sleep"))
    }
    assert waiting == REAL_WAITS.keys()
