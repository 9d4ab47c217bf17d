"""The InfluxDB-shaped endpoint, seen by a bare HTTP client."""

import asyncio
import base64
import gzip
import io
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest

from firmware_sim.servers.influx.endpoint import InfluxEndpoint
from firmware_sim.servers.influx.faults import Hang, Poison, Redirect, Refusal, Reset, Slow
from firmware_sim.servers.influx.store import identity
from firmware_sim.truth.points import StoredPoint
from tests.support.until import until

GOOD = b"m,t=a f=1 1\nm,t=b f=2 2\n"
TWO = [StoredPoint("m", {"t": "a"}, {"f": 1.0}, 1), StoredPoint("m", {"t": "b"}, {"f": 2.0}, 2)]


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    json: Any


class Client:
    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session

    async def v2(self, endpoint: InfluxEndpoint, body: bytes, precision: str = "ns", **headers: str) -> Answer:
        query = {"org": "o", "bucket": "city", "precision": precision}
        return await self._post(f"{endpoint.url}/api/v2/write", body, query, headers)

    async def v1(self, endpoint: InfluxEndpoint, body: bytes, precision: str = "n", **headers: str) -> Answer:
        return await self._post(f"{endpoint.url}/write", body, {"db": "city", "precision": precision}, headers)

    async def _post(self, url: str, body: bytes, query: dict[str, str], headers: dict[str, str]) -> Answer:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.post(
            url, data=io.BytesIO(body), params=query, headers=sent, allow_redirects=False
        ) as answer:
            document = await answer.json() if answer.content_type == "application/json" else None
            return Answer(answer.status, dict(answer.headers), document)


@pytest.fixture
async def endpoint() -> AsyncIterator[InfluxEndpoint]:
    async with InfluxEndpoint() as endpoint:
        yield endpoint


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session:
        yield Client(session)


async def test_both_apis_store_points(endpoint: InfluxEndpoint, client: Client) -> None:
    assert (await client.v2(endpoint, GOOD)).status == 204
    assert endpoint.points() == TWO
    endpoint.empty()
    assert (await client.v1(endpoint, b"m,t=a f=1 1", "ms")).status == 204
    assert endpoint.points("city") == [StoredPoint("m", {"t": "a"}, {"f": 1.0}, 1_000_000)]
    assert endpoint.points("elsewhere") == []


async def test_a_point_written_again_is_counted_and_its_fields_are_joined(
    endpoint: InfluxEndpoint, client: Client
) -> None:
    await client.v2(endpoint, b"m,a=1,b=2 f=1,g=1 7")
    await client.v2(endpoint, b"m,b=2,a=1 f=2 7")
    (point,) = endpoint.points()
    assert point == StoredPoint("m", {"a": "1", "b": "2"}, {"f": 2.0, "g": 1.0}, 7)
    assert endpoint.write_counts[identity(point)] == 2


async def test_it_says_that_it_is_a_simulator(endpoint: InfluxEndpoint, client: Client) -> None:
    assert (await client.v2(endpoint, GOOD)).headers["X-Influxdb-Version"] == "prehod-simulator"
    async with client.session.get(f"{endpoint.url}/ping") as answer:
        assert (answer.status, answer.headers["X-Influxdb-Version"]) == (204, "prehod-simulator")
    async with client.session.get(f"{endpoint.url}/health") as answer:
        health = await answer.json()
    assert (health["status"], health["version"]) == ("pass", "prehod-simulator")
    async with client.session.get(f"{endpoint.url}/query", params={"q": "SELECT * FROM m"}) as answer:
        assert answer.status == 501
    async with client.session.get(f"{endpoint.url}/points") as answer:
        assert len(await answer.json()) == 2


async def test_every_gzip_member_is_read(endpoint: InfluxEndpoint, client: Client) -> None:
    body = b"".join(gzip.compress(line) for line in GOOD.splitlines(keepends=True))
    assert (await client.v2(endpoint, body, Content_Encoding="gzip")).status == 204
    assert endpoint.points() == TWO
    assert endpoint.writes[0].gzip_members == 2


async def test_a_decoder_that_stops_after_the_first_member_loses_the_rest_in_silence(client: Client) -> None:
    async with InfluxEndpoint(first_gzip_member_only=True) as endpoint:
        body = b"".join(gzip.compress(line) for line in GOOD.splitlines(keepends=True))
        assert (await client.v2(endpoint, body, Content_Encoding="gzip")).status == 204
        assert endpoint.points() == TWO[:1]


@pytest.mark.parametrize(
    "body",
    [b"no gzip", gzip.compress(GOOD)[:-3], gzip.compress(GOOD) + b"junk"],
    ids=["none", "torn", "with junk behind"],
)
async def test_a_damaged_gzip_body_is_refused(endpoint: InfluxEndpoint, client: Client, body: bytes) -> None:
    v1 = await client.v1(endpoint, body, Content_Encoding="gzip")
    v2 = await client.v2(endpoint, body, Content_Encoding="gzip")
    assert (v1.status, v1.json) == (400, {"error": "unexpected EOF"})
    assert v2.status == 400
    assert v2.json["code"] == "invalid"
    assert endpoint.points() == []


async def test_a_malformed_line_keeps_the_batch_out_of_v2_and_only_itself_out_of_v1(
    endpoint: InfluxEndpoint, client: Client
) -> None:
    body = GOOD + b"m\n"
    v2 = await client.v2(endpoint, body)
    assert (v2.status, v2.json) == (400, {"code": "invalid", "message": "unable to parse 'm': missing fields"})
    assert endpoint.points() == []
    v1 = await client.v1(endpoint, body)
    assert (v1.status, v1.json) == (
        400,
        {"error": "partial write: unable to parse 'm': missing fields dropped=0"},
    )
    assert endpoint.points() == TWO
    alone = await client.v1(endpoint, b"m")
    assert alone.json == {"error": "unable to parse 'm': missing fields"}


async def test_a_type_conflict_drops_its_points_and_stores_the_rest(endpoint: InfluxEndpoint, client: Client) -> None:
    await client.v2(endpoint, b"m f=1 1")
    words = (
        'partial write: field type conflict: input field "f" on measurement "m"'
        " is type integer, already exists as type float dropped=2"
    )
    v2 = await client.v2(endpoint, b'm f=1i 2\nm f="x" 3\nm g=1 4')
    assert (v2.status, v2.json["code"]) == (422, "unprocessable entity")
    assert v2.json["message"] == f"failure writing points to database: {words}"
    assert [point.time for point in endpoint.points()] == [1, 4]


async def test_a_type_conflict_answers_400_on_v1(endpoint: InfluxEndpoint, client: Client) -> None:
    await client.v1(endpoint, b"m f=1 1")
    answer = await client.v1(endpoint, b"m f=true 2\nm g=1 4")
    assert answer.status == 400
    assert answer.json["error"].endswith('"m" is type boolean, already exists as type float dropped=1')
    assert [point.time for point in endpoint.points()] == [1, 4]
    fresh = await client.v1(endpoint, b"n g=1 1\nn f=1 5\nn f=1i 6")
    assert fresh.json == {"error": "field type conflict"}
    assert not [point for point in endpoint.points() if point.measurement == "n"]


async def test_a_wrong_token_is_refused(client: Client) -> None:
    async with InfluxEndpoint(token="secret") as endpoint:
        refused = await client.v2(endpoint, GOOD, Authorization="Token wrong")
        assert (refused.status, refused.json) == (
            401,
            {"code": "unauthorized", "message": "unauthorized access"},
        )
        assert (await client.v1(endpoint, GOOD)).json == {"error": "authorization failed"}
        assert endpoint.points() == []
        assert (await client.v2(endpoint, GOOD, Authorization="Token secret")).status == 204
        assert (await client.v1(endpoint, GOOD, Authorization="Token user:secret")).status == 204
        basic = base64.b64encode(b"user:secret").decode()
        assert (await client.v1(endpoint, GOOD, Authorization=f"Basic {basic}")).status == 204


async def test_an_unknown_bucket_is_404(client: Client) -> None:
    async with InfluxEndpoint(buckets=["town"]) as endpoint:
        v2 = await client.v2(endpoint, GOOD)
        v1 = await client.v1(endpoint, GOOD)
    assert (v2.status, v2.json) == (404, {"code": "not found", "message": 'bucket "city" not found'})
    assert (v1.status, v1.json) == (404, {"error": 'database not found: "city"'})


async def test_an_unknown_precision_is_refused_by_v2_and_taken_for_nanoseconds_by_v1(
    endpoint: InfluxEndpoint, client: Client
) -> None:
    assert (await client.v2(endpoint, GOOD, "minutes")).status == 400
    assert (await client.v1(endpoint, b"m f=1 7", "us")).status == 204
    assert endpoint.points()[0].time == 7


async def test_a_body_over_the_limit_is_413_and_the_limit_counts_it_unpacked(client: Client) -> None:
    async with InfluxEndpoint(max_body=len(GOOD)) as endpoint:
        assert (await client.v2(endpoint, GOOD)).status == 204
        refused = await client.v2(endpoint, gzip.compress(GOOD * 100), Content_Encoding="gzip")
        assert (refused.status, refused.json["code"]) == (413, "request too large")


@pytest.mark.parametrize("status", [401, 403, 404, 413, 429, 500, 503])
async def test_a_refusal_is_shown_to_the_next_writes_only(
    endpoint: InfluxEndpoint, client: Client, status: int
) -> None:
    fault = endpoint.fail_with(Refusal(status), times=2)
    answers = [await client.v2(endpoint, GOOD) for _ in range(3)]
    assert [answer.status for answer in answers] == [status, status, 204]
    assert set(answers[0].json) == {"code", "message"}
    assert (fault.hits, fault.remaining) == (2, 0)
    assert max(endpoint.write_counts.values()) == 1


async def test_a_fault_without_a_number_stays_until_lifted(endpoint: InfluxEndpoint, client: Client) -> None:
    fault = endpoint.fail_with(Refusal(503, "maintenance"))
    for _ in range(3):
        assert (await client.v2(endpoint, GOOD)).json == {"code": "unavailable", "message": "maintenance"}
    fault.lift()
    assert (await client.v2(endpoint, GOOD)).status == 204
    endpoint.fail_with(Refusal(500))
    endpoint.recover()
    assert (await client.v2(endpoint, GOOD)).status == 204


@pytest.mark.parametrize(
    ("wish", "header"),
    [(7, "7"), (0.5, "0.5"), (datetime(2026, 3, 1, 12, 0, 5, tzinfo=UTC), "Sun, 01 Mar 2026 12:00:05 GMT")],
)
async def test_retry_after_comes_in_seconds_or_as_a_date(
    endpoint: InfluxEndpoint, client: Client, wish: float | datetime, header: str
) -> None:
    endpoint.fail_with(Refusal(429, retry_after=wish))
    for answer in (await client.v2(endpoint, GOOD), await client.v1(endpoint, GOOD)):
        assert (answer.status, answer.headers["Retry-After"]) == (429, header)


async def test_poison_lines_are_dropped_and_the_rest_is_stored(endpoint: InfluxEndpoint, client: Client) -> None:
    endpoint.fail_with(Poison(lambda line: "t=a" in line))
    v2 = await client.v2(endpoint, GOOD)
    assert v2.status == 422
    assert v2.json["message"].endswith("partial write: points beyond retention policy dropped=1")
    assert endpoint.points() == TWO[1:]
    v1 = await client.v1(endpoint, GOOD)
    assert (v1.status, v1.json) == (400, {"error": "partial write: points beyond retention policy dropped=1"})
    assert (await client.v2(endpoint, b"m,t=c f=1 1")).status == 204


async def test_a_poison_line_can_keep_its_whole_batch_out(endpoint: InfluxEndpoint, client: Client) -> None:
    endpoint.fail_with(Poison(lambda line: "t=a" in line, "unacceptable", rest_stored=False))
    answer = await client.v2(endpoint, GOOD)
    assert (answer.status, answer.json) == (400, {"code": "invalid", "message": "unacceptable"})
    assert endpoint.points() == []


async def test_any_fault_can_wait_for_a_line(endpoint: InfluxEndpoint, client: Client) -> None:
    endpoint.fail_with(Refusal(500), lines=lambda line: line.startswith("n"))
    assert (await client.v2(endpoint, GOOD)).status == 204
    assert (await client.v2(endpoint, GOOD + b"n f=1 1")).status == 500


async def test_a_slow_answer_comes_and_the_write_counts(endpoint: InfluxEndpoint, client: Client) -> None:
    endpoint.fail_with(Slow(0.01))
    assert (await client.v2(endpoint, GOOD)).status == 204
    assert endpoint.points() == TWO


async def test_a_hanging_write_is_read_never_answered_and_not_stored(
    endpoint: InfluxEndpoint, client: Client
) -> None:
    fault = endpoint.fail_with(Hang(), times=1)
    writing = asyncio.create_task(client.v2(endpoint, GOOD))
    await until(lambda: fault.hits == 1)
    assert not writing.done()
    await endpoint.stop()
    with pytest.raises(aiohttp.ClientError):
        await writing
    assert endpoint.points() == []
    await endpoint.start()
    assert (await client.v2(endpoint, GOOD)).status == 204


async def test_a_reset_breaks_the_connection_in_mid_body(endpoint: InfluxEndpoint, client: Client) -> None:
    endpoint.fail_with(Reset(), times=1)
    with pytest.raises(aiohttp.ClientError):
        await client.v2(endpoint, GOOD * 100_000)
    assert endpoint.points() == []
    assert endpoint.writes == []
    assert (await client.v2(endpoint, GOOD)).status == 204


async def test_an_answer_can_be_lost_after_the_write_was_stored(endpoint: InfluxEndpoint, client: Client) -> None:
    endpoint.fail_with(Reset(after_storing=True), times=1)
    with pytest.raises(aiohttp.ClientError):
        await client.v2(endpoint, GOOD)
    assert endpoint.points() == TWO
    assert (await client.v2(endpoint, GOOD)).status == 204
    assert set(endpoint.write_counts.values()) == {2}


async def test_a_redirect_names_another_address(endpoint: InfluxEndpoint, client: Client) -> None:
    endpoint.fail_with(Redirect("http://127.0.0.1:1/elsewhere"), times=1)
    answer = await client.v2(endpoint, GOOD)
    assert (answer.status, answer.headers["Location"]) == (307, "http://127.0.0.1:1/elsewhere")
    assert endpoint.points() == []


async def test_it_comes_back_on_its_port_with_what_it_had_or_as_an_empty_server(
    endpoint: InfluxEndpoint, client: Client
) -> None:
    await client.v2(endpoint, GOOD)
    url = endpoint.url
    await endpoint.stop()
    with pytest.raises(aiohttp.ClientConnectorError):
        await client.v2(endpoint, GOOD)
    await endpoint.start()
    assert endpoint.url == url
    assert endpoint.points() == TWO
    endpoint.empty()
    assert endpoint.points() == []
    assert (await client.v2(endpoint, b"m f=1i 1")).status == 204, "an empty server has no column types either"


async def test_what_the_server_behind_refuses_is_not_stored_here(client: Client) -> None:
    async with InfluxEndpoint() as behind, InfluxEndpoint(forward=behind.url) as endpoint:
        assert (await client.v2(endpoint, b"m f=1 1", "us")).status == 204
        assert behind.points() == endpoint.points() == [StoredPoint("m", {}, {"f": 1.0}, 1000)]
        behind.fail_with(Refusal(500), times=1)
        assert (await client.v2(endpoint, b"m f=2 2", "us")).status == 500
        assert len(endpoint.points()) == 1
        await behind.stop()
        assert (await client.v2(endpoint, b"m f=2 2", "us")).status == 503
