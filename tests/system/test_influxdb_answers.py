"""Answers of InfluxDB's versions about single readings, through the whole gateway: each is somewhere, once."""

import json
import time

import aiohttp
import pytest

from firmware_sim.servers.http_proxy import HttpProxy
from firmware_sim.servers.influx.endpoint import InfluxEndpoint
from firmware_sim.servers.influx.faults import Poison, Refusal
from firmware_sim.servers.process import free_port
from tests.system.conftest import Gateway, Rig

pytestmark = pytest.mark.system

SOURCE = """
[sources.posts]
type = "http"
listen = "127.0.0.1:{port}"
driver = "json"
options = {{ kind = "air_quality", sensor = "id", fields = {{ pm25 = "v" }}, time = "t", time_format = "ms" }}
"""
V2 = '[sinks.influx]\ntype = "influxdb"\nurl = "{url}"\norg = "o"\nbucket = "city"\n'
V3 = '[sinks.influx]\ntype = "influxdb"\nurl = "{url}"\napi = "v3"\ndatabase = "city"\n'


async def post(port: int, *sensors: str) -> None:
    """Post a reading of each sensor, each answered before the next."""
    now = time.time_ns() // 10**6
    async with aiohttp.ClientSession() as client:
        for number, sensor in enumerate(sensors):
            body = json.dumps({"id": sensor, "v": 1.5, "t": now + number})
            async with client.post(f"http://127.0.0.1:{port}/posts", data=body) as answer:
                assert answer.status == 200, await answer.text()


def quarantined(gateway: Gateway) -> tuple[list[str], str]:
    """Return the sensors of the quarantined lines, and the file with its reasons."""
    file = gateway.spool / "quarantine" / "influx.lp"
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [line.partition("sensor=")[2].partition(" ")[0] for line in lines], text


async def delivered(gateway: Gateway, count: int) -> None:
    await gateway.until(
        lambda state: state["spool"]["readings"] == count and state["spool"]["pending"] == {"influx": 0}
    )


@pytest.mark.parametrize(
    ("sink", "status", "reason"),
    [
        (V2, 500, "points beyond retention policy"),
        (V2, None, "points beyond retention policy"),
        (V3, None, "invalid column type for column 'pm25', expected float, got string"),
    ],
)
async def test_a_reading_that_is_refused_in_any_versions_words_holds_up_no_other(
    rig: Rig, sink: str, status: int | None, reason: str
) -> None:
    port = free_port()
    async with InfluxEndpoint() as endpoint:
        endpoint.fail_with(Poison(lambda line: "sensor=old" in line, reason, status=status))
        gateway = await rig.gateway(SOURCE.format(port=port), sink.format(url=endpoint.url))
        await gateway.listening()
        await post(port, "a", "old-1", "b", "old-2", "c")
        await delivered(gateway, 5)
        sensors, text = quarantined(gateway)
        assert sorted(sensors) == ["old-1", "old-2"]
        assert text.count(reason) == 2
        assert sorted(point.tags["sensor"] for point in endpoint.points()) == ["a", "b", "c"]


async def test_a_reading_that_is_answered_like_a_fault_of_the_server_is_found_by_another(rig: Rig) -> None:
    port = free_port()
    async with InfluxEndpoint() as endpoint:
        gateway = await rig.gateway(SOURCE.format(port=port), V2.format(url=endpoint.url))
        await gateway.listening()
        await post(port, "a")
        await delivered(gateway, 1)
        endpoint.fail_with(Refusal(500, "index out of range [3]"), lines=lambda line: "sensor=odd" in line)
        await post(port, "odd", "b")
        await delivered(gateway, 3)
        sensors, text = quarantined(gateway)
        assert sensors == ["odd"]
        assert "index out of range [3] (again and again, while the database stores other readings)" in text
        assert sorted(point.tags["sensor"] for point in endpoint.points()) == ["a", "b"]


async def test_a_database_behind_the_sites_proxy_is_reached_and_no_password_is_shown(rig: Rig) -> None:
    port = free_port()
    async with (
        InfluxEndpoint() as endpoint,
        HttpProxy("me:hunter2", {"influx.invalid": ("127.0.0.1", endpoint.port)}) as proxy,
    ):
        wrong = f'proxy = "{proxy.url.replace("//", "//me:guessed@")}"'
        sink = V2.format(url="http://influx.invalid:8086")
        gateway = await rig.gateway(SOURCE.format(port=port), sink, wrong)
        await gateway.listening()
        await post(port, "a")
        state = await gateway.until(lambda state: "407" in json.dumps(state["problems"]))
        assert "guessed" not in json.dumps(state)
        gateway.kill()
        gateway._parts = SOURCE.format(port=port) + sink + wrong.replace("guessed", "hunter2")
        await gateway.start()
        await delivered(gateway, 1)
        assert any(one.startswith("POST http://influx.invalid:8086/api/v2/write") for one in proxy.requests)
    told = gateway.log.read_text(encoding="utf-8")
    assert "guessed" not in told
    assert "hunter2" not in told
