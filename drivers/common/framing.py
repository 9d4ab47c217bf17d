"""Cut a byte stream into frames or lines: shared by the serial drivers.

A serial line loses bytes, repeats them, and starts in the middle of a frame. Every binary protocol is handled in one
way: look for a header, wait for as many bytes as the frame needs, check it, and on failure advance by ONE byte,
because the next good frame may start inside the damaged one.

The output does not depend on how the bytes were cut into chunks, and that includes the rejects:

- noise is gathered into one `Reject` for each run. A run ends where a frame is found, sound or damaged, or after
  `NOISE_RUN` bytes; it shows its first `NOISE_SHOWN` bytes;
- the bytes of a damaged frame are shown in its own `Reject`, and not again as noise.

Both classes hold less than the longest frame, plus `NOISE_SHOWN` bytes of noise.
"""

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from gateway.contract import Reject

NOISE_RUN = 1024
NOISE_SHOWN = 32

Parsed = TypeVar("Parsed")


class Frames(Generic[Parsed]):
    """Finds binary frames.

    headers  how a frame may begin; ``b""`` for a protocol without a header
    longest  bytes of the longest frame: no candidate is waited for beyond it
    length   bytes of the whole frame that begins like this; 0 when more bytes are needed to tell, -1 when no frame
             begins here after all
    parse    the meaning of one whole frame. A `Reject` for "noise", "length" or "checksum" makes the search go on one
             byte later; one for "range" or "unsupported" is about a sound frame, and the search goes on behind it
    """

    def __init__(
        self,
        headers: tuple[bytes, ...],
        longest: int,
        length: Callable[[bytes], int],
        parse: Callable[[bytes], Parsed | Reject],
    ) -> None:
        self._headers = headers
        self._longest_header = max(map(len, headers))
        self._longest = longest
        self._length = length
        self._parse = parse
        self._buffer = bytearray()
        self._noise = bytearray()
        self._noise_count = 0
        self._shown = 0  # bytes ahead that a damaged frame's Reject has shown already

    def feed(self, data: bytes) -> Iterator[Parsed | Reject]:
        """Take the next bytes; yield what is complete, in the order of the stream."""
        self._buffer += data
        yield from self._scan(closing=False)

    def finish(self) -> Iterator[Parsed | Reject]:
        """Yield what is left when no more bytes will come: an unfinished frame is noise."""
        yield from self._scan(closing=True)
        yield from self._end_noise()

    def _scan(self, *, closing: bool) -> Iterator[Parsed | Reject]:
        stream = bytes(self._buffer)
        at = 0
        while at < len(stream):
            size = self._frame_size(stream, at)
            if size == 0 or at + size > len(stream):
                if not closing:
                    break
                size = -1
            found = self._parse(stream[at : at + size]) if size > 0 else None
            if found is None or (isinstance(found, Reject) and found.reason == "noise"):
                yield from self._add_noise(stream[at])
                at += 1
                continue
            yield from self._end_noise()
            yield found
            if isinstance(found, Reject) and found.reason in ("length", "checksum"):
                self._shown = max(self._shown - 1, size - 1)
                at += 1
            else:
                self._shown = max(self._shown - size, 0)
                at += size
        del self._buffer[:at]

    def _frame_size(self, stream: bytes, at: int) -> int:
        """Return the size of the frame at ``at``, 0 for "wait", -1 for "none"."""
        if stream.startswith(self._headers, at):
            window = stream[at : at + self._longest]
            size = self._length(window)
            undecided = size == 0 and len(window) == self._longest
            return -1 if undecided or size > self._longest else size
        rest = stream[at : at + self._longest_header]
        return 0 if any(header.startswith(rest) for header in self._headers) else -1

    def _add_noise(self, byte: int) -> Iterator[Reject]:
        if self._shown:
            self._shown -= 1
            return
        if self._noise_count < NOISE_SHOWN:
            self._noise.append(byte)
        self._noise_count += 1
        if self._noise_count == NOISE_RUN:
            yield from self._end_noise()

    def _end_noise(self) -> Iterator[Reject]:
        if self._noise_count:
            how_many = "1 byte that belongs" if self._noise_count == 1 else f"{self._noise_count} bytes that belong"
            yield Reject("noise", bytes(self._noise), f"{how_many} to no frame")
            self._noise.clear()
            self._noise_count = 0


class Lines:
    """Finds text lines that end in CR, LF or both; empty lines are left out.

    A line longer than ``longest`` bytes is one `Reject` for "length" with its beginning; the rest of it is skipped.
    Where the lines of a device begin with one certain byte, ``begin``, the last of these in what is too long begins a
    line anew: other messages between lines (UBX, RTCM) need not hold an end of line.
    """

    def __init__(self, longest: int, begin: bytes = b"") -> None:
        self._longest = longest
        self._begin = begin
        self._buffer = bytearray()
        self._skipping = False

    def feed(self, data: bytes) -> Iterator[bytes | Reject]:
        """Take the next bytes; yield whole lines without their ends, in the order of the stream."""
        pieces = data.replace(b"\r", b"\n").split(b"\n")
        for number, piece in enumerate(pieces):
            if number:  # an end of line came before this piece
                if self._buffer and not self._skipping:
                    yield bytes(self._buffer)
                self._buffer.clear()
                self._skipping = False
            if not self._skipping and len(self._buffer) + len(piece) <= self._longest:
                self._buffer += piece  # by far the most frequent case; the same as below
            else:
                yield from self._take(piece)

    def _take(self, piece: bytes) -> Iterator[Reject]:
        """Add bytes without an end of line to the buffer."""
        while piece:
            if self._skipping:
                at = piece.find(self._begin) if self._begin else -1
                if at < 0:
                    return
                self._skipping = False
                piece = piece[at:]
            room = self._longest - len(self._buffer)
            self._buffer += piece[:room]
            piece = piece[room:]
            if piece:
                at = self._buffer.rfind(self._begin, 1) if self._begin else -1
                lost = bytes(self._buffer if at < 0 else self._buffer[:at])
                yield Reject("length", lost, f"a line of more than {self._longest} bytes")
                del self._buffer[: len(lost)]
                self._skipping = at < 0

    def finish(self) -> Iterator[Reject]:
        """Yield the line that has no end, when no more bytes will come."""
        if self._buffer:
            yield Reject("noise", bytes(self._buffer), "a line without an end")
        self._buffer.clear()
