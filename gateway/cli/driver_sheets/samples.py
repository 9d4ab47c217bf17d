"""Ready-made blocks for the configuration file: for every driver and codec, and for what was found on a port.

A block is complete in itself: pasted into a file that has a ``[gateway]``, it passes ``prehod check``. What else may
be set stands in it as a comment, with its default.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from gateway.cli.driver_sheets.options import Option, examples, options, toml
from gateway.contract import Codec, Driver, SerialLink

PORT = "/dev/ttyUSB0"
BROKER = "mqtt://127.0.0.1:1883"
EUI = "70b3d57ed0001234"
NETWORK = "chirpstack"
"""The driver through which the payload of a codec arrives, in its sample."""


class Wiring(NamedTuple):
    """Where a serial device is, and with which options; what is None is the driver's own default."""

    port: str = PORT
    note: str = "or the adapter's identity: usb:VID:PID"
    baudrate: int | None = None
    parity: str | None = None
    stopbits: int | None = None
    address: int | None = None
    options: Mapping[str, Any] = {}


def sample(device: Driver | Codec, wiring: Wiring | None = None) -> str:
    """Return the block for a driver or a codec, as TOML."""
    if isinstance(device, Codec):
        lines = _payload(device)
    elif isinstance(device.link, SerialLink):
        lines = _serial(device, wiring or Wiring())
    else:
        lines = _mqtt(device)
    return "\n".join([*lines, ""])


def _serial(driver: Driver, wiring: Wiring) -> Iterator[str]:
    assert isinstance(driver.link, SerialLink)
    place = f"sources.{driver.name}"
    yield f"[{place}]"
    yield 'type = "serial"'
    yield f"port = {toml(wiring.port)}" + (f" # {wiring.note}" if wiring.note else "")
    if wiring.baudrate is not None:
        yield f"baudrate = {wiring.baudrate}"
    if wiring.parity is not None:
        yield f'parity = "{wiring.parity}"'
    if wiring.stopbits is not None:
        yield f"stopbits = {wiring.stopbits}"
    address = wiring.address
    if driver.link.bus:
        place += ".devices"
        yield ""
        yield f"[[{place}]] # one such table for each device on the line"
    yield f'driver = "{driver.name}"'
    yield f'sensor = "{driver.name}-1" # its name in the database: choose your own'
    known = options(driver.options)
    if driver.link.bus:
        at = next((one for one in known if one.name == "address"), None)
        usual = (at.default or at.example) if at else ""
        if address is not None or usual:
            yield f"address = {usual if address is None else address}"
        elif at:
            yield f"# address = 1 # {at.about}"
        known = [one for one in known if one.name != "address"]
    yield from _options(place, known, wiring.options)


def _mqtt(driver: Driver) -> Iterator[str]:
    place = f"sources.{driver.name}"
    yield f"[{place}]"
    yield 'type = "mqtt"'
    yield f'url = "{BROKER}"'
    yield f'driver = "{driver.name}"'
    topics = "" if isinstance(driver.link, SerialLink) else ", ".join(f'"{topic}"' for topic in driver.link.topics)
    yield f"# topics = [{topics}]"
    named = driver.options.model_validate(examples(driver.options)).names_sensor
    yield from _options(place, options(driver.options), {} if named else {"sensor": "topic:-1"})
    if not driver.kinds:
        yield ""
        yield f'[sensors."{EUI}"] # one for each device, by its EUI'
        yield 'codec = "cayenne_lpp" # what its payload is; prehod drivers lists them'


def _payload(codec: Codec) -> Iterator[str]:
    yield f"[sources.{NETWORK}]"
    yield 'type = "mqtt"'
    yield f'url = "{BROKER}"'
    yield f'driver = "{NETWORK}" # or another network server'
    yield ""
    yield f'[sensors."{EUI}"] # its EUI, in lower case'
    yield f'codec = "{codec.name}"'
    yield f'id = "{codec.name}-1" # its name in the database: choose your own'
    yield from _options(f'sensors."{EUI}"', options(codec.options))


def _options(place: str, known: list[Option], given: Mapping[str, Any] | None = None) -> Iterator[str]:
    """Yield the table of options: what is given or has to be set, the others as comments with their defaults."""
    given = given or {}
    shown = [one for one in known if one.required or one.default or one.name in given]
    if not shown:
        return
    needed = any(one.example or one.name in given for one in shown)
    yield ""
    yield f"[{place}.options]" if needed else f"# [{place}.options]"
    for one in shown:
        if one.name in given:
            yield f"{one.name} = {toml(given[one.name])}"
        else:
            yield f"{one.name} = {one.example}" if one.example else f"# {one.name} = {one.default}"
