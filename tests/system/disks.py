"""A disk of its own for the gateway: to be filled, cut off, slowed down, and taken away."""

import contextlib
import shutil
import subprocess
from pathlib import Path


class Disk:
    """An ext4 image on a loop device, mounted where only `within` sees it; goes with the process that holds it."""

    def __init__(self, image: Path, mebibytes: int) -> None:
        self.image = image
        self._holder: subprocess.Popen[str] | None = None
        if not image.exists():
            with image.open("wb") as file:
                file.truncate(mebibytes << 20)
            subprocess.run(["mkfs.ext4", "-q", "-m", "0", str(image)], check=True)

    def mount(self, where: Path, options: str = "rw") -> None:
        """Mount it in a namespace of its own, on ``where``."""
        self.where = where
        where.mkdir(parents=True, exist_ok=True)
        script = 'mount -o "loop,$1" "$2" "$3" && echo mounted && exec sleep infinity'
        command = ["unshare", "-m", "--propagation", "private", "sh", "-c", script, "sh", options]
        self._holder = subprocess.Popen([*command, str(self.image), str(where)], stdout=subprocess.PIPE, text=True)
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == "mounted\n"

    @property
    def within(self) -> list[str]:
        """The beginning of a command that sees the disk."""
        assert self._holder is not None
        return [shutil.which("nsenter") or "nsenter", "-t", str(self._holder.pid), "-m", "--"]

    @property
    def path(self) -> Path:
        """Where this process sees what is mounted."""
        assert self._holder is not None
        return Path(f"/proc/{self._holder.pid}/root{self.where}")

    def run(self, *command: str) -> str:
        """Run a command that sees the disk, and return what it prints."""
        return subprocess.run([*self.within, *command], check=True, capture_output=True, text=True).stdout

    def fill(self) -> Path:
        """Write zeros until it is full to the last block; return the file that takes the room."""
        filler = self.path / "filler"
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(bytes(1024)):
                pass
        return filler

    def unmount(self) -> None:
        """Unmount it, which takes the loop device away as well; whoever uses it has ended."""
        if self._holder is not None:
            self._holder.kill()
            self._holder.communicate()
            self._holder = None
