"""What may be set for a driver or a codec, in words and in TOML: read from its `Options` when somebody asks."""

import ast
import inspect
import json
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import chain
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ValidationError
from pydantic.fields import FieldInfo

from gateway.contract import Options
from gateway.units import parse_duration

DURATION = "duration"
AT_ONCE = ("interval", "warm_up")
"""What makes a driver hold readings back, or doubt them, for some time."""

_NAMES = {bool: "true | false", int: "whole number", float: "number", str: "text"}
_UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
_ENTRY = re.compile(r"^``(\w+)``:?\s+(.+?)(?=\n``|\n\n|\Z)", re.MULTILINE | re.DOTALL)


class Option(NamedTuple):
    """One key below ``options``.

    ``default`` is TOML, "" where there is none; ``example`` is TOML for a key that has to be set, or that stands for
    others of which one has to, "" where the driver gives none.
    """

    name: str
    type: str
    default: str
    example: str
    required: bool
    about: str


def options(model: type[Options]) -> list[Option]:
    """Return what may be set, in the order in which it is declared."""
    words, shown, known = _words(model), examples(model), model.model_fields
    return [_option(name, info, words.get(name) or _summary(model), shown.get(name)) for name, info in known.items()]


def examples(model: type[Options]) -> dict[str, Any]:
    """Return a value for each key that has to be set, or that has an example: that, or else the first it allows."""
    needed = {name: info for name, info in model.model_fields.items() if info.is_required() or info.examples}
    found = {name: info.examples[0] if info.examples else _first(info) for name, info in needed.items()}
    return {name: value for name, value in found.items() if value is not None}


def choices(model: type[Options], name: str) -> tuple[Any, ...]:
    """Return the words among which a key chooses, without the default; () where it is no choice."""
    info = model.model_fields[name]
    annotation, _ = _unwrap(info.annotation, [])
    words = get_args(annotation) if get_origin(annotation) is Literal else ()
    return tuple(word for word in words if word != info.default)


def generic(model: type[Options]) -> bool:
    """Tell whether the driver means nothing before a configuration says what is where; an address is not enough."""
    return any(info.is_required() for name, info in model.model_fields.items() if name != "address")


def eager(model: type[Options], given: Mapping[str, Any]) -> Options:
    """Return options under which every sound frame is a reading; raises ``ValidationError`` where ``given`` is wrong.

    What has to be set and is not given comes from the driver's examples.
    """
    needed = {**examples(model), **given}
    if given:  # an example of what need not be set may exclude what is
        needed = {
            name: value for name, value in needed.items() if name in given or model.model_fields[name].is_required()
        }
    with suppress(ValidationError):
        at_once = {name: "0s" for name in AT_ONCE if name in model.model_fields}
        return model.model_validate({**at_once, **needed})
    return model.model_validate(needed)


def toml(value: object, type_: str = "") -> str:
    """Return a value as it is written in a configuration file; seconds with a unit, where it is a duration."""
    if type_ == DURATION and isinstance(value, int | float):
        return f'"{_duration(value)}"'
    if isinstance(value, bool | str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, Mapping) and not value:
        return "{}"
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{_key(str(name))} = {toml(item)}' for name, item in value.items())} }}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(toml(item) for item in value)}]"
    return f"{value:g}" if isinstance(value, float) and value.is_integer() and abs(value) < 1e6 else str(value)


def _first(info: FieldInfo) -> Any:  # noqa: ANN401 -- a value of any type
    annotation, bounds = _unwrap(info.annotation, info.metadata)
    if get_origin(annotation) is Literal:
        return get_args(annotation)[0]
    return next((one.ge for one in bounds if hasattr(one, "ge")), 1) if annotation is int else None


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else toml(name)


def _option(name: str, info: FieldInfo, about: str, shown: object) -> Option:
    type_ = _type(info.annotation, info.metadata)
    base = type_.partition(",")[0]
    value = None if info.is_required() else info.get_default(call_default_factory=True)
    default = "" if value is None else toml(value, base)
    example = "" if shown is None else toml(shown, base)
    return Option(name, type_, default, example, info.is_required(), about)


def _duration(seconds: float) -> str:
    unit, size = next(((unit, size) for unit, size in _UNITS if seconds and seconds % size == 0), ("s", 1))
    return f"{seconds / size:g}{unit}"


def _type(annotation: Any, metadata: Iterable[Any] = ()) -> str:  # noqa: ANN401 -- an annotation can be anything
    """Return the type in words: ``duration, up to 30min``; nothing is said of None, which is "left out"."""
    annotation, bounds = _unwrap(annotation, list(metadata))
    origin, arguments = get_origin(annotation), get_args(annotation)
    if any(isinstance(one, BeforeValidator) and one.func is parse_duration for one in bounds):
        return _bounded(DURATION, bounds, _duration)
    if origin is Literal:
        return " | ".join(toml(one) for one in arguments)
    if origin in (tuple, list):
        one = _type(arguments[0])
        return f"list of {'tables' if one == 'table' else one}"
    if origin in (dict, Mapping) or (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        return "table"
    return _bounded(_NAMES.get(annotation, "text"), bounds, lambda number: f"{number:g}")


def _unwrap(annotation: Any, metadata: list[Any]) -> tuple[Any, list[Any]]:  # noqa: ANN401 -- the same
    """Take ``Annotated`` and "or None" off a type, and gather what they say of its bounds."""
    arguments = get_args(annotation)
    if get_origin(annotation) is Annotated:
        return _unwrap(arguments[0], [*arguments[1:], *metadata])
    if get_origin(annotation) in (Union, UnionType) and len(arguments) == 2 and NoneType in arguments:
        return _unwrap(next(one for one in arguments if one is not NoneType), metadata)
    return annotation, list(_flat(metadata))


def _flat(metadata: Iterable[Any]) -> Iterator[Any]:
    """Open what `pydantic.Field` has packed into an annotation."""
    for one in metadata:
        yield from _flat(one.metadata) if isinstance(one, FieldInfo) else (one,)


def _bounded(name: str, bounds: Iterable[Any], write: Any) -> str:  # noqa: ANN401 -- a function of a number
    known = {key: getattr(one, key) for one in bounds for key in ("ge", "gt", "le", "lt") if hasattr(one, key)}
    low, high = known.get("ge"), known.get("le")
    parts = []
    if low is not None and high is not None:
        parts.append(f"{write(low)} to {write(high)}")
    else:
        words = {"ge": "at least", "gt": "above", "le": "up to", "lt": "below"}
        parts += [f"{words[key]} {write(value)}" for key, value in known.items() if value is not None]
    return ", ".join([name, *parts])


def _words(model: type[Options]) -> dict[str, str]:
    """Return what the model's authors say of each key: in the class's docstring, or below the key itself."""
    said: dict[str, str] = {}
    for one in reversed(model.__mro__):
        if issubclass(one, Options) and one is not Options:
            entries = chain(_ENTRY.findall(inspect.getdoc(one) or ""), _below(one))
            said |= {name: " ".join(text.split()) for name, text in entries}
    return said


def _below(model: type) -> Iterator[tuple[str, str]]:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(model))).body[0]
    except (OSError, TypeError, SyntaxError):  # a driver of another package may come without its source
        return
    before: ast.stmt | None = None
    for node in tree.body if isinstance(tree, ast.ClassDef) else ():
        match before, node:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                yield name, text
        before = node


def _summary(model: type[Options]) -> str:
    return (inspect.getdoc(model) or "").partition("\n")[0]
