"""Messages that a device prints on a serial line, one a line: cut out of the stream, for a driver of messages. Pure.

A line ends in CR, LF or both. A port may be opened in the middle of a line, and "1.50" of "21.50" would be left: what
comes before the first end of a line is a message only where the line was silent before it.
"""

from collections.abc import Iterable, Iterator

from gateway.contract import Measurement, MessageDecoder, Reject, Remark
from gateway.sources.messages import NOTHING

LONGEST = 16 * 1024
"""Bytes of the longest line, where the driver would take more: what prints lines has little memory."""
SHOWN = 64
"""Bytes of a line that is refused here which are shown."""
SILENCE = 20_000_000
"""Nanoseconds without a byte, after which the next one begins a line: adapters gather bytes for 16 ms."""

Result = Measurement | Reject | Remark


class TextLines:
    """Feeds whole lines to a decoder of messages; a `gateway.contract.SerialDecoder`."""

    def __init__(self, decoder: MessageDecoder, longest: int) -> None:
        self._decoder = decoder
        self._longest = min(longest, LONGEST)
        self._buffer = bytearray()
        self._last: int | None = None
        """When the last byte came, or, before the first one, when the port was opened."""
        self._whole = False
        """Whether the beginning of the line in the buffer was heard."""
        self._skipping = False

    def start(self) -> Iterable[bytes]:
        """Return nothing: what prints lines is not asked."""
        return ()

    def poll(self) -> bytes:
        """Return nothing; see `start`."""
        return b""

    def feed(self, data: bytes, now: int) -> Iterable[Result]:
        """Take the next bytes; see `gateway.contract.SerialDecoder`."""
        last = now if self._last is None else self._last
        self._last = now if data or self._last is None else self._last
        if not self._buffer and now - last >= SILENCE:
            self._whole = True
        return list(self._lines(data))

    def finish(self) -> Iterable[Result]:
        """Refuse the line that has no end."""
        rest, self._buffer = bytes(self._buffer), bytearray()
        return [Reject("noise", rest[:SHOWN], "a line without an end")] if rest else []

    def _lines(self, data: bytes) -> Iterator[Result]:
        for number, piece in enumerate(data.replace(b"\r", b"\n").split(b"\n")):
            if number:
                yield from self._end_line()
            if self._skipping:
                continue
            room = self._longest - len(self._buffer)
            self._buffer += piece[:room]
            if len(piece) > room:
                yield Reject("length", bytes(self._buffer[:SHOWN]), f"a line of more than {self._longest} bytes")
                self._buffer.clear()
                self._skipping = True

    def _end_line(self) -> Iterator[Result]:
        line, whole = bytes(self._buffer), self._whole
        self._buffer.clear()
        self._skipping, self._whole = False, True
        if not line.strip():
            return
        if not whole:
            yield Reject("noise", line[:SHOWN], "a line whose beginning was not heard")
            return
        # Of what a decoder returns, requests and LoRaWAN payloads have no way from a serial line.
        found = [one for one in self._decoder.decode("", line) if isinstance(one, Measurement | Reject | Remark)]
        yield from found or [Reject("unsupported", line[:SHOWN], NOTHING)]
