"""Lines behind networks over real sockets: serial servers, RFC 2217 as pyserial's server speaks it, Modbus TCP."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.patience import patience
from gateway.errors import LinkDown, LinkRefused
from gateway.links import rfc2217, tcp
from gateway.links.line_settings import NetworkPort, SerialSettings
from gateway.links.modbus_tcp import NOT_MODBUS, ModbusTcp
from gateway.links.rfc2217 import ComPort
from gateway.links.serial import Line
from tests.support.rfc2217 import FakePort, rfc2217_server
from tests.support.until import until

QUESTION = bytes.fromhex("11 03 006B 0003 7687")
ANSWER = bytes.fromhex("11 03 06 AE41 5652 4340 49AD")
"""The example of the Modbus specification."""


class Server:
    """A serial server that does as the test says; each client waits in ``clients``."""

    def __init__(self) -> None:
        self.port = 0
        self.clients: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
        self._all: list[asyncio.StreamWriter] = []
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._arrived, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def client(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        async with asyncio.timeout(patience()):
            return await self.clients.get()

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._all:
            writer.transport.abort()
        await asyncio.sleep(0)

    def _arrived(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._all.append(writer)
        self.clients.put_nowait((reader, writer))


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    await server.start()
    yield server
    await server.stop()


def _line(url: str, **settings: Any) -> Line:  # noqa: ANN401 -- any of them
    return Line(SerialSettings(url, 9600, **settings))


async def _open(server: Server, scheme: str) -> tuple[Line, asyncio.StreamReader, asyncio.StreamWriter]:
    line = _line(f"{scheme}://127.0.0.1:{server.port}")
    await line.open()
    return line, *await server.client()


async def _received(line: Line, size: int) -> bytes:
    data = b""
    async with asyncio.timeout(patience()):
        while len(data) < size:
            data += await line.receive(1.0)
    return data


# --- socket://


async def test_bytes_go_both_ways_unchanged_and_nobody_else_is_seen_on_the_line(server: Server) -> None:
    line, reader, writer = await _open(server, "socket")
    every = bytes(range(256))
    writer.write(every)
    assert await _received(line, 256) == every
    await line.send(every)
    assert await asyncio.wait_for(reader.readexactly(256), patience()) == every
    assert line.device == f"socket://127.0.0.1:{server.port}"
    assert await line.shared() == ""
    line.close()
    assert await asyncio.wait_for(reader.read(), patience()) == b""


@pytest.mark.parametrize("end", ["in good order", "by a crash"])
async def test_what_came_before_the_end_is_delivered_and_then_the_line_is_down(server: Server, end: str) -> None:
    line, _, writer = await _open(server, "socket")
    writer.write(b"half a fra")
    await until(lambda: bool(line._buffer))
    if end == "by a crash":
        writer.transport.abort()
    else:
        writer.close()
    await until(lambda: line._ended is not None)
    assert await line.receive(5) == b"half a fra"
    words = (
        "it closed the connection$" if end == "in good order" else "the connection is lost|it closed the connection"
    )
    with pytest.raises(LinkDown, match=f"socket://127.0.0.1:{server.port}: ({words})"):
        await line.receive(5)
    line.close()


async def test_a_server_that_hangs_up_at_once_may_be_held_by_another_program(server: Server) -> None:
    line, _, writer = await _open(server, "socket")
    writer.close()
    with pytest.raises(LinkDown, match="before it said anything: does another program hold its line"):
        await line.receive(patience())
    line.close()


async def test_no_server_is_down_with_its_address_and_the_line_opens_once_it_is_there(server: Server) -> None:
    await server.stop()
    with pytest.raises(LinkDown, match=f"socket://127.0.0.1:{server.port}: nothing listens there") as caught:
        await _line(f"socket://127.0.0.1:{server.port}").open()
    assert not isinstance(caught.value, LinkRefused)
    await server.start()
    line, _, _ = await _open(server, "socket")
    line.close()


async def test_an_unknown_host_is_told() -> None:
    with pytest.raises(LinkDown, match="no such host"):
        await _line("socket://nowhere.invalid:4001").open()


async def test_the_kernel_asks_after_a_server_that_says_nothing(server: Server) -> None:
    line, _, _ = await _open(server, "socket")
    with socket.socket(fileno=socket.dup(line._fd)) as opened:
        assert opened.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == tcp.IDLE
        assert opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL) == tcp.BETWEEN
        assert opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT) == tcp.PROBES
        assert opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == tcp.GIVE_UP * 1000
    line.close()


async def test_a_server_that_takes_nothing_more_makes_send_wait_and_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        line = Line(SerialSettings(f"socket://127.0.0.1:{listener.getsockname()[1]}", 9600), send_patience=0.05)
        await line.open()
        with listener.accept()[0], pytest.raises(LinkDown, match=r"it has taken no byte for 0\.05 s"):
            await line.send(bytes(50_000_000))
        line.close()


# --- modbus://


async def test_modbus_tcp_brings_what_modbus_rtu_would_have_said(server: Server) -> None:
    line, reader, writer = await _open(server, "modbus")
    for transaction in (1, 2):
        await line.send(QUESTION)
        asked = await asyncio.wait_for(reader.readexactly(12), patience())
        assert asked == struct.pack(">HHH", transaction, 0, 6) + QUESTION[:-2]
        answer = struct.pack(">HHH", transaction, 0, 9) + ANSWER[:-2]
        for byte in answer:  # in pieces, as networks may bring it
            writer.write(bytes((byte,)))
            await writer.drain()
        assert await _received(line, len(ANSWER)) == ANSWER
    line.close()


async def test_a_late_answer_is_no_answer_to_the_next_question(server: Server) -> None:
    line, reader, writer = await _open(server, "modbus")
    for _ in range(2):
        await line.send(QUESTION)
        await asyncio.wait_for(reader.readexactly(12), patience())
    late = struct.pack(">HHH", 1, 0, 9) + b"\x11\x03\x06" + bytes(6)
    writer.write(late + struct.pack(">HHH", 2, 0, 9) + ANSWER[:-2])
    assert await _received(line, 1) == ANSWER
    line.close()


async def test_a_server_that_speaks_rtu_over_tcp_is_told_with_the_remedy(server: Server) -> None:
    line, reader, writer = await _open(server, "modbus")
    await line.send(QUESTION)
    await reader.readexactly(12)
    writer.write(ANSWER)
    with pytest.raises(LinkRefused, match=r"this is no Modbus TCP: .* write socket://"):
        await line.receive(patience())
    line.close()


async def test_what_is_no_modbus_cannot_be_sent_by_modbus_tcp(server: Server) -> None:
    line, _, _ = await _open(server, "modbus")
    with pytest.raises(LinkRefused, match=NOT_MODBUS):
        await line.send(b"\xaa\xb4 a dust sensor \xab")
    line.close()


@given(st.binary(max_size=300), st.lists(st.integers(0, 300)))
def test_any_bytes_are_answers_or_refused_in_words_however_they_are_cut(data: bytes, cuts: list[int]) -> None:
    def read(pieces: list[bytes]) -> bytes | str:
        framing = ModbusTcp()
        framing.encode(QUESTION)
        try:
            return b"".join(framing.decode(piece)[0] for piece in pieces)
        except ValueError as error:
            return str(error)

    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [data[a:b] for a, b in pairwise(edges)]
    assert read([data]) == read(pieces)


# --- rfc2217://


async def test_a_server_is_set_up_as_the_configuration_says_and_every_byte_comes_through() -> None:
    port = FakePort()
    with rfc2217_server(port) as (number, say, heard):
        line = _line(f"rfc2217://127.0.0.1:{number}", parity="E", databits=7, stopbits=2, dtr=False)
        await line.open()
        settings = (port.baudrate, port.bytesize, port.parity, port.stopbits)  # type: ignore[attr-defined] # as the server sets them
        assert settings == (9600, 7, "E", 2)
        await until(lambda: port.rts is True)  # type: ignore[attr-defined] # the same
        assert port.dtr is None, "left alone"  # type: ignore[attr-defined] # the same
        every = bytes(range(256)) + b"\xff\xff\xf0\xff"
        say(every)
        assert await _received(line, len(every)) == every
        await line.send(every)
        got = b""
        while len(got) < len(every):
            got += await asyncio.to_thread(heard.get, timeout=patience())
        assert got == every
        line.close()


@pytest.mark.parametrize(
    ("refuses", "words"),
    [
        ({"baudrate": 19200}, "the server cannot set baudrate 9600: it has 19200"),
        ({"parity": "N"}, "the server cannot set parity E: it has N"),
    ],
)
async def test_a_server_that_sets_something_else_is_refused_in_words(refuses: dict[str, Any], words: str) -> None:
    with rfc2217_server(FakePort(**refuses)) as (number, _, _), pytest.raises(LinkRefused) as caught:
        await _line(f"rfc2217://127.0.0.1:{number}", parity="E").open()
    assert str(caught.value) == f"rfc2217://127.0.0.1:{number}: {words}"


async def test_a_server_of_plain_bytes_is_told_with_the_remedy(server: Server) -> None:
    with pytest.raises(LinkRefused, match="does not speak RFC 2217: write socket:// for rfc2217://"):
        await _line(f"rfc2217://127.0.0.1:{server.port}").open()


async def test_a_server_that_says_no_is_told_with_the_remedy(server: Server) -> None:
    opening = asyncio.create_task(_line(f"rfc2217://127.0.0.1:{server.port}").open())
    _, writer = await server.client()
    writer.write(bytes((rfc2217.IAC, rfc2217.DONT, rfc2217.COM_PORT)))
    with pytest.raises(LinkRefused, match="does not speak RFC 2217"):
        await asyncio.wait_for(opening, patience())


async def test_a_server_that_hangs_up_while_it_is_set_up_is_down(server: Server) -> None:
    opening = asyncio.create_task(_line(f"rfc2217://127.0.0.1:{server.port}").open())
    _, writer = await server.client()
    writer.close()
    with pytest.raises(LinkDown, match=f"rfc2217://127.0.0.1:{server.port}: it closed the connection while"):
        await asyncio.wait_for(opening, patience())


def _com_port() -> ComPort:
    return ComPort(SerialSettings("rfc2217://h:1", 9600))


@given(st.binary(max_size=200))
def test_data_comes_back_as_it_was_through_the_escapes(data: bytes) -> None:
    assert _com_port().decode(_com_port().encode(data)) == (data, b"")


@given(
    st.lists(st.sampled_from([255, 254, 253, 252, 251, 250, 240, 44, 0, 3, 101, 65]), max_size=200), st.integers(1, 7)
)
def test_any_conversation_is_bounded_and_the_same_however_it_is_cut(said: list[int], size: int) -> None:
    def heard(pieces: list[bytes]) -> tuple[bytes, bytes] | str:
        com_port = _com_port()
        line, answers = b"", b""
        try:
            for piece in pieces:
                data, answer = com_port.decode(piece)
                line, answers = line + data, answers + answer
                assert len(com_port._command) <= rfc2217.LONGEST + 1
        except ValueError as error:
            return str(error)
        return line, answers

    data = bytes(said)
    assert heard([data]) == heard([data[at : at + size] for at in range(0, len(data), size)])


# --- places


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("/dev/ttyUSB0", None),
        ("socket://10.0.0.5:4001", NetworkPort("socket", "10.0.0.5", 4001)),
        ("SOCKET://moxa:4001/", NetworkPort("socket", "moxa", 4001)),
        ("rfc2217://[::1]:2217", NetworkPort("rfc2217", "::1", 2217)),
        ("modbus://plc", NetworkPort("modbus", "plc", 502)),
        ("modbus://plc:5020", NetworkPort("modbus", "plc", 5020)),
    ],
)
def test_a_place_in_a_network_is_read(text: str, place: NetworkPort | None) -> None:
    assert NetworkPort.parse(text) == place
    if place is not None:
        assert NetworkPort.parse(str(place)) == place
