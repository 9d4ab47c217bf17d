"""What a test requires of the machine beside Python packages.

Where it is missing the test skips with a sentence that says what to install or to change; with ``CI=true`` the same
sentence is a failure. What no machine can be given (a controller of its kernel, hardware) is `pytest.skip` on CI too.

A whole test says ``@pytest.mark.requires("mosquitto", "openssl")``.
"""

import os
import subprocess
from pathlib import Path

import pytest

from firmware_sim.servers.process import find_program
from firmware_sim.servers.servers import Iotcore

PACKAGES = {
    "curl": "curl",
    "influxd": "influxdb",
    "ip": "iproute2",
    "losetup": "mount",
    "mkfs.ext4": "e2fsprogs",
    "mosquitto": "mosquitto",
    "mosquitto_passwd": "mosquitto",
    "nsenter": "util-linux",
    "openssl": "openssl",
    "systemd-analyze": "systemd",
    "systemd-sysusers": "systemd",
    "systemd-tmpfiles": "systemd",
    "udevadm": "udev",
    "unshare": "util-linux",
    "victoria-metrics": "victoria-metrics",
}
"""Debian's package for each program; `make servers` installs them."""

FAKETIME = "usr/lib/*/faketime/libfaketimeMT.so.1"
OWN_MOUNTS = (find_program("unshare") or "unshare", "--mount", "--propagation", "private")
"""The beginning of a command with mounts of its own; a full path, for `RealServer`."""


def require(available: object, missing: str) -> None:
    """Skip the test with this sentence, or fail it on CI, unless what it needs is available."""
    if available:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(missing)
    pytest.skip(missing)


def require_program(*programs: str) -> None:
    """Require programs by their names, a `RealServer` by its own."""
    for program in programs:
        if program == Iotcore.name:
            require(Iotcore.available(), "iotcore is not installed: pip install 'prehod[demo]'")
        else:
            words = f"{program} is not installed: sudo apt-get install {PACKAGES[program]}"
            require(find_program(program), words)


def require_faketime() -> Path:
    """Require libfaketime; return where it is."""
    found = next(iter(Path("/").glob(FAKETIME)), None)
    require(found, "libfaketime is not installed: sudo apt-get install faketime")
    assert found is not None
    return found


def require_own_mounts() -> None:
    """Require that a process may have mounts of its own."""
    require_program("unshare")
    require(os.geteuid() == 0, "mounts of its own need root")
    _require_success([*OWN_MOUNTS, "true"], "mounts of its own need a root folder that is a mount point")


def require_own_network() -> None:
    """Require that a process may have a network of its own."""
    require_program("unshare", "nsenter", "ip")
    require(os.geteuid() == 0, "a network of its own needs root")
    _require_success(["unshare", "--net", "true"], "a network of its own needs the kernel's leave")


def require_disk_image() -> None:
    """Require that the image of a disk can be made and mounted."""
    require_program("mkfs.ext4", "losetup", "nsenter")
    require_own_mounts()
    _require_success(["losetup", "--find"], "mounting a disk image needs a loop device in /dev")


def _require_success(command: list[str], missing: str) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    require(done.returncode == 0, f"{missing}: {done.stderr.strip()}")
