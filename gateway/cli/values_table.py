"""The fields of a reading as a table on the terminal; it needs rich, so only who draws it imports it."""

from collections.abc import Mapping

from rich.console import Console
from rich.table import Table
from rich.text import Text

from gateway.cli.readings import bounds, rows
from gateway.contract import Field, FieldValue


def print_values(
    console: Console, fields: Mapping[str, FieldValue], known: Mapping[str, Field], *, ranges: bool = False
) -> None:
    """Print a row for each field: name, value, unit, what is wrong with it; with ``ranges``, what would be right."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(justify="right", overflow="fold")
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value, unit_, says in rows(fields, known):
        field = known.get(name)
        limits = f" ({bounds(field)})" if ranges and field is not None and bounds(field) else ""
        right = Text(f"{says}{limits}" if ranges else "", style="dim")
        table.add_row(f"  {name}", Text(value), unit_, right if says == "ok" else Text(says + limits, style="yellow"))
    console.print(table)
