"""Other ends for links: a pseudo-terminal, a broker that does what the test says, and a watch over descriptors."""

import asyncio
import os
import ssl
import tty
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import NamedTuple

import pytest

from firmware_sim.patience import patience

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK, PINGREQ, DISCONNECT = 1, 2, 3, 4, 8, 9, 12, 14


def _descriptors() -> dict[str, str]:
    found = {}
    for entry in os.listdir("/proc/self/fd"):  # noqa: PTH208 -- /proc is no directory to walk politely
        with suppress(OSError):  # the descriptor of the listing itself
            found[entry] = os.readlink(f"/proc/self/fd/{entry}")  # noqa: PTH115 -- the same
    return found


@pytest.fixture(autouse=True)
def no_descriptor_is_left_open() -> Iterator[None]:
    """Compare the open descriptors before and after each test; the loop's own are closed after the last fixture."""
    before = _descriptors()
    yield
    left = {number: what for number, what in _descriptors().items() if before.get(number) != what}
    # pytest-asyncio closes the loop after us: its epoll and its wake-up socket pair may still be there.
    sockets = [what for what in left.values() if what.startswith("socket:")]
    others = [what for what in left.values() if not what.startswith(("socket:", "anon_inode:[eventpoll]"))]
    assert len(sockets) <= 2, left
    assert not others, left


class Device:
    """The far side of a pseudo-terminal: what a sensor would be to its port."""

    def __init__(self) -> None:
        self.fd, slave = os.openpty()
        self.port = os.ttyname(slave)
        tty.setraw(slave)
        os.close(slave)
        os.set_blocking(self.fd, False)

    def says(self, data: bytes) -> None:
        assert os.write(self.fd, data) == len(data)

    async def hears(self, size: int) -> bytes:
        """Return the next ``size`` bytes that the gateway sent."""
        data = b""
        async with asyncio.timeout(patience()):
            while len(data) < size:
                try:
                    data += os.read(self.fd, size - len(data))
                except BlockingIOError:
                    await asyncio.sleep(0.001)
        return data

    def unplug(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


@pytest.fixture
def device() -> Iterator[Device]:
    device = Device()
    yield device
    device.unplug()


class Packet(NamedTuple):
    kind: int
    flags: int
    body: bytes

    @property
    def mid(self) -> int:
        """The packet identity of a PUBACK or SUBSCRIBE."""
        return int.from_bytes(self.body[:2], "big")


class Peer:
    """The broker's end of one connection; frames are made by hand for MQTT 5 or 3.1.1."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, v5: bool) -> None:
        self.reader, self.writer, self.v5 = reader, writer, v5

    async def next(self) -> Packet:
        """Return the next packet from the client; pings are answered on the way."""
        while True:
            async with asyncio.timeout(patience()):
                first = (await self.reader.readexactly(1))[0]
                length = shift = 0
                while True:
                    byte = (await self.reader.readexactly(1))[0]
                    length |= (byte & 127) << shift
                    shift += 7
                    if byte < 128:
                        break
                packet = Packet(first >> 4, first & 15, await self.reader.readexactly(length))
            if packet.kind != PINGREQ:
                return packet
            self.send(13, 0, b"")

    async def expect(self, kind: int) -> Packet:
        packet = await self.next()
        assert packet.kind == kind, packet
        return packet

    async def acks(self, count: int) -> list[int]:
        """Return the packet identities of the next ``count`` packets, which must be acknowledgements."""
        return [(await self.expect(PUBACK)).mid for _ in range(count)]

    async def ended(self) -> bytes:
        """Wait until the client has closed; return what it had sent before."""
        async with asyncio.timeout(patience()):
            with suppress(ConnectionError):
                return await self.reader.read()
            return b""

    def frame(self, kind: int, flags: int, body: bytes) -> bytes:
        length, left = b"", len(body)
        while True:
            left, digit = left >> 7, left & 127
            length += bytes([digit | (128 if left else 0)])
            if not left:
                return bytes([kind << 4 | flags]) + length + body

    def send(self, kind: int, flags: int, body: bytes) -> None:
        self.writer.write(self.frame(kind, flags, body))

    def connack(self, reason: int = 0, *, session_present: bool = False) -> None:
        self.send(CONNACK, 0, bytes([session_present, reason]) + (b"\0" if self.v5 else b""))

    def suback(self, subscribe: Packet, *reasons: int) -> None:
        properties = b"\0" if self.v5 else b""
        self.send(SUBACK, 0, subscribe.body[:2] + properties + bytes(reasons))

    async def welcome(self, *, session_present: bool = False) -> Packet:
        """Take the client in; returns its CONNECT."""
        connect = await self.expect(CONNECT)
        self.connack(session_present=session_present)
        self.suback(await self.expect(SUBSCRIBE), 1)
        return connect

    def message(
        self,
        payload: bytes,
        mid: int = 0,
        *,
        topic: bytes = b"city/air/1",
        qos: int = 1,
        dup: bool = False,
        retain: bool = False,
    ) -> bytes:
        """Return a PUBLISH."""
        body = len(topic).to_bytes(2, "big") + topic + (mid.to_bytes(2, "big") if qos else b"")
        body += (b"\0" if self.v5 else b"") + payload
        return self.frame(PUBLISH, dup << 3 | qos << 1 | retain, body)

    def publish(self, *messages: bytes) -> None:
        self.writer.write(b"".join(messages))

    def reset(self) -> None:
        """End the connection as a crash does."""
        self.writer.transport.abort()


class Broker:
    """A broker that does nothing by itself: each connection waits in ``arrivals`` for the test to play it."""

    def __init__(self, *, v5: bool) -> None:
        self.protocol = "5" if v5 else "3.1.1"
        self.port = 0
        self._v5 = v5
        self._peers: asyncio.Queue[Peer] = asyncio.Queue()
        self._all: list[Peer] = []
        self._server: asyncio.Server | None = None

    async def start(self, context: ssl.SSLContext | None = None) -> None:
        self._server = await asyncio.start_server(self._arrived, "127.0.0.1", self.port, ssl=context)
        self.port = self._server.sockets[0].getsockname()[1]

    async def peer(self) -> Peer:
        """Return the next connection."""
        async with asyncio.timeout(patience()):
            return await self._peers.get()

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for peer in self._all:
            peer.writer.transport.abort()
            with suppress(OSError):
                await peer.writer.wait_closed()
        await self._server.wait_closed()

    def _arrived(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._all.append(Peer(reader, writer, v5=self._v5))
        self._peers.put_nowait(self._all[-1])


@pytest.fixture(params=["5", "3.1.1"])
def protocol(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def broker(protocol: str) -> AsyncIterator[Broker]:
    """A scripted broker, once for each version of MQTT."""
    broker = Broker(v5=protocol == "5")
    await broker.start()
    yield broker
    await broker.stop()
