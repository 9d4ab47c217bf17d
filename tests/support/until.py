"""Waiting for a condition that has no event to offer."""

import asyncio
from collections.abc import Callable

from firmware_sim.patience import patience

_POLL_SECONDS = 0.005


async def until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait until ``condition`` holds; ``AssertionError`` when it does not within ``seconds``, see `patience`."""
    loop = asyncio.get_running_loop()
    limit = patience(seconds)
    deadline = loop.time() + limit
    while not condition():
        assert loop.time() < deadline, f"the condition does not hold after {limit:g} s"
        await asyncio.sleep(_POLL_SECONDS)
