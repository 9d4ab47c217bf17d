"""The city's MQTT client where connections break."""

import asyncio
import os
from typing import Any

import pytest

from firmware_sim.bench.publisher import Publisher
from firmware_sim.parts.twin import Message


async def test_a_socket_that_was_closed_meanwhile_is_no_news_and_everything_else_is(
    caplog: pytest.LogCaptureFixture,
) -> None:
    loop, messages = asyncio.get_running_loop(), asyncio.Queue[Message]()
    task = asyncio.create_task(Publisher("mqtt://127.0.0.1:1", "city").run(messages))
    await asyncio.sleep(0)
    reader, writer = os.pipe()
    os.close(reader)
    os.close(writer)
    shape: Any = writer
    loop.call_soon(loop.add_writer, shape, print)
    loop.call_soon(os.close, writer)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    (told,) = [record.message for record in caplog.records if record.name == "asyncio"]
    assert "close" in told
    assert "add_writer" not in told
