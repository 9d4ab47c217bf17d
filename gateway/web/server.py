"""``/healthz`` for people and load balancers, ``/metrics`` for Prometheus. Read only, without secrets or state."""

import asyncio
from collections.abc import Callable
from typing import Any

import orjson
from aiohttp import web

from gateway.errors import LinkDown
from gateway.health import Health
from gateway.spool import SpoolStatus
from gateway.web.settings import WebSettings


async def serve(settings: WebSettings, health: Health, spool_status: Callable[[], SpoolStatus]) -> None:
    """Serve until cancelled; raises `LinkDown` when the port is not to be had."""

    async def healthz(_: web.Request) -> web.Response:
        state = health.snapshot() | {"spool": _plain(await asyncio.to_thread(spool_status), health.clock.wall())}
        status = 503 if state["problems"] else 200
        body = orjson.dumps(state, option=orjson.OPT_INDENT_2)
        return web.Response(body=body, status=status, content_type="application/json")

    async def metrics(_: web.Request) -> web.Response:
        from gateway.web.metrics import CONTENT_TYPE, render  # noqa: PLC0415 -- a megabyte, for a page that is never scraped

        body = render(health, await asyncio.to_thread(spool_status))
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE})

    application = web.Application()
    application.add_routes([web.get("/healthz", healthz), web.get("/metrics", metrics)])
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, *settings.address).start()
        except OSError as error:
            raise LinkDown(f"{settings.listen}: {error.strerror or error}") from error
        health.web.went_up()
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()


def _plain(status: SpoolStatus, now: int) -> dict[str, Any]:
    return {
        "bytes": status.bytes,
        "segments": status.segments,
        "readings": status.readings,
        "free_bytes": status.free_bytes,
        "damaged": status.damaged,
        "lost_readings": status.lost_readings,
        "quarantined_bytes": status.quarantined_bytes,
        "pending": {name: sink.pending for name, sink in status.sinks.items()},
        "oldest_pending_s": {name: round(age, 1) for name, age in status.ages(now).items()},
    }
