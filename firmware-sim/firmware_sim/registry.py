"""The registry of simulated devices, discovered in the modules of `firmware_sim.devices`.

What such a module says of its device:

============  =========================================================================================
``DRIVER``    the driver that is to read it
``TWIN``      makes it of a name, a ledger and a seed; where it can share a line, of an ``address`` too
``SOURCE``    what its source in a configuration must say besides (options, topics), where it must
``NAME``      what it is called, where it cannot be called anything
``VARIANTS``  other models of it, and other options of its driver, each by a name of its own
``CODECS``    LoRaWAN: each codec, and what makes the sensors that it is to read
``NETWORK``   LoRaWAN: makes, of a seed, the network server that ``DRIVER`` is to read
============  =========================================================================================
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import Any, NamedTuple

from firmware_sim import devices
from firmware_sim.parts.lorawan_node import Network, Sensor


class Entry(NamedTuple):
    """A device as its module describes it; ``make`` gives a `SerialTwin` or a `MqttTwin`."""

    driver: str
    name: str
    make: Callable[..., Any]
    source: Mapping[str, Any]


def twins() -> dict[str, Entry]:
    """Return every device that has a driver of its own, by that driver's name."""
    found = {one.DRIVER: one for one in _modules() if hasattr(one, "TWIN")}
    return {
        driver: Entry(driver, getattr(one, "NAME", driver), one.TWIN, getattr(one, "SOURCE", {}))
        for driver, one in found.items()
    }


def variants() -> dict[str, Entry]:
    """Return the variants of all devices, by the variants' names."""
    return {
        name: Entry(variant.driver or module.DRIVER, name, variant.make, {"options": variant.options})
        for module in _modules()
        for name, variant in getattr(module, "VARIANTS", {}).items()
    }


def sensors() -> dict[str, Sequence[Callable[[], Sensor]]]:
    """Return what makes the LoRaWAN sensors of each codec; the TPS110 is not among them: it is a whole node."""
    return {codec: makers for module in _modules() for codec, makers in getattr(module, "CODECS", {}).items()}


def networks() -> dict[str, Callable[[str], Network]]:
    """Return what makes each network server, by the name of its driver."""
    return {module.DRIVER: module.NETWORK for module in _modules() if hasattr(module, "NETWORK")}


def _modules() -> Iterator[ModuleType]:
    yield from (import_module(f"{devices.__name__}.{found.name}") for found in iter_modules(devices.__path__))
