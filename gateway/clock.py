"""Time, as something that is passed in: wall clock, monotonic clock, sleep, and whether the wall clock is right.

A Raspberry Pi has no clock of its own: it boots at its last shutdown, or in 1970, and is set right when it reaches a
time server. `Timekeeper` tells nanoseconds UTC only once the wall clock is known to be right. From then on it tells
*time since boot plus an offset*, so that a later step of the wall clock is noticed instead of followed blindly.

What a boot stored before that carries the time since boot. Its offset, fixed once, turns that into UTC::

    |-- earlier boots --|  off  |------------ boot B ------------|  off  |-- this boot
                  newest stored     first reading .. last reading        start

    B was right at some time      exact: the offset that it knew then
    B was never right             the best bound: not before its own wall clock (on a board without a clock, its last
                                  shutdown), not before what was stored before it, and over when this boot began

A satellite receiver may stand in for the time server (`Timekeeper.accept_gnss_offset`); the machine's clock is never
set by us.
"""

import asyncio
import ctypes
import json
import os
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

STEP = 1_000_000_000
"""A difference between wall clock and time since boot beyond this (ns) is a step, not drift."""

EARLIEST = 1_700_000_000 * 1_000_000_000
"""November 2023 (ns): a wall clock before this is wrong, whatever vouches for it. This program is younger."""

AGREE = 1_000_000_000
"""A wall clock this near (ns) to a receiver's time is right: a sentence takes up to half a second to arrive."""

ROOM = 20_000_000_000
"""What a receiver may take back of its first word (ns): until it knows the leap seconds, it can be 18 s ahead."""

DRIFT = 5000
"""The time since boot gains or loses at most one part in so many: no crystal is worse than 200 ppm."""

_TIME_ERROR = 5
_STA_UNSYNC = 0x0040
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_TIMESYNCD = Path("/run/systemd/timesync/synchronized")


class Clock(Protocol):
    """What the daemon asks of a clock; times are nanoseconds where they are whole numbers, and seconds else."""

    boot_id: bytes
    """16 bytes that name this boot of the machine."""

    def wall(self) -> int:
        """Return UTC as the machine believes it."""

    def since_boot(self) -> int:
        """Return the time since boot, suspended time included; never steps."""

    def synchronized(self) -> bool:
        """Tell whether something (timesyncd, chrony, ntpd, a GNSS receiver) vouches for the wall clock."""

    def monotonic(self) -> float:
        """Return seconds that never step, for intervals; time in which the machine is suspended does not count."""

    def monotonic_ns(self) -> int:
        """Return the same in nanoseconds."""

    async def sleep(self, seconds: float) -> None:
        """Let so much time pass, and others run meanwhile."""


class SystemClock:
    """The machine's own clock.

    ``trust`` is ``"auto"`` (ask the kernel and timesyncd) or ``"system"`` (believe the wall clock as it is: for a
    machine with a battery-backed clock, and for tests). What is asked can be given: the file with the boot's id, the
    one that timesyncd makes once it has the time, and the kernel.
    """

    def __init__(
        self,
        trust: Literal["auto", "system"] = "auto",
        *,
        boot_id: Path = _BOOT_ID,
        timesyncd: Path = _TIMESYNCD,
        kernel: Callable[[], bool] | None = None,
    ) -> None:
        self.boot_id = _read_boot_id(boot_id)
        self._trust = trust
        self._timesyncd = timesyncd
        self._kernel = kernel or kernel_synchronized

    def wall(self) -> int:
        """Return UTC as the machine believes it."""
        return time.time_ns()

    def since_boot(self) -> int:
        """Return the time since boot."""
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)

    def synchronized(self) -> bool:
        """Tell whether the wall clock can be believed."""
        return self._trust == "system" or self._timesyncd.exists() or self._kernel()

    monotonic = staticmethod(time.monotonic)
    """Seconds for intervals. Asked for every reading: a method around it would cost as much again."""
    monotonic_ns = staticmethod(time.monotonic_ns)

    async def sleep(self, seconds: float) -> None:
        """Let so much time pass, and others run meanwhile."""
        await asyncio.sleep(seconds)


def _read_boot_id(file: Path) -> bytes:
    try:
        return uuid.UUID(file.read_text(encoding="ascii").strip()).bytes
    except (OSError, ValueError):
        return bytes(16)


def kernel_synchronized() -> bool:
    """Read the kernel's clock state (adjtimex with no modes set, which needs no privilege)."""
    # struct timex: modes is the first int, status the fifth long-aligned member; zeroed modes means read only.
    timex = ctypes.create_string_buffer(512)
    libc = ctypes.CDLL(None, use_errno=True)
    state = int(libc.adjtimex(timex))
    status = ctypes.c_int.from_buffer(timex, 5 * ctypes.sizeof(ctypes.c_long)).value
    return state not in (-1, _TIME_ERROR) and not status & _STA_UNSYNC


class BootOffset(NamedTuple):
    """What turns the times of one boot into UTC: nanoseconds to add, and whether that is only the best bound."""

    offset: int
    estimated: bool


class Stored(NamedTuple):
    """What the spool holds of one boot, nanoseconds.

    ``first`` and ``last`` are times since boot; ``before`` is the newest UTC time stored earlier, 0 for none.
    """

    first: int
    last: int
    before: int


class _Saved(NamedTuple):
    """A boot's file: what ``offset`` is, the newest one where a receiver has told more since, and who told it."""

    kind: str
    offset: int
    latest: int
    by: str


def fixed_offset(directory: Path, boot_id: bytes) -> BootOffset | None:
    """Return what turns a boot's times into UTC, as ``directory`` keeps it; None while that is not fixed."""
    saved = _load(directory, boot_id)
    return BootOffset(saved.offset, estimated=saved.kind == _BOUND) if saved.kind in (_KNOWN, _BOUND) else None


class Timekeeper:
    """Tells UTC that never steps within a boot, or None while nobody knows it.

    ``vouched_by`` names what the machine's own trust in its clock rests on, for people: see ``source``.

    ``directory`` keeps one small file a boot. While the clock is not known it holds a guess: the offset by the wall
    clock as it was. Once the clock is known the true offset replaces it, before anything of that boot is sent; or a
    later boot puts the best bound there. So sending again after a restart gives the same times.
    """

    def __init__(self, clock: Clock, directory: Path, vouched_by: str = "ntp") -> None:
        self.clock = clock
        self.steps = 0
        self.source = "unknown"
        """Who told the time: ``vouched_by``, "gnss", or "unknown" while nobody has."""
        self._vouched_by = vouched_by
        self._directory = directory
        self._fixed: dict[bytes, BootOffset] = {}
        self._stepped = 0
        self._offset: int | None = None
        if self.offset_of(clock.boot_id) is not None:
            saved = _load(self._directory, clock.boot_id)
            self._offset, self.source = saved.latest, saved.by or vouched_by
        self._kept = self._offset or 0
        self.check()
        if self._offset is None and self._guess(clock.boot_id) is None:
            self._save(clock.boot_id, _GUESS, clock.wall() - clock.since_boot())

    @property
    def known(self) -> bool:
        """Tell whether UTC is known."""
        return self._offset is not None

    def now(self) -> int | None:
        """Return nanoseconds UTC, or None while the wall clock cannot be believed."""
        return None if self._offset is None else self.clock.since_boot() + self._offset

    def check(self) -> int:
        """Compare with the wall clock, once a second; return the nanoseconds that UTC stepped by, 0 for none."""
        wall = self.clock.wall()
        if self._vouched(wall):
            self._follow(wall - self.clock.since_boot(), self._vouched_by)
        stepped, self._stepped = self._stepped, 0
        return stepped

    def accept_gnss_offset(self, offset: int) -> bool:
        """Use a satellite receiver's offset for this boot, given by several fixes; False where it is not believed.

        It counts while nothing vouches for the wall clock. Where both agree the wall clock is right, and is the finer
        of the two. What was told first is fixed: later words may differ by what a crystal drifts, and by ``ROOM``.
        """
        wall = self.clock.wall()
        if self._vouched(wall):
            return True
        up = self.clock.since_boot()
        right = wall - up if abs(wall - up - offset) <= AGREE else offset
        first = self.offset_of(self.clock.boot_id)
        if first is not None and abs(right - first.offset) > ROOM + up // DRIFT:
            return False
        self._follow(right, "gnss")
        if self._offset is not None and abs(self._offset - self._kept) >= STEP // 2:
            self._keep_latest(self._offset)
        return True

    def _vouched(self, wall: int) -> bool:
        return wall >= EARLIEST and self.clock.synchronized()

    def _follow(self, measured: int, source: str) -> None:
        if self._offset is None:
            # With no room for this small file nothing of this boot may go out: asked again in a second.
            if self._save(self.clock.boot_id, _KNOWN, measured, by=source):
                self._offset, self._kept, self.source = measured, measured, source
            return
        moved = measured - self._offset
        # Small differences are the kernel slewing; they are followed. A step of a clock that something vouches for
        # is followed too, but counted and told; within a series times increase all the same (see intake).
        self._offset, self.source = measured, source
        if abs(moved) >= STEP:
            self.steps += 1
            self._stepped += moved

    def offset_of(self, boot_id: bytes) -> BootOffset | None:
        """Return what turns a boot's times into UTC; None while that is not fixed."""
        if boot_id not in self._fixed:
            fixed = fixed_offset(self._directory, boot_id)
            if fixed is not None:
                self._fixed[boot_id] = fixed
        return self._fixed.get(boot_id)

    def settle(self, boot_id: bytes, stored: Stored) -> BootOffset | None:
        """Fix the offset of an earlier boot that never knew the time at its best bound; None while there is none."""
        fixed = self.offset_of(boot_id)
        if fixed is not None or boot_id == self.clock.boot_id:
            return fixed
        earliest = []
        guess = self._guess(boot_id)
        if guess is not None and guess + stored.last >= EARLIEST:
            earliest.append(guess)
        if stored.before:
            earliest.append(stored.before - stored.first)
        latest = [] if self._offset is None else [self._offset - stored.last]
        if not earliest and not latest:
            return None
        # Where they contradict each other a device's own time was wrong: what is stored never lies in the future.
        self._save(boot_id, _BOUND, min([max(earliest), *latest] if earliest else latest))
        return self.offset_of(boot_id)

    def _keep_latest(self, latest: int) -> None:
        """Keep a receiver's newest word beside the first: after a restart nobody else knows how far we drifted."""
        first = _load(self._directory, self.clock.boot_id)
        if self._save(self.clock.boot_id, _KNOWN, first.offset, by="gnss", latest_ns=latest):
            self._kept = latest

    def _guess(self, boot_id: bytes) -> int | None:
        saved = _load(self._directory, boot_id)
        return saved.offset if saved.kind == _GUESS else None

    def _save(self, boot_id: bytes, kind: str, offset: int, **more: object) -> bool:
        """Put an offset on disk; False where the disk does not take it (a full disk is no reason to stop)."""
        target = self._directory / f"{boot_id.hex()}.json"
        temporary = target.with_suffix(".tmp")
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            with temporary.open("w", encoding="ascii") as file:
                json.dump({"offset_ns": offset, "kind": kind, **more}, file)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(target)
            _sync(self._directory)
        except OSError:
            return False
        return True


_GUESS, _BOUND, _KNOWN = "guess", "bound", "known"


def _load(directory: Path, boot_id: bytes) -> _Saved:
    try:
        saved = json.loads((directory / f"{boot_id.hex()}.json").read_text(encoding="ascii"))
        first = int(saved["offset_ns"])
        return _Saved(str(saved["kind"]), first, int(saved.get("latest_ns", first)), str(saved.get("by", "")))
    except (OSError, ValueError, KeyError, TypeError):
        return _Saved("", 0, 0, "")


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
