"""What was written into real databases comes back: exactly, or as far off as that database is known to be."""

from collections.abc import Iterable
from pathlib import Path

import aiohttp
import pytest

from firmware_sim.servers.influx.endpoint import InfluxEndpoint
from firmware_sim.servers.influx.line_protocol import parse
from firmware_sim.servers.readback import ReadBackError, as_victoria_metrics, read_influxdb, read_points
from firmware_sim.servers.servers import Influxd, VictoriaMetrics
from firmware_sim.truth.points import StoredPoint

pytestmark = pytest.mark.system

# By hand: every type, every escape, times to the nanosecond, a tag that only one of two series has.
WRITTEN = rb"""
air\,\ quality\=,sensor=a\ \,\=b,side=\\left f=1,i=-3i,b=true,s="say \"hi\" \\ \o/" 1795356528123456789
air\,\ quality\=,sensor=a\ \,\=b f=0.1,big=9223372036854775807i,b=F 1795356528123456790
air\,\ quality\=,sensor=a\ \,\=b f=1e21 -5
traffic "quoted"=t,speed\ km/h=81.5,s="" 1795356528000000001
""" + 'traffic,place=Čevljarska🚗 s="one\ntwo" 1795356528000000001\n'.encode()


needs_influxd = pytest.mark.requires("influxd")
needs_victoriametrics = pytest.mark.requires("victoria-metrics")


def by_hand() -> list[StoredPoint]:
    points = list(parse(WRITTEN, 0))
    assert len(points) == 5
    return [point for point in points if isinstance(point, StoredPoint)]


def exactly(points: Iterable[StoredPoint]) -> list[str]:
    """Bring points into one order, with types showing: 1, 1.0 and True are three things."""
    return sorted(
        repr((point.measurement, sorted(point.tags.items()), sorted(point.fields.items()), point.time))
        for point in points
    )


async def write(server: Influxd | VictoriaMetrics | InfluxEndpoint, body: bytes) -> None:
    path = "/write?db=city" if isinstance(server, Influxd) else "/api/v2/write?bucket=city&org=o&precision=ns"
    async with aiohttp.ClientSession() as client, client.post(server.url + path, data=body) as answer:
        assert answer.status == 204, await answer.text()


@needs_influxd
async def test_what_was_written_by_hand_comes_back_from_influxdb_to_the_nanosecond(tmp_path: Path) -> None:
    async with Influxd(tmp_path) as database:
        assert await read_points(database) == []
        await write(database, WRITTEN)
        await write(database, WRITTEN)
        assert exactly(await read_points(database)) == exactly(by_hand())
        database.kill()
        await database.start()
        assert exactly(await read_points(database)) == exactly(by_hand())


@needs_influxd
async def test_many_points_come_back_from_influxdb_in_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("firmware_sim.servers.readback._CHUNK", 7)
    body = "\n".join(f"m,t={n % 3} f={n}i {n}" for n in range(100)).encode()
    async with Influxd(tmp_path) as database:
        await write(database, body)
        stored = await read_points(database)
    assert exactly(stored) == exactly(point for point in parse(body, 0) if isinstance(point, StoredPoint))


@needs_influxd
async def test_an_unknown_database_cannot_be_read_back(tmp_path: Path) -> None:
    async with Influxd(tmp_path) as database:
        with pytest.raises(ReadBackError, match="database not found: elsewhere"):
            await read_influxdb(database.url, "elsewhere")


@needs_victoriametrics
async def test_victoria_metrics_gives_back_numbers_in_milliseconds_and_every_duplicate(tmp_path: Path) -> None:
    body = b'm,t=a\\ b f=1.5,i=3i,b=t,c=f,s="text",n="12",big=9223372036854775807i 1795356528123999999\n'
    expected = {"m_f": 1.5, "m_i": 3.0, "m_b": 1.0, "m_c": 0.0, "m_s": 0.0, "m_n": 12.0, "m_big": float(2**63 - 1)}
    async with VictoriaMetrics(tmp_path) as database:
        assert await read_points(database) == []
        await write(database, body)
        once = await read_points(database)
        assert {point.measurement: point.fields["value"] for point in once} == expected
        assert {(point.tags["t"], point.time) for point in once} == {("a b", 1795356528123000000)}
        await write(database, body)
        assert len(await read_points(database)) == 2 * len(once)
        await database.restart()
        assert len(await read_points(database)) == 2 * len(once)


@needs_victoriametrics
async def test_what_victoria_metrics_makes_of_points_is_foretold(tmp_path: Path) -> None:
    body = b'm,t=a f=1.5,i=3i,b=t,s="text" 1795356528123999999\nm f=2 1795356528123000001\n'
    points = [point for point in parse(body, 0) if isinstance(point, StoredPoint)]
    async with VictoriaMetrics(tmp_path) as database:
        await write(database, body)
        assert exactly(await read_points(database)) == exactly(as_victoria_metrics(points))


@needs_influxd
async def test_the_endpoint_stores_what_influxdb_behind_it_stores(tmp_path: Path) -> None:
    async with Influxd(tmp_path) as behind, InfluxEndpoint(forward=behind.url) as endpoint:
        await write(endpoint, WRITTEN)
        assert exactly(await read_points(behind)) == exactly(await read_points(endpoint)) == exactly(by_hand())
