"""What is wrong in a configuration, in words: the place, the value, and the nearest name that would be right."""

import re
import reprlib
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from gateway.http.proxy import without_credentials

Loc = tuple[int | str, ...]

_WORDS = {
    "dict_type": "should be a table",
    "float_type": "should be a number",
    "int_type": "should be a whole number",
    "model_attributes_type": "should be a table",
    "model_type": "should be a table",
    "path_type": "should be a path, in quotes",
    "string_type": "should be text, in quotes",
    "tuple_type": "should be a list, in square brackets",
}
"""TOML's words for what pydantic says in Python's."""

_CA = "name the authority of the certificate, or the certificate itself, in 'ca_file'"
_TRUST = (f"{_CA}, and its name in 'server_name'", _CA)
_TRUSTING = ("insecure", "insecure_skip_verify", "ssl_verify", "tls_insecure", "verify", "verify_ssl")
_ELSEWHERE: Mapping[str, str | tuple[str, ...]] = {
    **dict.fromkeys(_TRUSTING, _TRUST),
    "broker": "url",
    "bits": "databits",
    "bytesize": "databits",
    "data_bits": "databits",
    "host": "url",
    "hostname": "url",
    "password": "write it into a file and name that in 'password_file'",
    "servers": "url",
    "sni": "server_name",
    "tls_ca": "ca_file",
    "tls_cert": "certificate_file",
    "tls_key": "key_file",
    "tls_server_name": "server_name",
    "token": "write it into a file and name that in 'token_file'",
}
"""What other programs call a key, and what to write instead: our key, or what to do; the first that fits counts."""

_MODBUS_TCP = 'for Modbus TCP write type = "serial", port = "modbus://HOST" and driver = "modbus"'
_SERIAL_SERVER = 'for a serial server write type = "serial" and port = "socket://HOST:PORT"'
_TYPES = {
    **dict.fromkeys(("modbus_tcp", "modbus-tcp", "modbustcp", "modbus"), _MODBUS_TCP),
    **dict.fromkeys(("tcp", "socket", "ser2net", "rfc2217"), _SERIAL_SERVER),
    "modbus_rtu": 'for Modbus RTU write type = "serial" and driver = "modbus"',
}
"""What other programs call a source, and how it is written here."""


def explain(error: ValidationError, model: type[BaseModel], where: str, separator: str = ": ") -> list[str]:
    """Return one line for each thing that does not fit ``model``, as ``where: place: what, and how to mend it``."""
    lines = []
    for item in error.errors(include_url=False):
        place, parent = _walk(item["loc"], model)
        head = f"{where}{separator}{place}" if place else where
        sentence = _sentence(item["type"], item["msg"], item.get("input"), item["loc"], parent)
        lost = item["type"] == "extra_forbidden" and len(item["loc"]) > 1
        if lost and "did you mean" not in sentence:
            homes = _grouped(_homes(str(item["loc"][-1]), model))
            sentence = f"this key belongs in {' or '.join(homes)}" if 0 < len(homes) <= 2 else sentence
        lines.append(f"{head}: {sentence}")
    return lines


def nearest(given: str, known: Sequence[str], what: str) -> str:
    """Return the sentence for an unknown name."""
    import difflib  # noqa: PLC0415 -- only a mistake needs it, and a daemon that runs has made none

    close = difflib.get_close_matches(given, known, n=1, cutoff=0.5)
    if close:
        return f"no {what} is called {given!r}; did you mean {close[0]!r}?"
    if what in {"driver", "codec"}:
        return f"no {what} is called {given!r}; `prehod drivers` lists those there are"
    return f"no {what} is called {given!r}; there {_are(known)}"


def _unknown_key(given: str, known: Sequence[str]) -> str:
    """Return the sentence for a key that is not ours; one that other programs use is known by its meaning."""
    said = _ELSEWHERE.get(given, ())
    for ours in (said,) if isinstance(said, str) else said:
        if ours in known:
            return f"no key is called {given!r}; did you mean {ours!r}?"
        if all(key in known for key in re.findall(r"'(\w+)'", ours)) and " " in ours:
            return f"no key is called {given!r}: {ours}"
    return nearest(given, known, "key")


def _are(known: Sequence[str]) -> str:
    return f"are {', '.join(sorted(known))}" if known else "is none"


def _sentence(kind: str, message: str, given: object, loc: Loc, parent: type[BaseModel] | None) -> str:
    if kind == "extra_forbidden":
        known = sorted(parent.model_fields) if parent else []
        return _unknown_key(str(loc[-1]), known) if known else "no such key"
    if kind == "missing":
        return "is missing"
    if kind == "union_tag_not_found":
        return "'type' is missing"
    if kind == "union_tag_invalid":
        given_type = str(given.get("type", "")).lower() if isinstance(given, dict) else ""
        remedy = _TYPES.get(given_type, "")
        return "'type' is none of" + message.rpartition("expected tags:")[2] + (f"; {remedy}" if remedy else "")
    if kind in _WORDS:
        return f"{_shown(given)}: {_WORDS[kind]}"
    text = message.removeprefix("Value error, ")
    text = text[:1].lower() + text[1:]
    return text if isinstance(given, dict) else f"{_shown(given)}: {text}"


def _shown(given: object) -> str:
    """Return a value as it stands in the file, a password in a URL masked."""
    return reprlib.repr(without_credentials(given) if isinstance(given, str) else given)


def _grouped(homes: Iterable[str]) -> list[str]:
    """Return each table once, with all of its types that have the key: ``[sources.NAME] of type mqtt or http``."""
    types: dict[str, list[str]] = {}
    for home in homes:
        table, _, kind = home.partition(" of type ")
        if kind not in types.setdefault(table, []):
            types[table].append(kind)
    return [f"{table} of type {' or '.join(kinds)}" if kinds != [""] else table for table, kinds in types.items()]


def _homes(key: str, model: type[BaseModel], table: str = "") -> Iterator[str]:
    """Yield each table below ``table`` that has a key of this name: ``[web]``, ``[sources.NAME] of type mqtt``."""
    for name, field in model.model_fields.items():
        named = get_origin(field.annotation) is dict
        below = get_args(field.annotation)[-1] if named else field.annotation
        here, members = f"{table}.{name}".lstrip(".") + (".NAME" if named else ""), _models(below)
        for one in members:
            if key in one.model_fields:
                yield f"[{here}] of type {_tag(one)}" if len(members) > 1 else f"[{here}]"
            yield from _homes(key, one, here)


def _walk(loc: Loc, model: type[BaseModel]) -> tuple[str, type[BaseModel] | None]:
    """Turn a location into a path as written in the file, and find the model that holds its last step.

    Pydantic puts the tag of a discriminated union (``serial``, ``mqtt``) into the location; the file has no such
    step.
    """
    path = ""
    here: Any = model
    parent: type[BaseModel] | None = model
    for step in loc:
        members = _models(here)
        tagged = [one for one in members if _tag(one) == step]
        if tagged and len(members) > 1:
            here = tagged[0]
            continue
        if step == "[key]":  # pydantic's way to say that the name itself is wrong, not what it names
            continue
        parent = members[0] if len(members) == 1 else None
        if isinstance(step, int):
            path += f"[{step}]"
        else:
            path += f".{step}" if path else step
        here = _next(here, step)
    return path, parent


def _next(here: Any, step: int | str) -> Any:  # noqa: ANN401 -- an annotation can be anything
    if isinstance(here, type) and issubclass(here, BaseModel):
        field = here.model_fields.get(str(step))
        return field.annotation if field else None
    arguments = get_args(here)
    if get_origin(here) is dict and len(arguments) == 2:
        return arguments[1]
    return arguments[0] if get_origin(here) in {tuple, list} and arguments else None


def _models(here: Any) -> list[type[BaseModel]]:  # noqa: ANN401 -- an annotation can be anything
    if isinstance(here, type) and issubclass(here, BaseModel):
        return [here]
    arguments: Iterable[Any] = get_args(here)
    if get_origin(here) in {Union, types.UnionType} or hasattr(here, "__metadata__"):
        return [one for argument in arguments for one in _models(argument)]
    return []


def _tag(model: type[BaseModel]) -> str | None:
    field = model.model_fields.get("type")
    values = get_args(field.annotation) if field else ()
    return values[0] if len(values) == 1 else None
