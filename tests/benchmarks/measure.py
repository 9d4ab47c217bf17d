"""What the kernel says of a process, of a disk and of this machine; and the floor for writing."""

import os
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

IN_MEMORY = {"tmpfs", "ramfs", "devtmpfs"}
"""File systems where nothing is written to a device, and ``write_bytes`` counts nothing."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process has used since its start, and what it holds.

    cpu       seconds, user and system, its ended threads included
    written   bytes that it caused to be written to devices (``write_bytes``, whole pages of 4 KiB; see proc(5))
    resident  MiB now
    peak      MiB at most
    """

    cpu: float
    written: int
    resident: float
    peak: float

    @classmethod
    def of(cls, pid: int) -> "Usage":
        """Ask the kernel; costs the process itself nothing."""
        status = _table(Path(f"/proc/{pid}/status"))
        written = int(_table(Path(f"/proc/{pid}/io"))["write_bytes"])
        # The clock that clock_getcpuclockid(3) gives: utime and stime of /proc/PID/stat, without their 10 ms steps.
        cpu = time.clock_gettime(~pid << 3 | 2)
        return cls(cpu, written, _mebibytes(status["VmRSS"]), _mebibytes(status["VmHWM"]))


def bare_append(file: Path, lines: Sequence[bytes], a_second: int) -> float:
    """Append lines to a file with an fdatasync for every second's worth; return the bytes written for each line.

    It need not last as long as the seconds do: pages are counted when they become dirty, and each second's end makes
    them clean.
    """
    before = Usage.of(os.getpid()).written
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        for start in range(0, len(lines), a_second):
            os.write(descriptor, b"".join(lines[start : start + a_second]))
            os.fdatasync(descriptor)
    finally:
        os.close(descriptor)
    return (Usage.of(os.getpid()).written - before) / len(lines)


def file_system(directory: Path) -> str:
    """Return the type of the file system that a directory is on, such as ``ext4``."""
    best, kind = Path("/"), "unknown"
    for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines():
        _, where, what, *_ = line.split()
        mount = Path(where.replace(r"\040", " "))
        if directory.resolve().is_relative_to(mount) and len(mount.parts) >= len(best.parts):
            best, kind = mount, what
    return kind


def machine() -> str:
    """Return one line: CPU, cores, Python, kernel."""
    information = _table(Path("/proc/cpuinfo"))
    model = information.get("model name") or information.get("Model") or platform.machine()
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}, Linux {platform.release()}"


def _table(path: Path) -> dict[str, str]:
    rows = (line.partition(":") for line in path.read_text(encoding="utf-8").splitlines())
    return {key.strip(): value.strip() for key, _, value in rows}


def _mebibytes(text: str) -> float:
    return int(text.split(maxsplit=1)[0]) / 1024
