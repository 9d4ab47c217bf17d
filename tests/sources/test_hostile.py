"""Messages from somebody who means harm, through real drivers and the intake, read back by another's parser."""

import gzip
import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import drivers
from firmware_sim.servers.influx import line_protocol
from firmware_sim.truth.points import StoredPoint
from gateway.clock import Timekeeper
from gateway.config.models import Gateway
from gateway.contract import VOCABULARY
from gateway.health import Health, SourceHealth
from gateway.ingest.committer import Committer
from gateway.ingest.delivery import PARKED, READINGS
from gateway.ingest.fields import FieldEncoder
from gateway.ingest.intake import Intake, Origin
from gateway.ingest.settings import SensorSettings
from gateway.links.mqtt.packets import Message
from gateway.links.mqtt.settings import MqttSettings
from gateway.refused import MAX_RAW
from gateway.sources.messages import BEGINNING, MessageReader
from gateway.sources.mqtt import MqttIngest
from gateway.spool import UNKNOWN_SENSORS, Batch, Spool, SpoolSettings
from tests.support.clock import FakeClock

LAW = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
KNOWN = SensorSettings(id="spot-17", codec="bosch_tps110")


class Attack:
    """One source whose messages may be anything; what comes of them is read by an independent parser."""

    def __init__(self, committer: Committer, intake: Intake, health: SourceHealth) -> None:
        self.committer, self.intake, self.health = committer, intake, health

    def ingest(self, driver: str, *, park: bool = False, **options: Any) -> MqttIngest:  # noqa: ANN401 -- a driver's own
        found = drivers.load(driver)
        codec = drivers.load_codec("bosch_tps110")
        made: Any = found.decoder(found.options.model_validate(options))
        return MqttIngest(
            "broker",
            MqttSettings(url="mqtt://127.0.0.1", client_id="test", topics=("#",)),
            MessageReader(
                made,
                Origin("broker", FieldEncoder({one.name: one for one in found.fields}), park_unknown=park),
                codecs=lambda identity: (codec, codec.options()) if identity == "70b3d57ed0041234" else None,
                max_message=found.max_frame,
                intake=self.intake,
                health=self.health,
            ),
            committer=self.committer,
            health=self.health,
            clock=FakeClock(),
        )

    @property
    def lines(self) -> list[bytes]:
        """The readings that wait in the committer."""
        return self._of(READINGS)

    @property
    def parked(self) -> list[bytes]:
        """The same, of strangers, as they would stand in the spool."""
        return self._of(PARKED)

    def _of(self, kind: int) -> list[bytes]:
        groups = [*self.committer._sealed, self.committer._group]
        return [line for group in groups if kind in group.lines for line in group.lines[kind].lines]

    @contextmanager
    def expects(self) -> Iterator[list[StoredPoint]]:
        """Yield a list that, at the end, holds the points that came: as many as were counted, each of our making."""
        before, counted = len(self.lines), self.health.readings
        points: list[StoredPoint] = []
        yield points
        points += parsed(b"\n".join(self.lines[before:]))
        assert len(points) <= self.health.readings - counted
        for point in points:
            assert point.measurement in {"air_quality", "parking", "traffic"}
            assert (point.tags["city"], point.tags["gateway"]) == ("Koper", "koper-01")
            assert (
                {"city", "gateway", "sensor"}
                <= point.tags.keys()
                <= {"city", "gateway", "sensor", "district", "lane"}
            )
            assert point.tags["district"] == "center"
            assert point.fields.keys() <= {*VOCABULARY, "quality"}


def parsed(text: bytes) -> list[StoredPoint]:
    points = []
    for outcome in line_protocol.parse(text, default_time=0):
        assert isinstance(outcome, StoredPoint), outcome
        points.append(outcome)
    return points


@pytest.fixture
def attack(committer: Committer, timekeeper: Timekeeper, health: Health) -> Attack:
    own = Gateway(id="koper-01", city="Koper", tags={"district": "center"})
    sensors = {"70b3d57ed0041234": KNOWN}
    taking = Intake(own, sensors, timekeeper=timekeeper, health=health)
    return Attack(committer, taking, health.source("broker"))


def send(ingest: MqttIngest, topic: str, payload: bytes) -> None:
    ingest._deliver(Message(topic, payload, 0, repeated=False, retained=False), None)  # type: ignore[arg-type] # nobody acknowledges QoS 0


NASTY = st.text(
    alphabet=st.one_of(
        st.sampled_from(list(', =\n\r\t"\\#\0\x0b\x0c\x1c\x85\u2028\u2029{}[]+/$')),
        st.characters(exclude_categories=["Cs"]),
    ),
    min_size=1,
    max_size=140,
)
LINES = st.sampled_from(
    [
        "x\nair_quality,city=Piran,sensor=forged pm25=999 1",
        "x pm25=1 1\nparking,sensor=y occupied=true 1",
        'a"b\\" pm25=1',
        "a\\",
        "a\\\\",
        "a,city=Piran",
        "#comment",
        "a=b c",
    ]
)
WORDS = NASTY | LINES
NUMBERS = st.integers(-(2**80), 2**80) | st.floats() | st.booleans() | st.none() | WORDS
FIRMWARE = {"path": "f", "optional": True}
STATION: dict[str, Any] = {
    "kind": "air_quality",
    "sensor": "topic:1",
    "fields": {"pm25": "v", "firmware_version": FIRMWARE},
}


@LAW
@given(name=WORDS, value=st.floats(0, 500) | NUMBERS, firmware=WORDS | NUMBERS)
async def test_nobody_writes_a_line_of_his_own_through_a_topic_or_a_payload(
    attack: Attack, name: str, value: object, firmware: object
) -> None:
    by_topic = attack.ingest("json", **STATION)
    by_payload = attack.ingest("json", **{**STATION, "sensor": "id"})
    payload = json.dumps({"id": name, "v": value, "f": firmware}).encode()
    with attack.expects() as points:
        send(by_topic, f"city/{name}/state", payload)
        send(by_payload, "city/x/state", payload)
    assert len(points) <= 2
    assert all(math.isfinite(float(point.fields.get("pm25", 0))) for point in points)


EVENT: dict[str, Any] = {
    "deduplicationId": "id",
    "time": "2024-11-22T13:20:00+00:00",
    "deviceInfo": {"devEui": "70b3d57ed0041234", "applicationName": "a", "tags": {}},
    "fPort": 1,
    "data": "AQ==",
    "object": {"occupied": True, "pm25": 3.0},
    "rxInfo": [{"rssi": -70, "snr": 3}],
}
PATHS = [
    ("deduplicationId",),
    ("time",),
    ("deviceInfo", "devEui"),
    ("deviceInfo", "tags"),
    ("fPort",),
    ("data",),
    ("object",),
    ("object", "occupied"),
    ("object", "firmware_version"),
    ("rxInfo",),
]


@LAW
@given(path=st.sampled_from(PATHS), said=NUMBERS | st.dictionaries(WORDS, NUMBERS) | st.lists(NUMBERS))
async def test_nobody_writes_a_line_of_his_own_through_a_lorawan_uplink(
    attack: Attack, path: tuple[str, ...], said: object
) -> None:
    event = json.loads(json.dumps(EVENT))
    inside = event
    for step in path[:-1]:
        inside = inside[step]
    inside[path[-1]] = said
    with attack.expects():
        send(
            attack.ingest("chirpstack"), "application/1/device/70b3d57ed0041234/event/up", json.dumps(event).encode()
        )


@LAW
@given(topic=NASTY, payload=st.binary(max_size=200) | st.binary(max_size=200).map(gzip.compress))
async def test_whatever_bytes_come_on_whatever_topic_nothing_is_stored_of_them(
    attack: Attack, topic: str, payload: bytes
) -> None:
    with attack.expects() as points:
        for driver, options in (("json", STATION), ("chirpstack", {})):
            send(attack.ingest(driver, **options), topic, payload)
    assert not points


@pytest.mark.parametrize(
    "payload",
    [
        gzip.compress(bytes(100_000_000)),
        b'{"v": 1, "f": "' + b"x" * 200_000 + b'"}',
        b'{"v": 1' + b" " * 10_000_000 + b"}",
        b"[" * 200_000,
        b'{"v":' * 50_000 + b"1" + b"}" * 50_000,
        b'{"v": 1' + b"0" * 100_000 + b"}",
        b'{"v": 1' + b', "v": 2' * 20_000 + b', "f": "\\ud800"}',
    ],
    ids=["bomb", "long text", "10 MB", "deep", "deep and closed", "long number", "twice and a lone surrogate"],
)
async def test_an_enormous_payload_gives_at_most_a_reject_and_its_beginning_is_kept(
    attack: Attack, payload: bytes
) -> None:
    with attack.expects():
        send(attack.ingest("json", **STATION), "city/x/state", payload)
    assert all(len(reject.raw) <= 64 for reject in attack.health.last_rejects)
    longest = drivers.load("json").max_frame
    assert attack.committer._size < 1000 + min(len(payload), BEGINNING if len(payload) > longest else MAX_RAW)


@LAW
@given(names=st.lists(WORDS, min_size=1, max_size=20))
async def test_a_stranger_who_is_parked_writes_nothing_into_the_quarantine_but_his_own_reading(
    attack: Attack, tmp_path_factory: pytest.TempPathFactory, names: list[str]
) -> None:
    attack.committer._group.lines.clear()
    ingest = attack.ingest("json", park=True, **{**STATION, "sensor": "id"})
    for number, name in enumerate(names):
        send(ingest, "city/x/state", json.dumps({"id": name, "v": number}).encode())
    lines = attack.parked
    root = tmp_path_factory.mktemp("spool")
    with Spool.open(root, SpoolSettings(min_free_bytes=0), sinks=[]) as spool:
        if lines:
            spool.commit([Batch(b"".join(line + b"\n" for line in lines), len(lines), 0, 0, parked=True)])
            spool.carry_out_requests()
        file = spool.quarantine.path(UNKNOWN_SENSORS)
        text = file.read_bytes() if file.exists() else b""
    for segment in root.glob("*.lp.gz"):  # and nothing into the spool but comments
        assert all(line.startswith(b"#") for line in gzip.decompress(segment.read_bytes()).splitlines())
    points = parsed(b"\n".join(line for line in text.split(b"\n") if line and not line.startswith(b"#")))
    assert len(points) == len(lines)
    assert all(point.tags["city"] == "Koper" for point in points)


async def test_a_flood_of_invented_names_costs_a_bound_and_one_line_in_the_log(attack: Attack) -> None:
    attack.intake._max_series = 50
    ingest = attack.ingest("json", **STATION)
    with structlog.testing.capture_logs() as logs:
        for number in range(2000):
            send(ingest, f"city/invented-{number}/state", b'{"v": 1}')
    uplink = json.dumps(EVENT).encode()
    send(attack.ingest("chirpstack"), "application/1/device/70b3d57ed0041234/event/up", uplink)
    sensors = {point.tags["sensor"] for point in parsed(b"\n".join(attack.lines))}
    assert len(sensors) == 51
    assert "spot-17" in sensors, "who is in the configuration is never parked"
    assert len(attack.intake._series) <= 51
    assert [entry["reason"] for entry in logs] == ["more than 50 series"]
