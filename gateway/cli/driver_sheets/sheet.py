"""The sheet of one driver or codec: its own words, its link, fields and options, and a block to start from."""

import re
import sys
import textwrap
from typing import Any

from gateway.cli.driver_sheets.options import options
from gateway.cli.driver_sheets.samples import sample
from gateway.cli.readings import bounds
from gateway.contract import Codec, Driver, SerialLink

HARMLESS = {
    "": "listens for it, and speaks to it only when it is named",
    "poll": "listens for it, then asks, which changes nothing",
    "start": "listens for it, then starts and asks it",
}
"""What ``prehod probe`` does to find the device, by `SerialLink.harmless`."""


def docstring(device: Driver | Codec) -> str:
    """Return the data sheet that stands in the device's module; "" where that cannot be found."""
    name = "CODEC" if isinstance(device, Codec) else "DRIVER"
    modules = [module for module in sys.modules.values() if getattr(module, "__dict__", {}).get(name) is device]
    return ((modules[0].__doc__ if modules else None) or "").strip()


def reflow(text: str, width: int) -> str:
    """Return a docstring for a terminal: paragraphs filled, drawings and tables left as they are."""
    parts = []
    for part in re.split(r"\n\s*\n", text.replace("``", "").replace("`", "")):
        prose = not re.search(r"^\s|\S  +\S", part, re.MULTILINE)
        parts.append(textwrap.fill(part, width) if prose else part)
    return "\n\n".join(parts).replace("::\n", ":\n")


def link(device: Driver | Codec) -> list[tuple[str, str]]:
    """Return what is to be known of the way to the device: name and value."""
    if isinstance(device, Codec):
        return [("link", "LoRaWAN: the payload in the messages of a network server")]
    found = device.link
    if not isinstance(found, SerialLink):
        lines = device.lines
        serial = f"serial too, a message a line, {lines.baudrate} 8{lines.parity}{lines.stopbits}" if lines else ""
        return [
            ("link", "MQTT"),
            *(("topics", topic) for topic in found.topics),
            *([("link", serial)] if serial else []),
        ]
    shared = "several on a line, by address" if found.bus else "one to a line"
    return [
        ("link", f"serial, {found.baudrate} 8{found.parity}{found.stopbits}, {shared}"),
        ("interval", f"{found.interval:g} s between questions, {found.timeout:g} s for an answer"),
        ("probe", HARMLESS[found.harmless]),
    ]


def to_json(device: Driver | Codec) -> dict[str, Any]:
    """Return what machines are told besides the row of the list."""
    found = None if isinstance(device, Codec) else device.link
    serial = isinstance(found, SerialLink)
    return {
        "sheet": docstring(device),
        "serial": {name: getattr(found, name) for name in found.__dataclass_fields__} if serial and found else None,
        "topics": list(getattr(found, "topics", ())),
        "options": [one._asdict() for one in options(device.options)],
        "sample": sample(device),
    }


def show(device: Driver | Codec) -> None:
    """Print the sheet."""
    from rich.console import Console  # noqa: PLC0415 -- only tables need it
    from rich.table import Table  # noqa: PLC0415 -- the same
    from rich.text import Text  # noqa: PLC0415 -- the same

    console = Console(highlight=False)

    def heading(text: str) -> None:
        console.print()
        console.print(Text(text, style="bold"))

    def table(*columns: str) -> Table:
        made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim", show_header=bool(columns[0]))
        for column in columns:
            made.add_column(column, overflow="fold", no_wrap=column == columns[0])
        return made

    title = f"{device.name}: {device.title}"
    console.print(Text(title, style="bold"))
    if device.experimental:
        console.print("experimental: no recording of a real device backs it yet", style="yellow")
    about = table("", "")
    for name, value in [*link(device), ("kinds", ", ".join(device.kinds) or "as the codec says")]:
        about.add_row(Text(name, style="dim"), Text(value))
    console.print(about)

    if words := docstring(device):
        heading("Sheet")
        console.print(Text(reflow(words, console.width)), soft_wrap=True)

    heading("Fields")
    fields = table("name", "type", "unit", "range", "")
    for field in sorted(device.fields, key=lambda one: one.health):
        fields.add_row(field.name, field.type, field.unit, bounds(field), "about itself" if field.health else "")
    console.print(fields if device.fields else "as the configuration says")

    if known := options(device.options):
        heading("Options")
        for one in known:
            default = "must be set" if one.required else f"default {one.default}" if one.default else "left out"
            console.print(Text.assemble((one.name, "bold"), "  ", one.type, (f"; {default}", "dim")))
            console.print(Text(textwrap.indent(reflow(one.about, console.width - 4), "    ")), soft_wrap=True)

    heading("In the configuration")
    console.print(Text(sample(device).rstrip()), soft_wrap=True)
