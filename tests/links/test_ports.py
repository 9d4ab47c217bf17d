"""A port by its USB identity, whoever holds it, and what its owner has to do about that."""

import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from serial.tools import list_ports

from gateway.errors import LinkDown, LinkRefused
from gateway.links.line_settings import SerialSettings
from gateway.links.ports import Plugged, UsbPort, denied, holders, locked_by, plugged_in, resolve, shared
from gateway.links.serial import Line
from tests.links.conftest import Device
from tests.support.requirements import OWN_MOUNTS, require_own_mounts

CH340 = Plugged("/dev/ttyUSB0", UsbPort(0x1A86, 0x7523, "", "1-1.2"))
ANOTHER = Plugged("/dev/ttyUSB1", UsbPort(0x1A86, 0x7523, "", "1-1.3"))
FTDI = Plugged("/dev/ttyUSB2", UsbPort(0x0403, 0x6001, "A50285BI", "1-1.4"))
RADAR = Plugged("/dev/ttyACM0", UsbPort(0x0483, 0xA30F, "S1", "1-1.1:1.0"))


def there(*plugged: Plugged) -> Callable[[], list[Plugged]]:
    return lambda: list(plugged)


@pytest.mark.parametrize("path", ["/dev/ttyUSB0", "/dev/serial/by-path/x-usb-0:1:1.0-port0", "usbport"])
def test_a_path_is_taken_as_it_is(path: str) -> None:
    assert resolve(path, there()) == path


@pytest.mark.parametrize(
    ("port", "device"),
    [
        ("usb:0403:6001", "/dev/ttyUSB2"),
        ("usb:0403:6001:A50285BI", "/dev/ttyUSB2"),
        ("USB:0403:6001:A50285BI@1-1.4", "/dev/ttyUSB2"),
        ("usb:1A86:7523@1-1.3", "/dev/ttyUSB1"),
        ("usb:0483:a30f@1-1.1", "/dev/ttyACM0"),
        ("usb:0483:a30f@1-1.1:1.0", "/dev/ttyACM0"),
    ],
)
def test_a_usb_port_is_found_by_what_is_plugged_in(port: str, device: str) -> None:
    assert resolve(port, there(CH340, ANOTHER, FTDI, RADAR)) == device


def test_an_adapter_that_comes_back_under_another_name_is_found() -> None:
    for number in (0, 7):
        assert (
            resolve("usb:1a86:7523", there(CH340._replace(device=f"/dev/ttyUSB{number}"))) == f"/dev/ttyUSB{number}"
        )


@pytest.mark.parametrize(
    "port", ["usb:1a86:7522", "usb:0403:6001:A5", "usb:1a86:7523@1-1", "usb:0483:a30f@1-1.1:1.2"]
)
def test_an_adapter_that_is_not_there_is_down_and_what_is_there_is_named(port: str) -> None:
    with pytest.raises(LinkDown) as caught:
        resolve(port, there(CH340, FTDI, RADAR))
    assert not isinstance(caught.value, LinkRefused)
    assert str(caught.value) == (
        f"{port}: not plugged in; there is: /dev/ttyACM0 is usb:0483:a30f:S1@1-1.1:1.0, "
        "/dev/ttyUSB0 is usb:1a86:7523@1-1.2, /dev/ttyUSB2 is usb:0403:6001:A50285BI@1-1.4"
    )


def test_where_nothing_is_plugged_in_that_is_said() -> None:
    with pytest.raises(LinkDown, match="usb:1a86:7523: not plugged in; there is no USB serial port"):
        resolve("usb:1a86:7523", there())


def test_two_that_fit_are_refused_because_a_guess_would_mix_up_two_sensors() -> None:
    with pytest.raises(LinkRefused, match=r"add :SERIAL or @LOCATION: .*ttyUSB0 is .*@1-1\.2, .*ttyUSB1") as caught:
        resolve("usb:1a86:7523", there(ANOTHER, FTDI, CH340))
    assert "ttyUSB2" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["usb:", "usb:1a86", "usb:1a86:752", "usb:1a86:7523@", "usb:1a86:7523 ", "usb:1a86:g523"]
)
def test_a_usb_port_that_is_written_wrongly_is_told_the_form(text: str) -> None:
    with pytest.raises(ValueError, match=r"usb:VID:PID\[:SERIAL\]\[@LOCATION\]"):
        UsbPort.parse(text)


_NUMBERS = st.integers(0, 0xFFFF)
_SERIALS = st.from_regex(r"[!-?A-~]*", fullmatch=True)
_LOCATIONS = st.from_regex(r"([1-9]-[1-9](\.[1-9]){0,3}(:1\.[0-9])?)?", fullmatch=True)


@given(_NUMBERS, _NUMBERS, _SERIALS, _LOCATIONS)
def test_what_a_port_is_called_in_an_error_can_be_written_into_the_configuration(
    vendor: int, product: int, serial: str, location: str
) -> None:
    port = UsbPort(vendor, product, serial, location)
    assert UsbPort.parse(str(port)) == port
    assert port.fits(port)


def test_what_pyserial_lists_becomes_a_usb_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    uart = SimpleNamespace(device="/dev/ttyAMA0", vid=None)
    ch340 = SimpleNamespace(device="/dev/ttyUSB0", vid=0x1A86, pid=0x7523, serial_number=None, location="1-1.2")
    monkeypatch.setattr(list_ports, "comports", lambda: [uart, ch340])
    assert plugged_in() == [CH340]


def test_an_adapter_that_vanishes_while_it_is_looked_at_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    def half_gone() -> None:
        int(None, 16)  # type: ignore[call-overload] # what pyserial does when idVendor is gone

    monkeypatch.setattr(list_ports, "comports", half_gone)
    with pytest.raises(LinkDown, match="coming and going"):
        plugged_in()


async def test_a_line_is_opened_by_its_usb_identity_wherever_that_is_now(device: Device) -> None:
    here = there(CH340._replace(device=device.port))
    line = Line(SerialSettings("usb:1a86:7523", 9600), lambda port: resolve(port, here))
    await line.open()
    device.says(b"hello")
    assert await line.receive(5) == b"hello"
    device.unplug()
    with pytest.raises(LinkDown, match=f"{device.port}: the device is gone"):
        await line.receive(5)
    line.close()


async def test_a_line_that_is_not_plugged_in_is_down() -> None:
    line = Line(SerialSettings("usb:1a86:7523", 9600), lambda port: resolve(port, there()))
    with pytest.raises(LinkDown, match="not plugged in"):
        await line.open()
    line.close()


# who holds it


def test_we_find_ourselves_among_those_who_hold_a_port_and_nobody_elses(device: Device) -> None:
    assert not holders(device.port)
    assert shared(device.port) == ""
    mine = os.open(device.port, os.O_RDWR | os.O_NOCTTY)
    try:
        assert [one.pid for one in holders(device.port)] == [os.getpid()]
        assert shared(device.port) == ""
        assert locked_by(device.port) == "held by another source of this gateway"
    finally:
        os.close(mine)


def test_a_link_to_the_port_is_the_port_and_what_we_may_not_see_is_left_out(device: Device, tmp_path: Path) -> None:
    descriptors = tmp_path / "77" / "fd"
    descriptors.mkdir(parents=True)
    (tmp_path / "77" / "comm").write_text("minicom\n")
    (descriptors / "0").symlink_to("/dev/null")
    (descriptors / "3").symlink_to(device.port)
    (tmp_path / "78").mkdir()
    (tmp_path / "self").mkdir()
    by_path = tmp_path / "by-path"
    by_path.symlink_to(device.port)
    assert [str(one) for one in holders(str(by_path), tmp_path)] == ["minicom (pid 77)"]


def test_a_device_is_the_same_wherever_its_node_lies(tmp_path: Path) -> None:
    elsewhere = tmp_path / "zero"
    with _own_node(elsewhere, Path("/dev/zero")) as descriptor:
        assert os.fstat(descriptor).st_dev != Path("/dev/zero").stat().st_dev, "the node lies in another file system"
        assert os.getpid() in [one.pid for one in holders("/dev/zero")]
    assert os.getpid() not in [one.pid for one in holders("/dev/zero")]


def test_a_file_and_what_is_not_there_have_no_holder(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w") as file:
        assert not holders(file.name)
    assert not holders(str(tmp_path / "nothing"))


def test_a_terminal_of_the_same_name_in_another_devpts_is_not_our_port(device: Device) -> None:
    require_own_mounts()
    with _holder(OTHER_DEVPTS, device.port) as holder:
        assert Path(f"/proc/{holder}/fd/{HELD}").readlink() == Path(device.port), "the name is the same"
        assert not holders(device.port)
        assert shared(device.port) == ""


def test_our_port_under_another_name_in_another_mount_namespace_is_our_port(device: Device, tmp_path: Path) -> None:
    require_own_mounts()
    elsewhere = tmp_path / "port"
    elsewhere.touch()
    with _holder(BOUND, device.port, str(elsewhere)) as holder:
        assert Path(f"/proc/{holder}/fd/{HELD}").readlink() != Path(device.port), "the name is another"
        assert [one.pid for one in holders(device.port)] == [holder]
        assert shared(device.port).startswith("it is also open in ")
        assert shared(device.port).endswith(f" (pid {holder})")


HELD = 50
"""The descriptor by which a program of a test holds a terminal."""

OTHER_DEVPTS = f"""
import ctypes, os, subprocess, sys
libc = ctypes.CDLL(None)
libc.ptsname.restype = ctypes.c_char_p
subprocess.run(["mount", "-t", "devpts", "-o", "newinstance,ptmxmode=0666", "devpts", "/dev/pts"], check=True)
name = ""
while name != sys.argv[1]:
    master = os.open("/dev/pts/ptmx", os.O_RDWR | os.O_NOCTTY)
    libc.unlockpt(master)
    name = os.fsdecode(libc.ptsname(master))
os.dup2(os.open(name, os.O_RDWR | os.O_NOCTTY), {HELD})
"""
"""Mounts an empty devpts and opens terminals of it until one has the name that is asked for."""

BOUND = f"""
import os, subprocess, sys
subprocess.run(["mount", "--bind", sys.argv[1], sys.argv[2]], check=True)
os.dup2(os.open(sys.argv[2], os.O_RDWR | os.O_NOCTTY), {HELD})
"""
"""Gives a device another name and opens it by that."""


@contextmanager
def _holder(program: str, *arguments: str) -> Iterator[int]:
    """Run a program that comes to hold something, with mounts of its own; yields its process id."""
    command = [*OWN_MOUNTS, sys.executable, "-c", program + "print(flush=True); input()", *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == b"\n"
        yield process.pid
        process.stdin.write(b"\n")


@contextmanager
def _own_node(path: Path, device: Path) -> Iterator[int]:
    """Open a device by a node of our own making."""
    if os.geteuid() != 0:
        pytest.skip("only root can make the node of a device")
    os.mknod(path, 0o600 | stat.S_IFCHR, device.stat().st_rdev)
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except PermissionError:
        pytest.skip("the folder for temporary files is mounted without devices")
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def test_a_holder_that_we_may_not_see_is_named_by_a_command(device: Device) -> None:
    assert locked_by(device.port) == f"held by another program: sudo fuser -v {device.port} names it"


@pytest.mark.parametrize("group", ["root", "nogroup"])
def test_a_port_that_belongs_to_no_group_of_its_own_needs_the_udev_rules(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, group: str
) -> None:
    monkeypatch.setattr("grp.getgrgid", lambda _: SimpleNamespace(gr_name=group))
    assert "99-prehod.rules" in denied(str(tmp_path))
    assert "usermod" not in denied(str(tmp_path))
