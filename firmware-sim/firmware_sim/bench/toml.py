"""Writing the parts of a configuration file: tables of strings, numbers, lists and inline tables."""

import json
from collections.abc import Mapping


def table(header: str, **values: object) -> str:
    """Return one table, whose header is written as given; an empty inline table is left out."""
    lines = [f"[{header}]"]
    lines += [f"{key} = {_value(value)}" for key, value in values.items() if value != {}]
    return "\n".join(lines) + "\n"


def _value(value: object) -> str:
    """Return a value; JSON's strings, numbers and booleans are TOML's too."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(key)} = {_value(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value)
