import base64
import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest

from firmware_sim.devices.chirpstack import APPLICATION, ChirpStack, rfc3339
from firmware_sim.devices.tps110 import HEARTBEAT, START_UP, STATUS, Tps110
from firmware_sim.parts.twin import NEVER, Message
from firmware_sim.truth.ledger import Truth

EUI = "70b3d57ed0041234"
NOON = 1_721_381_655_775_023_242


@pytest.fixture
def truth() -> Truth:
    return Truth()


def make(
    truth: Truth, dwell: float = 1800.0, *, reports_temperature: bool = False, server_codec: bool = False
) -> Tps110:
    return Tps110(
        EUI,
        "spot-1",
        truth,
        ChirpStack("seed"),
        "seed",
        dwell=dwell,
        reports_temperature=reports_temperature,
        server_codec=server_codec,
    )


def run(spot: Tps110, messages: int) -> list[dict[str, Any]]:
    """Let time pass until so many messages were sent; return the events."""
    sent: list[Message] = []
    while len(sent) < messages:
        now = spot.due()
        sent += spot.tick(now, NOON + int(now * 1e9))
    for message in sent:
        message.heard(True)
        assert message.topic == f"application/{APPLICATION}/device/{EUI}/event/up"
    return [json.loads(message.payload) for message in sent]


def payload(event: dict[str, Any]) -> str:
    return base64.b64decode(event["data"]).hex()


def test_the_first_message_is_the_start_up_of_the_sheet(truth: Truth) -> None:
    (event,) = run(make(truth), 1)
    assert event["fPort"] == START_UP
    assert payload(event) == "240300007503000000000000001d020200"


def test_a_change_sends_one_byte_on_port_one(truth: Truth) -> None:
    events = [event for event in run(make(truth, dwell=60.0), 20) if event["fPort"] == STATUS]
    assert [payload(event) for event in events] == ["01", "00"] * 9 + ["01"] * (len(events) % 2)


def test_a_heartbeat_comes_every_day_with_the_temperature_where_it_has_one(truth: Truth) -> None:
    plain = run(make(truth, dwell=1e12), 3)[1:]
    assert [(event["fPort"], payload(event)) for event in plain] == [(HEARTBEAT, "00")] * 2
    first, second = (datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", event["time"])) for event in plain)
    assert (second - first).total_seconds() == pytest.approx(86_400)
    warm = run(make(truth, dwell=1e12, reports_temperature=True), 2)[1]
    degrees = int.from_bytes(base64.b64decode(warm["data"])[1:], "little", signed=True)
    assert list(truth)[-1].fields == {"occupied": False, "temperature": float(degrees)}


def test_the_ledger_has_the_time_as_it_was_printed(truth: Truth) -> None:
    events = run(make(truth, dwell=60.0), 10)
    assert [event["time"] for event in events] == [rfc3339(taken.time or 0) for taken in truth]
    assert {taken.sensor for taken in truth} == {EUI}
    assert rfc3339(1_658_136_855_775_023_242) == "2022-07-18T09:34:15.775023242+00:00"
    assert rfc3339(1_658_136_855_000_000_007) == "2022-07-18T09:34:15.000000007+00:00"
    assert datetime.fromtimestamp(1_658_136_855, UTC).hour == 9


def test_the_event_leaves_out_what_is_zero_or_empty(truth: Truth) -> None:
    first, second = run(make(truth), 2)
    assert "fCnt" not in first
    assert second["fCnt"] == 1
    assert not {"object", "confirmed"} & first.keys()
    assert first["deviceInfo"]["devEui"] == EUI
    assert all({"gatewayId", "rssi", "snr", "location"} <= station.keys() for station in first["rxInfo"])
    assert "tags" in first["deviceInfo"]


def test_a_server_with_a_codec_sends_what_it_decoded(truth: Truth) -> None:
    events = run(make(truth, dwell=60.0, server_codec=True), 3)
    assert [event["object"]["occupied"] for event in events] == [False, True, False]


def test_each_uplink_has_its_own_identity(truth: Truth) -> None:
    identities = [event["deduplicationId"] for event in run(make(truth, dwell=60.0), 200)]
    assert len(set(identities)) == 200
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", identities[0])


def test_what_nobody_acknowledged_is_not_entered_or_uncertain(truth: Truth) -> None:
    spot = make(truth, dwell=60.0)
    for arrived in (False, None):
        (message,) = spot.tick(spot.due(), NOON)
        message.heard(arrived)
    assert [taken.certain for taken in truth] == [False]


def test_after_stop_nothing_is_due(truth: Truth) -> None:
    spot = make(truth)
    spot.stop()
    assert spot.due() == NEVER
    assert spot.tick(1e9, NOON) == []
