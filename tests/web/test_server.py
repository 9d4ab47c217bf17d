"""The health page and the metrics show the daemon's own numbers, and answer as a load balancer expects."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from firmware_sim.patience import patience
from firmware_sim.servers.process import free_port
from gateway.contract import Reject
from gateway.errors import LinkDown
from gateway.health import GnssHealth, Health
from gateway.spool import Pressure, SinkStatus, SpoolStatus
from gateway.web.server import serve
from gateway.web.settings import WebSettings
from tests.support.clock import NOW, FakeClock

STATUS = SpoolStatus(
    bytes=1234,
    segments=2,
    readings=50,
    oldest_seq=10,
    next_seq=60,
    oldest_time=1,
    newest_time=2,
    free_bytes=10**9,
    damaged=1,
    losses=1,
    lost_readings=7,
    sinks={},
)


class Page:
    """A served page: its daemon's health, and its two addresses."""

    def __init__(self, listen: str) -> None:
        self.listen = listen
        self.health = Health("koper-01", "Koper", FakeClock())
        self.status = STATUS

    async def get(self, path: str) -> tuple[int, str, str]:
        async with aiohttp.ClientSession() as session, session.get(f"http://{self.listen}{path}") as answer:
            return answer.status, answer.content_type, await answer.text()

    async def samples(self) -> dict[tuple[str, str], float]:
        _, _, text = await self.get("/metrics")
        return {
            (sample.name, ",".join(value for _, value in sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }


async def until_it_answers(page: Page) -> None:
    async with asyncio.timeout(patience()):
        while True:
            with suppress(aiohttp.ClientConnectionError):
                await page.get("/metrics")
                return
            await asyncio.sleep(0.01)


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    page = Page(f"127.0.0.1:{free_port()}")
    serving = asyncio.create_task(serve(WebSettings(listen=page.listen), page.health, lambda: page.status))
    await until_it_answers(page)
    yield page
    serving.cancel()
    with suppress(asyncio.CancelledError):
        await serving


@pytest.fixture
def well(page: Page) -> Page:
    health = page.health
    health.clock_known = True
    health.committed, health.commits = 40, 4
    air, influx = health.source("air"), health.sink("influx")
    air.link.went_up()
    influx.link.went_up()
    air.readings, air.repeated = 41, 3
    air.rejected(Reject("checksum", b"\xff"))
    influx.readings, influx.pending, influx.quarantined = 38, 2, 1
    return page


async def test_a_well_gateway_answers_200_with_its_state(well: Page) -> None:
    well.status = replace(
        STATUS,
        sinks={"influx": SinkStatus(58, 2, NOW - 12_500_000_000)},
        quarantined_bytes={"influx": 90},
    )
    status, kind, text = await well.get("/healthz")
    assert (status, kind) == (200, "application/json")
    state = json.loads(text)
    assert state["problems"] == []
    assert state["spool"] == {
        "bytes": 1234,
        "segments": 2,
        "readings": 50,
        "free_bytes": 10**9,
        "damaged": 1,
        "lost_readings": 7,
        "quarantined_bytes": {"influx": 90},
        "pending": {"influx": 2},
        "oldest_pending_s": {"influx": 12.5},
    }
    assert state.keys() == well.health.snapshot().keys() | {"spool"}


async def test_a_gateway_with_a_problem_answers_503_and_says_which(well: Page) -> None:
    well.health.spool_problem = "no space left"
    status, _, text = await well.get("/healthz")
    assert status == 503
    assert '"spool: no space left"' in text


async def test_the_metrics_are_the_daemons_numbers(well: Page) -> None:
    assert await well.samples() == {
        ("prehod_clock_known", ""): 1,
        ("prehod_clock_source", "unknown"): 1,
        ("prehod_sensors", ""): 0,
        ("prehod_spool_bytes", ""): 1234,
        ("prehod_spool_free_bytes", ""): 10**9,
        ("prehod_readings_committed_total", ""): 40,
        ("prehod_commits_total", ""): 4,
        ("prehod_readings_lost_total", ""): 7,
        ("prehod_readings_refused_total", ""): 0,
        ("prehod_stuck", ""): 0,
        ("prehod_source_up", "air"): 1,
        ("prehod_source_readings_total", "air"): 41,
        ("prehod_source_repeated_total", "air"): 3,
        ("prehod_source_rejects_total", "checksum,air"): 1,
        ("prehod_source_refused_total", "air"): 0,
        ("prehod_source_retained_skipped_total", "air"): 0,
        ("prehod_source_findings", "air"): 0,
        ("prehod_sink_up", "influx"): 1,
        ("prehod_sink_pending_readings", "influx"): 2,
        ("prehod_sink_readings_total", "influx"): 38,
        ("prehod_sink_quarantined_total", "influx"): 1,
    }


async def test_what_tells_the_time_and_where_the_gateway_stands_is_in_the_metrics(well: Page) -> None:
    health = well.health
    health.clock_source, health.location = "gnss", (45.5481, 13.7302)
    health.gnss = GnssHealth("roof", heard=None, clock_off=-0.25)
    samples = await well.samples()
    assert {key: value for key, value in samples.items() if "clock" in key[0] or "location" in key[0]} == {
        ("prehod_clock_known", ""): 1,
        ("prehod_clock_source", "gnss"): 1,
        ("prehod_clock_off_seconds", ""): -0.25,
        ("prehod_location_degrees", "latitude"): 45.5481,
        ("prehod_location_degrees", "longitude"): 13.7302,
    }
    state = json.loads((await well.get("/healthz"))[2])
    assert (state["clock_source"], state["location"]) == ("gnss", [45.5481, 13.7302])
    assert state["gnss"] == {"source": "roof", "heard_s": None, "clock_off_s": -0.25, "disbelieved_s": None}


async def test_back_pressure_is_in_the_metrics(well: Page) -> None:
    well.health.pressure = Pressure(0.25, 100, 300, 5.0, 140.0, {"influx": 4.0}, 2.0)
    well.status = replace(STATUS, sinks={"influx": SinkStatus(60, 0, None)})
    samples = await well.samples()
    assert {name: value for name, value in samples.items() if "pressure" in name[0] or "per_second" in name[0]} == {
        ("prehod_spool_readings_in_per_second", ""): 5.0,
        ("prehod_spool_bytes_in_per_second", ""): 140.0,
        ("prehod_sink_readings_per_second", "influx"): 4.0,
    }
    assert samples["prehod_spool_fill_ratio", ""] == 0.25
    assert samples["prehod_spool_undelivered_bytes", ""] == 100
    assert samples["prehod_spool_room_bytes", ""] == 300
    assert samples["prehod_spool_full_in_seconds", ""] == 7200
    assert samples["prehod_sink_oldest_pending_seconds", "influx"] == 0


async def test_metrics_are_those_of_the_moment_of_the_scrape(well: Page) -> None:
    well.health.committed += 5
    well.health.source("air").link.up = False
    samples = await well.samples()
    assert samples["prehod_readings_committed_total", ""] == 45
    assert samples["prehod_source_up", "air"] == 0


async def test_two_scrapes_at_once_do_not_disturb_each_other(well: Page) -> None:
    one, other = await asyncio.gather(well.get("/metrics"), well.get("/metrics"))
    assert one == other
    assert one[0] == 200


async def test_metrics_are_answered_even_with_a_problem(page: Page) -> None:
    page.health.source("air")
    status, kind, _ = await page.get("/metrics")
    assert (status, kind) == (200, "text/plain")


@pytest.mark.parametrize("path", ["/", "/healthz/../etc/passwd", "/spool"])
async def test_there_is_nothing_else(page: Page, path: str) -> None:
    assert (await page.get(path))[0] == 404


async def test_nothing_can_be_written(page: Page) -> None:
    async with aiohttp.ClientSession() as session, session.post(f"http://{page.listen}/healthz") as answer:
        assert answer.status == 405


async def test_a_port_that_is_taken_is_said_and_tried_again_by_the_supervisor(page: Page) -> None:
    with pytest.raises(LinkDown, match="in use"):
        await serve(WebSettings(listen=page.listen), page.health, lambda: STATUS)


async def test_the_port_is_free_again_once_it_is_cancelled() -> None:
    page = Page(f"127.0.0.1:{free_port()}")
    for _ in range(2):
        serving = asyncio.create_task(serve(WebSettings(listen=page.listen), page.health, lambda: page.status))
        await until_it_answers(page)
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving
