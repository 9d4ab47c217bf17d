"""A serial line over a real pseudo-terminal: closing the far side is the unplug."""

import asyncio
import errno
import os
import pwd
import select
import sys
import termios
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import serial

from firmware_sim.patience import patience
from gateway.errors import LinkDown, LinkRefused
from gateway.links.line_settings import Rs485, SerialSettings
from gateway.links.serial import MAX_BUFFERED, SEND_PATIENCE, Line
from gateway.links.tty import READ_SIZE
from tests.links.conftest import Device
from tests.support.until import until


async def _open(device: Device, send_patience: float = SEND_PATIENCE) -> Line:
    line = Line(SerialSettings(device.port, 9600), send_patience=send_patience)
    await line.open()
    return line


async def _received(line: Line, size: int) -> bytes:
    data = b""
    async with asyncio.timeout(patience()):
        while len(data) < size:
            data += await line.receive(1.0)
    return data


async def test_bytes_go_both_ways_unchanged(device: Device) -> None:
    line = await _open(device)
    every = bytes(range(256))  # newlines, control characters, XON and XOFF among them
    device.says(every)
    assert await _received(line, 256) == every
    await line.send(every)
    assert await device.hears(256) == every
    line.close()


async def test_silence_is_an_empty_result_and_no_error(device: Device) -> None:
    line = await _open(device)
    assert await line.receive(0.01) == b""  # the silence itself
    assert await line.receive(0) == b""
    device.says(b"x")
    assert await _received(line, 1) == b"x"
    line.close()


async def test_zero_seconds_still_fetch_what_the_kernel_holds(device: Device) -> None:
    line = await _open(device)
    device.says(b"late answer")
    select.select([line._fd], [], [], patience())  # the loop stands still: nobody but the kernel has the bytes
    assert await line.receive(0) == b"late answer"
    line.close()


async def test_what_came_before_the_unplug_is_delivered_and_then_the_line_is_down(device: Device) -> None:
    line = await _open(device)
    device.says(b"half a fra")
    select.select([line._fd], [], [], patience())
    line._readable()  # the gateway has the bytes when the device goes; nobody has asked for them yet
    device.unplug()
    await until(lambda: line._ended is not None)
    assert await line.receive(5) == b"half a fra"
    with pytest.raises(LinkDown, match="unplugged"):
        await line.receive(5)
    line.close()


async def test_an_unplug_wakes_whoever_waits(device: Device) -> None:
    line = await _open(device)
    waiting = asyncio.create_task(line.receive(60))
    await asyncio.sleep(0)
    device.unplug()
    with pytest.raises(LinkDown, match=f"{device.port}: the device is gone"):
        await asyncio.wait_for(waiting, patience())
    line.close()


async def test_an_ended_line_stays_ended_for_receive_and_send(device: Device) -> None:
    line = await _open(device)
    device.unplug()
    for _ in range(2):
        with pytest.raises(LinkDown, match="unplugged"):
            await line.receive(5)
        with pytest.raises(LinkDown):
            await line.send(b"x")
    line.close()


async def test_sending_into_an_unplugged_port_ends_the_line(device: Device) -> None:
    line = await _open(device)
    device.unplug()
    with pytest.raises(LinkDown, match="gone"):
        await line.send(b"x" * 100)
    line.close()


async def test_a_line_may_be_closed_twice_and_before_it_was_opened(device: Device) -> None:
    never = Line(SerialSettings(device.port, 9600))
    never.close()
    never.close()
    line = await _open(device)
    line.close()
    line.close()
    with pytest.raises(LinkDown, match="closed by us"):
        await line.receive(5)
    with pytest.raises(LinkDown, match="closed by us"):
        await line.send(b"x")


async def test_closing_wakes_whoever_waits_for_bytes(device: Device) -> None:
    line = await _open(device)
    waiting = asyncio.create_task(line.receive(60))
    await asyncio.sleep(0)
    line.close()
    with pytest.raises(LinkDown, match="closed by us"):
        await asyncio.wait_for(waiting, patience())


async def test_a_port_opens_again_after_closing(device: Device) -> None:
    for said in (b"one", b"two"):
        line = await _open(device)
        device.says(said)
        assert await _received(line, 3) == said
        line.close()


async def test_a_second_opening_is_refused_and_the_first_goes_on(device: Device) -> None:
    first = await _open(device)
    with pytest.raises(LinkRefused, match="held by another source of this gateway"):
        await _open(device)
    with pytest.raises(LinkRefused, match="held by another source of this gateway"):
        await first.open()
    device.says(b"still here")
    assert await _received(first, 10) == b"still here"
    first.close()


async def test_a_port_that_another_process_holds_is_refused_and_the_process_named(device: Device) -> None:
    code = "import serial, sys; port = serial.Serial(sys.argv[1], exclusive=True); print('mine', flush=True); input()"
    holder = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, device.port, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert holder.stdout is not None
    assert await holder.stdout.readline() == b"mine\n"
    with pytest.raises(LinkRefused, match=rf"{device.port}: held by python.* \(pid {holder.pid}\)"):
        await _open(device)
    await holder.communicate(b"\n")
    line = await _open(device)
    line.close()


async def test_a_port_that_is_not_there_is_down_and_says_so() -> None:
    with pytest.raises(LinkDown, match=r"/dev/ttyNOWHERE: no such port; is it plugged in\?") as caught:
        await Line(SerialSettings("/dev/ttyNOWHERE", 9600)).open()
    assert not isinstance(caught.value, LinkRefused)


async def test_a_port_that_we_may_not_open_names_its_group_and_the_command(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*_: object, **__: object) -> None:
        # As pyserial reports it; the tests may run as root, whom nothing is denied.
        raise serial.SerialException(errno.EACCES, "could not open port: [Errno 13] Permission denied")

    monkeypatch.setattr(serial.Serial, "open", denied)
    monkeypatch.setattr("grp.getgrgid", lambda _: SimpleNamespace(gr_name="dialout"))
    user = pwd.getpwuid(os.geteuid()).pw_name
    words = f"{device.port}: permission denied; .*: sudo usermod -aG dialout {user}, then start again"
    with pytest.raises(LinkRefused, match=words):
        await _open(device)


async def test_a_port_whose_owner_lets_nobody_in_is_refused_for_real(device: Device) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody who is denied something")
    Path(device.port).chmod(0o600)  # noqa: ASYNC240 -- no disk is behind it
    os.seteuid(65534)
    try:
        with pytest.raises(LinkRefused, match=f"{device.port}: permission denied; .* nobody") as caught:
            await _open(device)
    finally:
        os.seteuid(0)
    assert "group" in str(caught.value)


async def test_a_name_with_lock_in_it_is_no_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise serial.SerialException(errno.EIO, "could not open port /dev/clock: [Errno 5] Input/output error")

    monkeypatch.setattr(serial.Serial, "open", broken)
    with pytest.raises(LinkDown, match="Input/output error") as caught:
        await Line(SerialSettings("/dev/clock", 9600)).open()
    assert not isinstance(caught.value, LinkRefused)


async def test_a_file_that_is_no_port_is_refused_in_words() -> None:
    with pytest.raises(LinkRefused, match=f"{__file__}: it is there, and is no serial port"):
        await Line(SerialSettings(__file__, 9600)).open()


async def test_a_setting_that_the_adapter_refuses_is_no_surprise(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise termios.error(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(termios, "tcsetattr", refuse)
    with pytest.raises(LinkRefused, match=f"{device.port}: .*Invalid argument"):
        await _open(device)


async def test_data_bits_parity_and_stop_bits_are_set_as_told(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def set_up(_: int, __: int, attributes: list[int]) -> None:
        asked.append(attributes[2])  # a pseudo-terminal knows no parity and refuses it

    monkeypatch.setattr(termios, "tcsetattr", set_up)
    line = Line(SerialSettings(device.port, 9600, parity="M", stopbits=1.5, databits=7))
    await line.open()
    line.close()
    mark = 0x40000000  # CMSPAR
    wanted = termios.CS7 | termios.PARENB | termios.PARODD | termios.CSTOPB | mark
    shown = termios.CSIZE | termios.PARENB | termios.PARODD | termios.CSTOPB | mark
    assert asked[0] & shown == wanted


@pytest.mark.parametrize(
    ("settings", "moved"),
    [
        ({}, ["dtr", "rts"]),
        ({"dtr": True, "rts": True}, ["dtr", "rts"]),
        ({"dtr": False}, ["rts"]),
        ({"rts": False}, ["dtr"]),
        ({"dtr": False, "rts": False}, []),
    ],
)
async def test_dtr_and_rts_are_left_alone_where_a_change_would_reset_the_device(
    device: Device, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], moved: list[str]
) -> None:
    calls = []
    # The names are pyserial's own: where they are renamed, this test fails, and `SerialPort` has to follow.
    for name in ("dtr", "rts"):
        monkeypatch.setattr(serial.Serial, f"_update_{name}_state", lambda _, name=name: calls.append(name))
    line = Line(SerialSettings(device.port, 9600, **settings))
    await line.open()
    hangs_up = bool(termios.tcgetattr(line._fd)[2] & termios.HUPCL)
    line.close()
    assert calls == moved
    if "dtr" not in moved:
        assert not hangs_up, "closing leaves DTR alone too"


async def test_a_port_without_an_rs485_mode_is_refused_with_the_remedy(device: Device) -> None:
    with pytest.raises(LinkRefused, match="it has no RS-485 mode of its own: leave rs485 out"):
        await Line(SerialSettings(device.port, 9600, rs485=Rs485())).open()


async def test_rs485_delays_and_levels_reach_the_kernel_and_rts_is_the_kernels_then(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[Any, ...]] = []

    def set_mode(_: serial.Serial, mode: Any) -> None:  # noqa: ANN401 -- pyserial's settings
        levels = mode.rts_level_for_tx, mode.rts_level_for_rx
        asked.append((*levels, mode.delay_before_tx, mode.delay_before_rx, mode.loopback))

    monkeypatch.setattr(serial.Serial, "_set_rs485_mode", set_mode)
    monkeypatch.setattr(serial.Serial, "_update_rts_state", lambda _: asked.append(()))
    line = Line(SerialSettings(device.port, 9600, rs485=Rs485(rts_on_send=False, delay_before_send=0.002)))
    await line.open()
    line.close()
    assert asked[-1] == (False, True, 0.002, 0.0, False)
    assert () not in asked


async def test_an_impossible_parity_is_refused(device: Device) -> None:
    with pytest.raises(LinkRefused, match="parity"):
        await Line(SerialSettings(device.port, 9600, parity="X")).open()


async def test_a_busy_port_makes_send_wait_and_nothing_is_lost(device: Device) -> None:
    line = await _open(device)
    much = bytes(range(256)) * 400  # far beyond what the kernel buffers for a terminal
    sending = asyncio.create_task(line.send(much))
    await until(lambda: line._writing)
    assert not sending.done()
    assert await device.hears(len(much)) == much
    await asyncio.wait_for(sending, patience())
    line.close()


async def test_an_unplug_ends_a_send_that_waits(device: Device) -> None:
    line = await _open(device)
    sending = asyncio.create_task(line.send(b"x" * 100_000))
    await until(lambda: line._writing)
    device.unplug()
    with pytest.raises(LinkDown):
        await asyncio.wait_for(sending, patience())
    line.close()


async def test_an_adapter_that_takes_no_more_bytes_is_given_up(device: Device) -> None:
    line = await _open(device, send_patience=0.05)
    for _ in range(2):
        with pytest.raises(LinkDown, match=f"{device.port}: it has taken no byte for 0.05 s"):
            await line.send(b"x" * 100_000)
    line.close()


async def test_closing_ends_a_send_that_waits(device: Device) -> None:
    line = await _open(device)
    sending = asyncio.create_task(line.send(b"x" * 100_000))
    await until(lambda: line._writing)
    line.close()
    with pytest.raises(LinkDown, match="closed by us"):
        await asyncio.wait_for(sending, patience())


async def test_cancelling_a_send_that_waits_leaves_the_line_usable(device: Device) -> None:
    line = await _open(device)
    sending = asyncio.create_task(line.send(b"x" * 100_000))
    await until(lambda: line._writing)
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    device.says(b"alive")
    assert await _received(line, 5) == b"alive"
    line.close()


async def test_a_reader_that_is_busy_leaves_the_rest_to_the_kernel(device: Device) -> None:
    line = await _open(device)
    sent = 0
    chunk = bytes(range(256)) * 4

    def all_full() -> bool:
        nonlocal sent
        try:
            sent += os.write(device.fd, chunk[sent % 256 : sent % 256 + 512])
        except BlockingIOError:
            return len(line._buffer) >= MAX_BUFFERED
        return False

    await until(all_full)
    assert len(line._buffer) < MAX_BUFFERED + READ_SIZE
    taken = await _received(line, sent)
    assert taken == (chunk * (sent // 1024 + 1))[:sent]
    line.close()


async def test_an_opening_that_nobody_waits_for_closes_what_it_opens(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, may_go_on, opened = threading.Event(), threading.Event(), []
    really_open = serial.Serial.open

    def slowly(port: serial.Serial) -> None:
        began.set()
        may_go_on.wait(patience())
        really_open(port)
        opened.append(port)

    monkeypatch.setattr(serial.Serial, "open", slowly)
    line = Line(SerialSettings(device.port, 9600))
    opening = asyncio.create_task(line.open())
    await until(began.is_set)
    opening.cancel()
    await asyncio.gather(opening, return_exceptions=True)
    line.close()
    may_go_on.set()
    await until(lambda: bool(opened) and not opened[0].is_open)
