"""InfluxDB 3's own API, and its answers on version 2's page: refused lines are named, all others are stored."""

import gzip
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from firmware_sim.servers.influx.endpoint import InfluxEndpoint
from firmware_sim.servers.influx.faults import Poison, Refusal
from gateway.errors import BatchRefused, BatchTooLarge, RefusedLine, SinkAway, SinkBlocked, SinkError
from gateway.sinks.influxdb import InfluxSink
from gateway.sinks.settings import InfluxSettings
from tests.support.clock import FakeClock

LINE = b"air_quality,sensor=aq-1 pm25=12.5,quality=0i 1732281600000000000\n"
BODY = gzip.compress(LINE)

MakeSink = Callable[..., InfluxSink]


@pytest.fixture
async def endpoint() -> AsyncIterator[InfluxEndpoint]:
    async with InfluxEndpoint(token="apiv3_secret", buckets=["city"], influxdb3=True) as endpoint:
        yield endpoint


@pytest.fixture
async def make(endpoint: InfluxEndpoint, tmp_path: Path) -> AsyncIterator[MakeSink]:
    token = tmp_path / "token"
    token.write_text("apiv3_secret\n", encoding="utf-8")
    made: list[InfluxSink] = []

    def build(**settings: Any) -> InfluxSink:  # noqa: ANN401 -- any setting
        given = {"api": "v3", "database": "city"} if "api" not in settings else {}
        made.append(
            InfluxSink(InfluxSettings(url=endpoint.url, token_file=token, **{**given, **settings}), FakeClock())
        )
        return made[-1]

    yield build
    for sink in made:
        await sink.close()


async def _refusal(sink: InfluxSink, body: bytes = BODY) -> SinkError:
    with pytest.raises(SinkError) as caught:
        await sink.send(body)
    return caught.value


async def test_a_body_is_stored_by_database_with_a_bearer_token_and_no_organisation(
    make: MakeSink, endpoint: InfluxEndpoint
) -> None:
    await make().send(BODY)
    (point,) = endpoint.points("city")
    assert (point.fields, point.time) == ({"pm25": 12.5, "quality": 0}, 1_732_281_600_000_000_000)
    (write,) = endpoint.writes
    assert (write.api, write.gzip_members) == ("v3", 1)
    assert write.headers["Authorization"] == "Bearer apiv3_secret"


@pytest.mark.parametrize("api", ["v3", "v2"])
async def test_a_partial_write_names_its_lines_each_with_the_servers_words(
    make: MakeSink, endpoint: InfluxEndpoint, api: str
) -> None:
    sink = make() if api == "v3" else make(api="v2", org="ignored", bucket="city")
    await sink.send(BODY)
    lines = [LINE.replace(b"aq-1", b"aq-%d" % number) for number in range(5)]
    lines[1] = lines[1].replace(b"12.5", b"12i")
    lines[3] = lines[3].replace(b"12.5", b"")
    error = await _refusal(sink, gzip.compress(b"".join(lines)))
    assert isinstance(error, BatchRefused)
    assert [(line.number, line.words.split(":")[0]) for line in error.lines] == [
        (2, "field type conflict"),
        (4, "missing field value"),
    ]
    assert str(error).startswith("400: partial write of line protocol occurred: field type conflict")
    assert sorted(point.tags["sensor"] for point in endpoint.points()) == ["aq-0", "aq-1", "aq-2", "aq-4"]


async def test_one_line_alone_is_named_as_well(make: MakeSink, endpoint: InfluxEndpoint) -> None:
    endpoint.fail_with(Refusal(400, "parsing failed for write_lp endpoint", lines=((1, "air_quality", "No fields"),)))
    error = await _refusal(make())
    assert isinstance(error, BatchRefused)
    assert error.lines == (RefusedLine(1, "air_quality", "No fields"),)


@pytest.mark.parametrize(
    ("status", "words", "kind"),
    [
        (400, "serde error: unknown variant `n`", SinkBlocked),
        (401, "unauthorized", SinkBlocked),
        (403, "forbidden", SinkBlocked),
        (413, "request body too large", BatchTooLarge),
        (422, "Update to schema would exceed number of columns per table limit of 500", BatchRefused),
        (429, "too many requests", SinkAway),
        (500, "internal error", SinkAway),
        (503, "write buffer is not available", SinkAway),
    ],
)
async def test_each_answer_has_its_meaning(
    make: MakeSink, endpoint: InfluxEndpoint, status: int, words: str, kind: type[SinkError]
) -> None:
    endpoint.fail_with(Refusal(status, words), times=1)
    error = await _refusal(make())
    assert type(error) is kind
    assert words in str(error)


async def test_a_database_that_is_not_there_and_a_wrong_token_block_the_sink(
    make: MakeSink, endpoint: InfluxEndpoint
) -> None:
    assert "404, no such organisation, bucket or database" in str(await _refusal(make(api="v3", database="town")))
    endpoint.token = "another"
    assert isinstance(await _refusal(make()), SinkBlocked)


@pytest.mark.parametrize(
    ("settings", "words", "remedy"),
    [
        ({"api": "v2", "org": "o", "bucket": "city"}, "missing query parameter 'db'", ""),
        ({"api": "v2", "org": "o", "bucket": "city"}, "the database name is required", "api = 'v3' for InfluxDB 3"),
        (
            {"api": "v1", "database": "city"},
            "Please provide either orgID or org",
            "takes api = 'v2' with org and bucket",
        ),
    ],
)
async def test_a_name_that_the_server_misses_is_said_with_the_remedy(
    make: MakeSink, endpoint: InfluxEndpoint, settings: dict[str, str], words: str, remedy: str
) -> None:
    endpoint.token = None
    endpoint.fail_with(Refusal(400, words), times=1)
    error = await _refusal(make(**settings))
    assert isinstance(error, SinkBlocked)
    assert words in str(error)
    assert remedy in str(error)


async def test_an_influxdb_2_that_is_asked_as_3_is_recognised(make: MakeSink, endpoint: InfluxEndpoint) -> None:
    endpoint.fail_with(Refusal(404, "path not found"), times=1)
    assert "is this InfluxDB 3? InfluxDB 2 takes api = 'v2'" in str(await _refusal(make()))


# Refusals that InfluxDB 2.0 calls faults of its own


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("points beyond retention policy", BatchRefused),
        ('field type conflict: input field "pm25" is type integer', BatchRefused),
        ("max-values-per-tag limit exceeded", BatchRefused),
    ],
)
async def test_a_500_that_is_about_lines_is_a_refused_batch(reason: str, kind: type[SinkError]) -> None:
    async with InfluxEndpoint() as endpoint:
        endpoint.fail_with(Poison(lambda line: "aq-1" in line, reason, status=500))
        sink = InfluxSink(InfluxSettings(url=endpoint.url, org="o", bucket="city"), FakeClock())
        try:
            error = await _refusal(sink, gzip.compress(LINE + LINE.replace(b"aq-1", b"aq-2")))
        finally:
            await sink.close()
        assert type(error) is kind
        assert reason in str(error)
        assert len(endpoint.points()) == 1


@pytest.mark.parametrize(
    "words",
    [
        "unexpected error writing points to database: timeout",
        "unexpected error writing points to database: engine: error rolling segment: no space left on device",
        "An internal error has occurred - check server logs",
    ],
)
async def test_a_500_that_is_not_about_lines_is_a_server_that_is_away(
    make: MakeSink, endpoint: InfluxEndpoint, words: str
) -> None:
    endpoint.fail_with(Refusal(500, words), times=1)
    error = await _refusal(make())
    assert isinstance(error, SinkAway)
    assert error.answered
    assert error.in_doubt
