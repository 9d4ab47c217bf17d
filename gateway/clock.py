"""Time, as something that is passed in: wall clock, time since boot, and whether the wall clock can be believed.

A Raspberry Pi has no clock of its own: it boots at its last shutdown, or in 1970, and is set right when it reaches a
time server. `Timekeeper` tells nanoseconds UTC only once the wall clock is known to be right. From then on it tells
*time since boot plus an offset*, so that a later step of the wall clock is noticed instead of followed blindly.
"""

import ctypes
import ctypes.util
import json
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

STEP = 1_000_000_000
"""A difference between wall clock and time since boot beyond this (ns) is a step, not drift."""

_TIME_ERROR = 5
_STA_UNSYNC = 0x0040
_SYNCHRONIZED_BY_TIMESYNCD = Path("/run/systemd/timesync/synchronized")


class Clock(Protocol):
    """What the daemon asks of a clock; times are nanoseconds."""

    boot_id: bytes
    """16 bytes that name this boot of the machine."""

    def wall(self) -> int:
        """Return UTC as the machine believes it."""

    def since_boot(self) -> int:
        """Return the time since boot, suspended time included; never steps."""

    def synchronized(self) -> bool:
        """Tell whether something (timesyncd, chrony, ntpd, a GNSS receiver) vouches for the wall clock."""


class SystemClock:
    """The machine's own clock.

    ``trust`` is ``"auto"`` (ask the kernel and timesyncd) or ``"system"`` (believe the wall clock as it is: for a
    machine with a battery-backed clock, and for tests).
    """

    def __init__(self, trust: Literal["auto", "system"] = "auto") -> None:
        self.boot_id = _boot_id()
        self._trust = trust

    def wall(self) -> int:
        """Return UTC as the machine believes it."""
        return time.time_ns()

    def since_boot(self) -> int:
        """Return the time since boot."""
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)

    def synchronized(self) -> bool:
        """Tell whether the wall clock can be believed."""
        return self._trust == "system" or _SYNCHRONIZED_BY_TIMESYNCD.exists() or _kernel_synchronized()


def _boot_id() -> bytes:
    try:
        return uuid.UUID(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()).bytes
    except (OSError, ValueError):
        return bytes(16)


def _kernel_synchronized() -> bool:
    """Read the kernel's clock state (adjtimex with no modes set, which needs no privilege)."""
    # struct timex: modes is the first int, status the fifth long-aligned member; zeroed modes means read only.
    timex = ctypes.create_string_buffer(512)
    libc = ctypes.CDLL(None, use_errno=True)
    state = int(libc.adjtimex(timex))
    status = ctypes.c_int.from_buffer(timex, 5 * ctypes.sizeof(ctypes.c_long)).value
    return state not in (-1, _TIME_ERROR) and not status & _STA_UNSYNC


@dataclass(slots=True)
class Timekeeper:
    """Tells UTC that never steps within a boot, or None while nobody knows it.

    ``directory`` keeps one small file a boot with its offset, fixed once before anything of that boot is sent, so
    that sending again after a restart gives the same times.
    """

    clock: Clock
    directory: Path
    offset: int | None = field(default=None, init=False)
    steps: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.offset = self.offset_of(self.clock.boot_id)
        self.check()

    def now(self) -> int | None:
        """Return nanoseconds UTC, or None while the wall clock cannot be believed."""
        return None if self.offset is None else self.clock.since_boot() + self.offset

    def check(self) -> int:
        """Compare with the wall clock, once a second; return the nanoseconds it stepped by, 0 for none."""
        if not self.clock.synchronized():
            return 0
        measured = self.clock.wall() - self.clock.since_boot()
        if self.offset is None:
            self.offset = measured
            self._fix(measured)
            return 0
        moved = measured - self.offset
        # Small differences are the kernel slewing; they are followed. A step of a clock that something vouches for
        # is followed too, but counted and told; within a series times increase all the same (see intake).
        self.offset = measured
        if abs(moved) < STEP:
            return 0
        self.steps += 1
        return moved

    def offset_of(self, boot_id: bytes) -> int | None:
        """Return the offset that was fixed for a boot, None where it never was."""
        try:
            text = (self.directory / f"{boot_id.hex()}.json").read_text(encoding="ascii")
            return int(json.loads(text)["offset_ns"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _fix(self, offset: int) -> None:
        # Written before the first reading of this boot is sent; a torn file reads as "never fixed", and the next
        # attempt writes it again.
        self.directory.mkdir(parents=True, exist_ok=True)
        target = self.directory / f"{self.clock.boot_id.hex()}.json"
        temporary = target.with_suffix(".tmp")
        temporary.write_text(json.dumps({"offset_ns": offset}), encoding="ascii")
        temporary.replace(target)
