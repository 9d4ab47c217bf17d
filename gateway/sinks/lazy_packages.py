"""Packages whose names are imported when they are asked for, instead of all of them at once."""

import ast
import importlib
import importlib.util
import sys
from pathlib import Path


def install_lazily(name: str) -> None:
    """Put a package in its place of which nothing but a list of names is read yet, unless it is imported already.

    The list is that of the package's own ``__init__``; its packages above must be in their places. One that is there
    without its source is left to be imported as any other.
    """
    spec = None if name in sys.modules else importlib.util.find_spec(name)
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return
    origins = _origins(Path(spec.origin))
    package = importlib.util.module_from_spec(spec)

    def get(attribute: str) -> object:
        if attribute not in origins:
            raise AttributeError(f"module {name!r} has no attribute {attribute!r}")
        module, original = origins[attribute]
        value = getattr(importlib.import_module(module), original)
        setattr(package, attribute, value)
        return value

    vars(package)["__getattr__"] = get
    sys.modules[name] = package
    parent, _, child = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], child, package)


def _origins(init: Path) -> dict[str, tuple[str, str]]:
    """Return the names that a package's ``__init__`` gives, each with its module and its name there."""
    found: dict[str, tuple[str, str]] = {}
    for statement in ast.parse(init.read_bytes()).body:
        match statement:
            case ast.ImportFrom(module=str(module), names=names, level=0):
                found |= {one.asname or one.name: (module, one.name) for one in names}
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Name(id=other)) if other in found:
                found[name] = found[other]
    return found
