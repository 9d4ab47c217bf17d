"""``prehod probe``: which device is on a serial port, what it says now, and what to write into the configuration."""

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from gateway.cli.driver_sheets.samples import Wiring, sample
from gateway.cli.probing.evidence import Candidate, Setting, fit_to_probe, settings
from gateway.cli.probing.search import Patience, Probe, Report, Step
from gateway.cli.readings import hexadecimal, known_fields, quality, rows
from gateway.config.explain import nearest
from gateway.contract import Driver, SerialLink
from gateway.daemon.catalogue import CATALOGUE
from gateway.errors import LinkDown, LinkRefused
from gateway.links import ports
from gateway.links.line_settings import NetworkPort

SHOWN = 64
"""Bytes of each step that machines are told."""
NAMED_SECONDS = 6.0
"""How long it listens where a driver is named: such a device may have to wake up first."""
_USUAL = (("parity", "N"), ("stopbits", 1))
"""What a block need not say."""
SILENT = """\
no byte came at any setting, and no device answered. In this order: is it powered (many need 5 V)? Are TX and RX
crossed, and is ground connected? On RS-485, are A and B swapped?"""
NOISE = """\
bytes came, and no known device's frame among them. Is it RS-232 on a port for 3.3 V logic, or the reverse? Are A and
B swapped? Is it another device, or does another program read this port?"""
UNNAMED = """\
Some devices speak only when they are told to, and may keep what they are told, so these were only listened for: {}.
To speak to one as the gateway would, name it: prehod probe {} --driver NAME"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.description = (
        "Listens on a serial port at every likely setting, asks where a question changes nothing, and says which "
        "device is there. Exit code 0 when it was found, 1 when not."
    )
    parser.add_argument(
        "port",
        type=_port,
        metavar="PORT",
        help="/dev/ttyUSB0, usb:1a86:7523, socket://HOST:PORT, as in the configuration",
    )
    parser.add_argument(
        "--driver",
        action="append",
        default=[],
        type=_driver,
        metavar="NAME",
        help="look for this device alone, and speak to it as the gateway would: its start-up commands are sent",
    )
    parser.add_argument(
        "--seconds", type=_seconds, metavar="N", help="listen so long at each setting; default 3, or 6"
    )


def run(arguments: argparse.Namespace) -> int:
    """Probe; exit code 1 when nothing was found or the port cannot be had."""
    named: list[Driver] = arguments.driver
    drivers = named or serial_drivers()
    patience = Patience(arguments.seconds or (NAMED_SECONDS if named else Patience().listen))
    try:
        report = asyncio.run(_probe(arguments, drivers, patience))
    except LinkDown as error:
        return _cannot(arguments, error)
    if arguments.json:
        print(json.dumps(to_json(arguments.port, report)))
    else:
        _tell(arguments.port, report, named=bool(named))
    return int(report.found is None and report.text is None)


def serial_drivers() -> list[Driver]:
    """Return every driver of a device on a serial line that can be looked for."""
    return [driver for name in CATALOGUE.names() if fit_to_probe(driver := CATALOGUE.load(name))]


def to_json(port: str, report: Report) -> dict[str, Any]:
    """Return what machines are told."""
    found = report.found
    said: dict[str, Any] = {
        "port": port,
        "device": report.device,
        "shared": report.shared,
        "found": found is not None,
        "driver": found.driver.name if found else None,
        "others": [one.name for one in report.others],
        "settings": [
            {"setting": str(step.setting), "doing": step.doing, "bytes": step.size, "heard": step.heard[:SHOWN].hex()}
            for step in report.steps
        ],
    }
    if found is None and report.text is not None:
        text = {"form": report.text.form, "example": report.text.example, "driver": report.text.driver}
        return {**said, "setting": str(report.setting), "text": text, "configuration": block(port, report)}
    if found is None:
        return {**said, "problem": _wrong(report)}
    values = rows(found.fields, known_fields(found.driver))
    return {
        **said,
        "setting": str(report.setting),
        "address": found.address,
        "options": dict(found.options),
        "kind": found.kind,
        "fields": {
            name: {"value": value, "unit": unit, "verdict": verdict}
            for (name, value), (_, _, unit, verdict) in zip(found.fields.items(), values, strict=True)
        },
        "readings": found.readings,
        "without_reading": found.sound,
        "why": found.why_not,
        "rejects": dict(found.complaints),
        "configuration": block(port, report),
    }


def block(port: str, report: Report) -> str:
    """Return what to paste into the configuration for what was found."""
    assert report.setting is not None
    if report.found is None and report.text is not None:
        keys = {name: value for name, value in report.setting.keys.items() if (name, value) not in _USUAL}
        return report.text.block(*_lasting(port, report.device), keys)
    assert report.found is not None
    found, link = report.found, report.found.link
    own = Setting(link.baudrate, link.parity, link.stopbits)
    differs: dict[str, Any] = {key: at for key, at in report.setting.keys.items() if at != own._asdict()[key]}
    name, note = _lasting(port, report.device)
    return sample(found.driver, Wiring(name, note, address=found.address, options=found.options, **differs))


async def _probe(arguments: argparse.Namespace, drivers: list[Driver], patience: Patience) -> Report:
    every = settings(serial_drivers())
    with _View(machine=arguments.json) as watch:
        return await Probe(arguments.port, drivers, patience, watch, named=bool(arguments.driver)).run(every)


class _View:
    """Shows the work: a line for each step that ended and, on a terminal, one that lives."""

    def __init__(self, *, machine: bool) -> None:
        from rich.console import Console  # noqa: PLC0415 -- only people need it

        self._console = Console(highlight=False, quiet=machine)
        self._status = self._console.status("opening the port") if self._console.is_terminal else None

    def __enter__(self) -> Callable[[Step, bool], None]:
        if self._status:
            self._status.start()
        return self._watch

    def __exit__(self, *_: object) -> None:
        if self._status:
            self._status.stop()

    def _watch(self, step: Step, ended: bool) -> None:
        from rich.text import Text  # noqa: PLC0415 -- only people need it

        if ended:
            self._console.print(Text(_step(step)), soft_wrap=True)
        elif self._status:
            self._status.update(Text(_step(step), overflow="ellipsis", no_wrap=True))


def _step(step: Step) -> str:
    came = "silence" if not step.size else "1 byte" if step.size == 1 else f"{step.size} bytes"
    best = step.best
    if best is None:
        says = ", no frame" if step.size else ""
    elif best.readings:
        values = ", ".join(f"{name} {value}" for name, value, *_ in rows(best.fields, known_fields(best.driver))[:3])
        says = f", {best.name}: {values}"
    else:
        says = ", no reading" if best.asked else f", like {best.driver.name}: {best.why_not}"
    return f"{step.setting!s:<11} {step.doing}: {came}{says}"


def _tell(port: str, report: Report, *, named: bool) -> None:
    from rich.console import Console  # noqa: PLC0415 -- only people need it
    from rich.padding import Padding  # noqa: PLC0415 -- the same
    from rich.text import Text  # noqa: PLC0415 -- the same

    from gateway.cli.values_table import print_values  # noqa: PLC0415 -- the same

    console = Console(highlight=False)
    if report.shared:
        console.print(f"\n{report.device}: {report.shared}; stop that first, it takes bytes away", style="yellow")
    found = report.found
    console.print()
    if found is None and report.text is not None:
        _tell_text(port, report)
        return
    if found is None:
        console.print(Text.assemble(("not found: ", "bold red"), " ".join(_wrong(report).split())))
        if not named:
            spared = [
                one.driver.name for one in map(Candidate, serial_drivers()) if not one.link.harmless and one.speaks
            ]
            console.print()
            console.print(" ".join(UNNAMED.format(", ".join(spared), port).split()))
        return
    console.print(Text.assemble(("found: ", "bold green"), (found.name, "bold")))
    for line in _remarks(report):
        console.print(Padding(Text(line), (0, 0, 0, 2), expand=False))
    if found.fields:
        console.print(f"\n{found.kind}, {quality(found.quality)}")
        print_values(console, found.fields, known_fields(found.driver))
    console.print("\nFor the configuration (prehod check says whether it is right):\n")
    console.print(Text(block(port, report).rstrip()), soft_wrap=True)


def _tell_text(port: str, report: Report) -> None:
    """Say that a device prints text, what its form is, and how it is read."""
    from rich.console import Console  # noqa: PLC0415 -- only people need it
    from rich.padding import Padding  # noqa: PLC0415 -- the same
    from rich.text import Text  # noqa: PLC0415 -- the same

    text = report.text
    assert text is not None
    console = Console(highlight=False)
    console.print(Text.assemble(("text: ", "bold green"), (text.form, "bold")))
    for line in (f"at {report.setting}, of no device that has a driver of its own", text.example):
        console.print(Padding(Text(line), (0, 0, 0, 2), expand=False), soft_wrap=True)
    console.print("\nFor the configuration, once it says what is what (prehod check says whether it is right):\n")
    console.print(Text(block(port, report).rstrip()), soft_wrap=True)


def _remarks(report: Report) -> Iterator[str]:
    found = report.found
    assert found is not None
    yield found.driver.title
    yield f"at {report.setting}" + (f", address {found.address}" if found.address else "")
    rejected = ", ".join(f"{count} {reason}" for reason, count in sorted(found.complaints.items())) or "none"
    without = f", {found.sound} sound ones without ({found.why_not})" if found.sound else ""
    yield f"line: {found.readings} frames with readings{without}; rejected: {rejected}"
    if found.generic:
        yield "it speaks this protocol; what stands where is in its manual, and goes into the options"
    elif not found.readings:
        yield "it speaks like this device, and gave no reading yet"
    if report.others and found.readings:
        yield "the same bytes would also do for: " + ", ".join(one.name for one in report.others)


def _wrong(report: Report) -> str:
    heard = [step for step in report.steps if step.size]
    if not heard:
        return SILENT
    most = max(heard, key=lambda step: step.size)
    return f"{NOISE} At {most.setting} it began: {hexadecimal(most.heard[:16])}"


def _cannot(arguments: argparse.Namespace, error: LinkDown) -> int:
    """Say why the port cannot be had, and which there are."""
    hint = ""
    local = not arguments.port.lower().startswith("usb:") and "://" not in arguments.port
    if not isinstance(error, LinkRefused) and local:
        hint = "; ".join(_present())
        hint = f"there is: {hint}" if hint else "there is no serial port on this machine"
    elif "held by" in str(error):
        hint = "stop it first; the gateway itself: sudo systemctl stop prehod"
    if arguments.json:
        print(json.dumps({"port": arguments.port, "found": False, "problem": str(error), "hint": hint}))
    else:
        print("\n".join(line for line in (f"prehod probe: {error}", hint) if line), file=sys.stderr)
    return 1


def _present() -> list[str]:
    try:
        plugged = ports.plugged_in()
    except LinkDown:
        plugged = []
    built_in = [str(path) for path in sorted(Path("/dev").glob("ttyAMA*"))]
    return [f"{one.device} ({one.usb})" for one in sorted(plugged)] + built_in


def _lasting(port: str, device: str) -> tuple[str, str]:
    """Return the port under a name that stays when adapters are numbered anew, and what to say of it."""
    if port.startswith(("/dev/ttyUSB", "/dev/ttyACM")):
        try:
            plugged = ports.plugged_in()
        except LinkDown:
            plugged = []
        for one in plugged:
            if one.device == device:
                return str(one.usb), f"the adapter in this socket, now {device}"
    return port, ""


def _port(text: str) -> str:
    try:
        if text.lower().startswith("usb:"):
            return str(ports.UsbPort.parse(text))
        return str(NetworkPort.parse(text) or text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _driver(name: str) -> Driver:
    known: list[str] = CATALOGUE.names()
    try:
        found = CATALOGUE.load(name)
    except LookupError:
        raise argparse.ArgumentTypeError(nearest(name, known, "driver").partition("; there are")[0]) from None
    if not isinstance(found.link, SerialLink):
        raise argparse.ArgumentTypeError(f"{name!r} reads MQTT messages, no serial port")
    return found


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r}: a number of seconds, up to 3600")
    return seconds
