"""``prehod drivers``: the devices and payloads that are understood, from the drivers' own words; one, or all.

``--new NAME`` writes the skeleton of another one into a checkout.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from gateway.cli.driver_sheets.skeletons import KINDS, Kind, SkeletonRefused, check_name, checkout, write
from gateway.config.explain import nearest
from gateway.contract import Codec, Driver, SerialLink
from gateway.daemon.catalogue import CATALOGUE

MANY = 30
"""More than this is not one device: such a driver takes whatever its configuration names."""

FAMILIES = ("particles_above_", "particles_up_to_", "intensity_class_")
"""Beginnings of names whose ends are sizes or classes: the table in README.md shows the first and the last."""

ROOMY = 110
"""Columns of a terminal on which the table needs no saving."""
LINE = len("115200 8N1")
GAPS = 10
"""Columns between the table's four, and at its edges."""

HEADINGS = ("Driver", "Device", "How", "Measures")


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="one driver or codec: all there is to know of it")
    parser.add_argument("--markdown", action="store_true", help="print the table of README.md")
    parser.add_argument(
        "--new", metavar="NAME", help="in a checkout: write a driver, its twin, a recording and a test"
    )
    parser.add_argument("--kind", choices=KINDS, help="what --new writes: a serial device, one over MQTT, or a codec")


def run(arguments: argparse.Namespace) -> int:
    """Print the table, or the sheet of one; exit code 2 for a name that there is not."""
    if arguments.new is not None:
        return _new(arguments.new, arguments.kind or "serial", machine=arguments.json)
    if arguments.kind is not None:
        print("prehod drivers: --kind belongs to --new NAME", file=sys.stderr)
        return 2
    if arguments.name is not None:
        return _one(arguments.name, machine=arguments.json)
    drivers = [CATALOGUE.load(name) for name in CATALOGUE.names()]
    codecs = [CATALOGUE.load_codec(name) for name in CATALOGUE.codec_names()]
    if arguments.json:
        print(json.dumps({"drivers": [_driver(one) for one in drivers], "codecs": [_codec(one) for one in codecs]}))
    elif arguments.markdown:
        print(markdown(drivers, codecs), end="")
    else:
        _show(drivers, codecs)
    return 0


def find(name: str) -> Driver | Codec | None:
    """Return the driver or the codec of this name."""
    if name in CATALOGUE.names():
        return CATALOGUE.load(name)
    return CATALOGUE.load_codec(name) if name in CATALOGUE.codec_names() else None


def unknown(name: str) -> str:
    """Return the sentence for a name that neither a driver nor a codec has."""
    known = [*CATALOGUE.names(), *CATALOGUE.codec_names()]
    return nearest(name, known, "driver or codec").partition("; there are")[0] + " (prehod drivers lists them)"


def _one(name: str, *, machine: bool) -> int:
    from gateway.cli.driver_sheets import sheet  # noqa: PLC0415 -- the list does not need it

    device = find(name)
    if device is None:
        print(f"prehod drivers: {unknown(name)}", file=sys.stderr)
        return 2
    if machine:
        print(
            json.dumps(
                {**(_codec(device) if isinstance(device, Codec) else _driver(device)), **sheet.to_json(device)}
            )
        )
    else:
        sheet.show(device)
    return 0


def _new(name: str, kind: Kind, *, machine: bool) -> int:
    try:
        root = checkout(Path.cwd())
        check_name(name, [*CATALOGUE.names(), *CATALOGUE.codec_names()])
        written = [str(path.relative_to(root)) for path in write(root, name, kind)]
    except SkeletonRefused as error:
        print(f"prehod drivers --new: {error}", file=sys.stderr)
        return 2
    if machine:
        print(json.dumps({"written": written}))
        return 0
    print(*(f"wrote {path}" for path in written), sep="\n")
    print(f"""
It works as it stands: pytest tests/drivers -k {name}
Make it your device's, from its data sheet: the docstring and the recording first, then driver and twin.
README.md wants the table that prehod drivers --markdown prints; CONTRIBUTING.md says the rest.""")
    return 0


def markdown(drivers: list[Driver], codecs: list[Codec]) -> str:
    """Return the table as it stands in README.md, a row for each driver and then for each codec."""
    devices: list[Driver | Codec] = [*drivers, *codecs]
    rows = [(f"`{name}`", title, how, _folded(measures)) for name, title, how, measures in map(_row, devices)]
    lines = [HEADINGS, ("---",) * len(HEADINGS), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _show(drivers: list[Driver], codecs: list[Codec]) -> None:
    from rich.box import SIMPLE_HEAD  # noqa: PLC0415 -- only tables need it
    from rich.console import Console  # noqa: PLC0415 -- only tables need it
    from rich.table import Table  # noqa: PLC0415

    console = Console()
    both: dict[str, list[Driver] | list[Codec]] = {"Drivers": drivers, "LoRaWAN codecs": codecs}
    longest = max(len(field.name) for devices in both.values() for one in devices for field in one.fields) + 1
    for title, devices in both.items():
        narrow = console.width < ROOMY
        how = min(LINE, max(len(_how(device)) for device in devices))
        others = max(len(device.name) for device in devices) + how + longest + GAPS
        bounds = {"Device": max(12, console.width - others), "How": how} if narrow else {}
        table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
        for heading in HEADINGS:
            # No field's name may be broken: where there is little room, "serial, 9600 8N1" takes two lines.
            table.add_column(
                heading,
                overflow="fold",
                no_wrap=heading == "Driver",
                min_width=longest if heading == "Measures" else None,
                max_width=bounds.get(heading),
            )
        for device in devices:
            table.add_row(*_row(device))
        console.print(table)


def _row(device: Driver | Codec) -> tuple[str, str, str, str]:
    title = f"{device.title} (experimental)" if device.experimental else device.title
    return device.name, title, _how(device), _measures(device)


def _how(device: Driver | Codec) -> str:
    if isinstance(device, Codec):
        return "LoRaWAN"
    link = device.link
    if isinstance(link, SerialLink):
        return f"serial, {link.baudrate} 8{link.parity}{link.stopbits}"
    return "MQTT, serial lines" if device.lines else "MQTT"


def _measures(device: Driver | Codec) -> str:
    names = [field.name for field in device.fields if not field.health]
    if not device.kinds and isinstance(device, Driver):
        return "as the codec says"
    return ", ".join(names) if len(names) <= MANY else "any field of the vocabulary"


def _folded(measures: str) -> str:
    """Return names with each family of sizes or classes as one: ``particles_above_03 to 10``."""
    names = measures.split(", ")
    for family in FAMILIES:
        members = [name for name in names if name.startswith(family)]
        if len(members) > 1:
            last = members[-1].removeprefix(family)
            names = [f"{name} to {last}" if name == members[0] else name for name in names if name not in members[1:]]
    return ", ".join(names)


def _driver(driver: Driver) -> dict[str, Any]:
    return {
        "name": driver.name,
        "title": driver.title,
        "link": "serial" if isinstance(driver.link, SerialLink) else "mqtt",
        "kinds": driver.kinds,
        "experimental": driver.experimental,
        "fields": _fields(driver),
    }


def _codec(codec: Codec) -> dict[str, Any]:
    return {
        "name": codec.name,
        "title": codec.title,
        "kinds": codec.kinds,
        "experimental": codec.experimental,
        "fields": _fields(codec),
    }


def _fields(what: Driver | Codec) -> list[dict[str, Any]]:
    return [
        {"name": f.name, "type": f.type, "unit": f.unit, "low": f.low, "high": f.high, "health": f.health}
        for f in what.fields
    ]
