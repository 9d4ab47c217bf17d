"""``prehod drivers``: the devices and payloads that are understood, from the drivers' own words."""

import argparse
import json
from typing import Any

from gateway.catalogue import CATALOGUE
from gateway.contract import Codec, Driver, SerialLink


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments: none of its own."""
    parser.set_defaults()


def run(arguments: argparse.Namespace) -> int:
    """Print the table."""
    drivers = [CATALOGUE.load(name) for name in CATALOGUE.names()]
    codecs = [CATALOGUE.load_codec(name) for name in CATALOGUE.codec_names()]
    if arguments.json:
        print(json.dumps({"drivers": [_driver(one) for one in drivers], "codecs": [_codec(one) for one in codecs]}))
        return 0
    from rich.console import Console  # noqa: PLC0415 -- only tables need it
    from rich.table import Table  # noqa: PLC0415

    console = Console()
    for title, rows in (
        ("Drivers", [(d.name, d.title, _link(d), _names(d)) for d in drivers]),
        ("LoRaWAN codecs", [(c.name, c.title, "any envelope", _names(c)) for c in codecs]),
    ):
        table = Table(title=title, title_justify="left")
        for heading in ("name", "device", "how", "fields"):
            table.add_column(heading, overflow="fold")
        for row in rows:
            table.add_row(*row)
        console.print(table)
    return 0


def _link(driver: Driver) -> str:
    link = driver.link
    if isinstance(link, SerialLink):
        return f"serial {link.baudrate} 8{link.parity}{link.stopbits}"
    return "MQTT"


def _names(what: Driver | Codec) -> str:
    return ", ".join(field.name for field in what.fields) or "as the codec says"


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
