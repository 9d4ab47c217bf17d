"""Which serial port is meant, and why it cannot be had: looked up in /sys and /proc, anew at each opening.

A port is named by a path, or by what is plugged in::

    /dev/serial/by-path/platform-xhci-hcd.1-usb-0:1:1.0-port0     the socket
    usb:1a86:7523                       vendor and product, hexadecimal: any such adapter
    usb:0403:6001:A50285BI              and its serial number
    usb:1a86:7523@1-1.2                 and the socket that it is in, as the kernel numbers it

An adapter that comes back under another ttyUSB number is the same adapter. Everything here blocks: it is for threads.
"""

import grp
import os
import pwd
import re
import stat
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from gateway.errors import LinkDown, LinkRefused

FORM = "usb:VID:PID[:SERIAL][@LOCATION], as in usb:1a86:7523@1-1.2"

_USB = re.compile(r"usb:([0-9a-f]{4}):([0-9a-f]{4})(?::([^@\s]+))?(?:@(\d+-[0-9.]+(?::[0-9.]+)?))?", re.IGNORECASE)
_DIALOUT = "dialout"
_PTS_MAJORS = range(136, 144)
"""Device numbers of pseudo-terminals (Documentation/admin-guide/devices.txt of the kernel)."""
_UNMAPPED = frozenset({"root", "nogroup", "nobody"})
"""Groups that no user should be added to; a service with PrivateUsers= sees every group as nogroup."""


class UsbPort(NamedTuple):
    """The USB identity of a port; wanted, an empty ``serial`` or ``location`` means any; found, that it has none.

    ``location`` is the bus and the chain of sockets (1-1.2), then the interface (1-1.2:1.0) if it has several.
    """

    vendor: int
    product: int
    serial: str = ""
    location: str = ""

    @classmethod
    def parse(cls, text: str) -> "UsbPort":
        """Read ``usb:VID:PID[:SERIAL][@LOCATION]``; ``ValueError`` when it is not written like that."""
        found = _USB.fullmatch(text)
        if found is None:
            raise ValueError(f"write a USB port as {FORM}")
        return cls(int(found[1], 16), int(found[2], 16), found[3] or "", found[4] or "")

    def __str__(self) -> str:
        serial, location = self.serial and f":{self.serial}", self.location and f"@{self.location}"
        return f"usb:{self.vendor:04x}:{self.product:04x}{serial}{location}"

    def fits(self, found: "UsbPort") -> bool:
        """Tell whether ``found`` is what this one means."""
        return (
            (self.vendor, self.product) == (found.vendor, found.product)
            and self.serial in ("", found.serial)
            and self.location in ("", found.location, found.location.partition(":")[0])
        )


class Plugged(NamedTuple):
    """A USB serial port that is there now."""

    device: str
    usb: UsbPort


def plugged_in() -> list[Plugged]:
    """Return the USB serial ports of this machine; `LinkDown` when one goes away while it is looked at."""
    from serial.tools import list_ports  # noqa: PLC0415 -- walks /sys: only who names a port by USB pays for it

    try:
        found = list_ports.comports()
    except (OSError, TypeError, ValueError) as error:  # pyserial reads files that vanish with the adapter
        raise LinkDown("USB serial ports are coming and going") from error
    return [
        Plugged(one.device, UsbPort(one.vid, one.pid or 0, one.serial_number or "", one.location or ""))
        for one in found
        if one.vid is not None
    ]


def resolve(port: str, plugged: Callable[[], Iterable[Plugged]] = plugged_in) -> str:
    """Return the path of a port. Raises `LinkDown` when it is not plugged in, `LinkRefused` when several fit."""
    if not port.lower().startswith("usb:"):
        return port
    wanted = UsbPort.parse(port)
    there = sorted(plugged())
    fitting = [one for one in there if wanted.fits(one.usb)]
    if len(fitting) == 1:
        return fitting[0].device
    listed = ", ".join(f"{one.device} is {one.usb}" for one in fitting or there)
    if fitting:
        raise LinkRefused(f"{port}: several fit, add :SERIAL or @LOCATION: {listed}")
    raise LinkDown(f"{port}: not plugged in; " + (f"there is: {listed}" if there else "there is no USB serial port"))


class Holder(NamedTuple):
    """A process that has a port open."""

    pid: int
    name: str

    def __str__(self) -> str:
        return f"{self.name} (pid {self.pid})"


def holders(device: str, proc: Path = Path("/proc")) -> list[Holder]:
    """Return the processes that have ``device`` open, as far as we may see them, under whatever name.

    A name says little: a container has a /dev of its own, where its first terminal is called as ours is, and our
    adapter may have another name.
    """
    wanted = _identity(Path(device))
    found = []
    for process in proc.iterdir() if wanted is not None else ():
        if not process.name.isdecimal():
            continue
        with suppress(OSError):  # it ended meanwhile, or is not ours to look into
            if any(_identity(descriptor) == wanted for descriptor in (process / "fd").iterdir()):
                name = (process / "comm").read_text(encoding="utf-8", errors="replace").strip()
                found.append(Holder(int(process.name), name))
    return sorted(found)


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what tells one device from another; None when ``path`` leads to none.

    It is the device's number, wherever its node lies. Pseudo-terminals are numbered anew by each devpts, and a devpts
    is known by the file system's own number.
    """
    try:
        found = path.stat()  # of /proc/PID/fd/N: what is open there, in whichever mount namespace
    except OSError:
        return None
    if not stat.S_ISCHR(found.st_mode):
        return None
    return found.st_rdev, found.st_dev if os.major(found.st_rdev) in _PTS_MAJORS else 0


def locked_by(device: str) -> str:
    """Say who holds a port that is locked."""
    who = holders(device)
    if any(one.pid == os.getpid() for one in who):
        return "held by another source of this gateway"
    return f"held by {_listed(who)}" if who else f"held by another program: sudo fuser -v {device} names it"


def shared(device: str) -> str:
    """Say who else has our open port open: what they read does not reach us; "" where it is ours alone."""
    others = [one for one in holders(device) if one.pid != os.getpid()]
    return f"it is also open in {_listed(others)}" if others else ""


def denied(device: str) -> str:
    """Say why a port may not be opened, and the command that changes it."""
    group, user = _DIALOUT, str(os.geteuid())
    with suppress(KeyError):
        user = pwd.getpwuid(os.geteuid()).pw_name
    with suppress(OSError, KeyError):
        group = grp.getgrgid(Path(device).stat().st_gid).gr_name
    if group in _UNMAPPED:
        return f"permission denied; give it to the group {_DIALOUT} (systemd/99-prehod.rules) and add {user} to that"
    return f"permission denied; add {user} to the group {group}: sudo usermod -aG {group} {user}, then start again"


def _listed(who: list[Holder]) -> str:
    return " and ".join(map(str, who))
