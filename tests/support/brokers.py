"""What stands before a real broker: TLS that wants a protocol named, and a broker that speaks MQTT 3.1.1 alone."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

Conversation = tuple[asyncio.StreamReader, asyncio.StreamWriter]
LetIn = Callable[[Conversation], Awaitable[bytes | None]]
"""Returns what goes on to the broker first; None where the client is not let in."""

CONNECT_VERSION = 8
"""The place of the version in a CONNECT of less than 128 bytes: kind, length, two bytes, M Q T T."""
WRONG_VERSION = bytes.fromhex("20020001")


@asynccontextmanager
async def front(port: int, let_in: LetIn, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Listen before the broker at ``port``; yields the port of its own."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        onward = None
        try:
            first = await let_in((reader, writer))
            if first is not None:
                back, onward = await asyncio.open_connection("127.0.0.1", port)
                onward.write(first)
                await asyncio.gather(_pump(reader, onward), _pump(back, writer))
        except (OSError, asyncio.IncompleteReadError):
            pass  # either side left
        finally:
            for one in (writer, onward):
                if one is not None:
                    one.transport.abort()
            tasks.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
    with suppress(OSError):
        writer.write_eof()


async def named_protocol(conversation: Conversation) -> bytes | None:
    """Let in who named a protocol in the handshake of TLS."""
    return None if conversation[1].get_extra_info("ssl_object").selected_alpn_protocol() is None else b""


async def old_version(conversation: Conversation) -> bytes | None:
    """Let in who speaks 3.1.1, and refuse others in the words of that version."""
    reader, writer = conversation
    begin = await reader.readexactly(CONNECT_VERSION + 1)
    if begin[CONNECT_VERSION] == 4:
        return begin
    writer.write(WRONG_VERSION)
    await writer.drain()
    return None
