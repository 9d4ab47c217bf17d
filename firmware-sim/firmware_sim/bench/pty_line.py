"""A serial line: a twin behind a pseudo terminal, at a path that stays while the device comes and goes.

What counts as heard is what the host has read. While no host has the line open, nothing is written, and nothing is
entered in the ledger. A host that does not read finds the line full; what does not fit is
lost whole, as with a real UART. When the host closes the line, or the device is unplugged, what it had not read is
lost.

How that is known: with no host, poll() on the master says HUP. FIONREAD on the host's side says how much it has not
read yet; for that the line opens that side for a moment, since a side held open would hide the host's leaving.
"""

import asyncio
import fcntl
import os
import select
import struct
import termios
import tty
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from firmware_sim.parts.twin import Frame, Heard, SerialTwin

_ROOM = 2048
"""Bytes that may wait unread: half of what the kernel's line discipline holds, so that a write is never cut."""
_SETTLED = 0.02
"""Seconds after which a written byte is sure to be visible to FIONREAD."""
_OPENING = 0.2
"""Seconds in which a host that opens a line may still throw away what came; a first command ends them."""
_LOOK = 0.05
"""Seconds between two looks at whether a host is there, and whether it has read."""


class _Waiting(NamedTuple):
    end: int
    written_at: float
    heard: Heard | None


class SerialLine:
    """``async with SerialLine(twin, path)``: the twin lives, at ``rate`` of its seconds to one of ours."""

    def __init__(self, twin: SerialTwin, path: Path, *, rate: float = 1.0) -> None:
        self.twin = twin
        self.path = path
        self.lost_frames = 0
        """Frames that found no host, or a host that did not read."""
        self._rate = rate
        self._master: int | None = None
        self._slave = ""
        self._host = False
        self._ready_at = 0.0
        self._written = 0
        self._read = 0
        self._waiting: deque[_Waiting] = deque()
        self._wake = asyncio.Event()
        self._ticked = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._born = 0.0

    async def __aenter__(self) -> Self:
        self._born = self._clock()
        self._attach()
        self._task = asyncio.create_task(self._live(), name=f"twin at {self.path}")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        assert self._task is not None
        self._task.cancel()
        try:
            with suppress(asyncio.CancelledError):
                await self._task
        finally:
            self.unplug()

    @property
    def plugged(self) -> bool:
        """Whether the device is there."""
        return self._master is not None

    @property
    def open(self) -> bool:
        """Whether a host has the line open, as far as seen."""
        return self._host

    def plug(self) -> None:
        """Bring the device back, powered anew, under the same path; does nothing when it is there."""
        if self._master is None:
            self._attach()
            self.twin.power_cycle(self._now())
            self._wake.set()

    def unplug(self) -> None:
        """Take the device away: the host sees its line end, and the path is gone."""
        if self._master is None:
            return
        self._lose_unread()
        if self._host:
            asyncio.get_running_loop().remove_reader(self._master)
        self._host = False
        os.close(self._master)
        self._master = None
        self.path.unlink(missing_ok=True)

    def reboot(self) -> None:
        """Interrupt the power of the device but not the line: the host sees no end, only a device that forgot."""
        self.twin.power_cycle(self._now())
        self._wake.set()

    async def silent(self) -> None:
        """Wait, after the twin's `stop`, until its last word was read by the host or is lost."""
        while self._master is not None and (self._waiting or not self.twin.quiet()):
            self._ticked.clear()
            await self._ticked.wait()

    async def _live(self) -> None:
        while True:
            if self._master is not None:
                self._see_host()
                self._see_what_was_read()
                self._say(self.twin.tick(self._now()))
            self._ticked.set()
            self._wake.clear()
            with suppress(TimeoutError):
                # Not wait_for: before Python 3.12 it loses a cancellation that comes together with the wake-up.
                async with asyncio.timeout(self._pause()):
                    await self._wake.wait()

    def _pause(self) -> float:
        if self._master is None:
            return _LOOK
        return min(max((self.twin.due() - self._now()) / self._rate, 0.001), _LOOK)

    def _attach(self) -> None:
        self._master, slave = os.openpty()
        os.set_blocking(self._master, False)
        tty.setraw(slave)  # before anybody opens it: an echo would come back to the twin as a command
        self._slave = os.ttyname(slave)
        os.close(slave)
        fresh = self.path.with_name(f".{self.path.name}.new")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(self._slave)
        fresh.replace(self.path)

    def _see_host(self) -> None:
        assert self._master is not None
        if self._host:
            return  # its leaving shows as an error on reading
        poll = select.poll()
        poll.register(self._master, select.POLLIN)
        if not any(events & select.POLLHUP for _, events in poll.poll(0)):
            self._host = True
            self._ready_at = self._clock() + _OPENING
            asyncio.get_running_loop().add_reader(self._master, self._hear)

    def _hear(self) -> None:
        assert self._master is not None
        try:
            data = os.read(self._master, 4096)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._ready_at = 0.0
            self._say(self.twin.receive(data, self._now()))
            self._wake.set()  # a command may change when the next report is due
        else:
            asyncio.get_running_loop().remove_reader(self._master)
            self._host = False
            self._lose_unread()

    def _say(self, frames: Iterable[Frame]) -> None:
        for frame in frames:
            if self._write(frame.data):
                self._waiting.append(_Waiting(self._written, self._clock(), frame.heard))
            else:
                self.lost_frames += 1
                if frame.heard:
                    frame.heard(False)

    def _write(self, data: bytes) -> bool:
        full = self._written - self._read + len(data) > _ROOM
        if self._master is None or not self._host or full or self._clock() < self._ready_at:
            return False
        try:
            sent = os.write(self._master, data)
        except OSError:
            return False
        self._written += sent
        return sent == len(data)

    def _see_what_was_read(self) -> None:
        if not self._waiting:
            return
        settled = self._clock() - _SETTLED
        if self._waiting[0].written_at > settled:
            return
        read = self._written - self._unread()
        while self._waiting and self._waiting[0].end <= read and self._waiting[0].written_at <= settled:
            self._read, _, heard = self._waiting.popleft()
            if heard:
                heard(True)

    def _lose_unread(self) -> None:
        """Settle, as the line ends, what was read, and give up the rest."""
        self._see_what_was_read()
        read = self._written - self._unread(flush=True)
        for end, _, heard in self._waiting:
            if heard:
                heard(None if end <= read else False)
            self.lost_frames += end > read
        self._waiting.clear()
        self._read = self._written

    def _unread(self, *, flush: bool = False) -> int:
        """Return how many bytes the host has not read, and throw them away if asked to."""
        slave = os.open(self._slave, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            (count,) = struct.unpack("i", fcntl.ioctl(slave, termios.FIONREAD, bytes(4)))
            if flush:
                termios.tcflush(slave, termios.TCIOFLUSH)
        finally:
            os.close(slave)
        return int(count)

    def _now(self) -> float:
        return (self._clock() - self._born) * self._rate

    def _clock(self) -> float:
        return asyncio.get_running_loop().time()
