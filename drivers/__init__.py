"""The drivers: one device a file.

Adding a device is adding ONE module here that exposes ``DRIVER`` (or, under ``codecs/``, ``CODEC``): the tables find
it by its file name. Another package adds its own by entry points::

    [project.entry-points."prehod.drivers"]
    my_sensor = "my_package.my_sensor:DRIVER"

    [project.entry-points."prehod.codecs"]
    my_payload = "my_package.my_payload:CODEC"

Only the module asked for is imported: a small board starts with what its configuration names, and listing the names
imports nothing. The packages ``common`` have the parts that several share, and a device that is more than a page is a
package. A name of this package wins over the same name in another.
"""

from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pkgutil import iter_modules
from types import ModuleType
from typing import Generic, TypeVar

from gateway.contract import Codec, Driver

__all__ = ["UnknownName", "codec_names", "load", "load_all", "load_all_codecs", "load_codec", "names"]

NO_DEVICES = frozenset({"common", "codecs"})
"""Packages in this folder that are no devices."""

Entry = TypeVar("Entry", bound=Driver | Codec)


class UnknownName(LookupError):
    """No driver or codec has this name; the message says which known one is nearest."""


@dataclass(frozen=True)
class _Table(Generic[Entry]):
    what: str
    package: str
    attribute: str
    group: str
    type: type[Entry]

    def own(self) -> set[str]:
        path = import_module(self.package).__path__
        return {module.name for module in iter_modules(path)} - NO_DEVICES

    def others(self) -> dict[str, EntryPoint]:
        return {entry.name: entry for entry in entry_points(group=self.group)}

    def names(self) -> list[str]:
        return sorted(self.own() | self.others().keys())

    def load(self, name: str) -> Entry:
        if name in self.own():
            found: object = import_module(f"{self.package}.{name}")
        elif name in (others := self.others()):
            found = others[name].load()
        else:
            near = get_close_matches(name, self.names(), n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(self.names())}"
            raise UnknownName(f"no {self.what} is called {name!r}; {hint}")
        entry = getattr(found, self.attribute, None) if isinstance(found, ModuleType) else found
        if not isinstance(entry, self.type):
            raise TypeError(f"{self.what} {name!r}: {found!r} gives no {self.type.__name__} named {self.attribute}")
        return entry


_DRIVERS = _Table("driver", "drivers", "DRIVER", "prehod.drivers", Driver)
_CODECS = _Table("codec", "drivers.codecs", "CODEC", "prehod.codecs", Codec)


def names() -> list[str]:
    """Return the name of every driver, sorted, importing none of them."""
    return _DRIVERS.names()


def load(name: str) -> Driver:
    """Return one driver, importing only its module; `UnknownName` where there is none."""
    return _DRIVERS.load(name)


def load_all() -> list[Driver]:
    """Return every driver, sorted by name; for lists and tests, not for the daemon's start."""
    return [load(name) for name in names()]


def codec_names() -> list[str]:
    """Return the name of every codec, sorted, importing none of them."""
    return _CODECS.names()


def load_codec(name: str) -> Codec:
    """Return one codec, importing only its module; `UnknownName` where there is none."""
    return _CODECS.load(name)


def load_all_codecs() -> list[Codec]:
    """Return every codec, sorted by name."""
    return [load_codec(name) for name in codec_names()]
