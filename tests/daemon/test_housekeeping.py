"""What the spool needs beside being written and read: nothing is dropped without a line in the ledger."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from gateway.clock import Timekeeper
from gateway.config.models import Gateway
from gateway.contract import Measurement
from gateway.daemon.housekeeping import Housekeeping
from gateway.errors import QuarantineFull
from gateway.health import Health
from gateway.ingest.committer import Committer
from gateway.ingest.delivery import Delivery
from gateway.ingest.fields import FieldEncoder
from gateway.ingest.intake import Intake, Origin
from gateway.ingest.settings import SensorSettings
from gateway.links.line_settings import SerialSettings
from gateway.refused import RefusedSettings, RefusedStore
from gateway.sources.serial import SerialIngest
from gateway.sources.serial_device import SerialDevice
from gateway.spool import Batch, Spool, SpoolSettings
from tests.support.clock import FakeClock
from tests.support.store import FakeStore
from tests.support.until import until

AT = 1_732_281_600_000_000_000


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    settings = SpoolSettings(max_bytes=8_000, min_free_bytes=0, on_full="refuse_new")
    with Spool.open(tmp_path / "spool", settings, sinks=["influx"]) as spool:
        yield spool


@pytest.fixture
def told() -> list[int]:
    return []


@pytest.fixture
def housekeeping(spool: Spool, health: Health, told: list[int]) -> Iterator[Housekeeping]:
    refused = RefusedStore(spool.root.parent / "refused", RefusedSettings(), spool)
    housekeeping = Housekeeping(spool, refused, health, lambda: AT, lambda: told.append(spool.next_seq))
    yield housekeeping
    housekeeping.close()


def ledger(spool: Spool) -> list[dict[str, Any]]:
    path = spool.root / "losses.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def batch(count: int) -> Batch:
    lines = b"".join(b"air_quality,sensor=aq-%d pm10=%d %d\n" % (n, n * 7919 % 1000, AT + n) for n in range(count))
    return Batch(lines, count, AT, AT + count)


class Speaker:
    """A decoder that has one measurement left whenever it is asked."""

    def finish(self) -> list[Measurement]:
        return [Measurement("air_quality", {"pm10": 1.0})]


async def test_what_a_serial_line_loses_while_the_disk_is_full_is_in_the_ledger_with_its_sensor(
    committer: Committer,
    *,
    timekeeper: Timekeeper,
    health: Health,
    spool: Spool,
    housekeeping: Housekeeping,
    clock: FakeClock,
) -> None:
    intake = Intake(Gateway(id="g", city="c"), {}, timekeeper=timekeeper, health=health)
    origin = Origin("tito", FieldEncoder({}), sensor="aq-tito", settings=SensorSettings(id="aq-1"))
    speaker: Any = Speaker
    device = SerialDevice(speaker, origin, interval=1.0, timeout=1.0)
    device.restart_decoder(0.0)
    source = SerialIngest(
        SerialSettings("/dev/none", 9600),
        [device],
        intake=intake,
        committer=committer,
        health=health.source("tito"),
        clock=clock,
    )
    committer.most_lines = 0
    for _ in range(3):
        source.finish()
    await housekeeping.look()
    [entry] = ledger(spool)
    assert (entry["rule"], entry["count"], entry["sensors"]) == ("serial_refused", 3, ["aq-1"])
    assert (entry["from"], entry["to"], entry["segment"]) == (None, None, None)
    assert entry["first_time"] <= entry["last_time"]
    # More of it: not a line each, but a line after a minute, and then less and less often.
    for second in range(4 * 3600):
        source.finish()
        clock.pass_by(10**9)
        await housekeeping.record_refusals()
        assert second < 59 or len(ledger(spool)) > 1
    assert 6 < len(ledger(spool)) < 14
    await housekeeping.record_refusals(everything=True)
    assert sum(entry["count"] for entry in ledger(spool)) == health.refused == 3 + 4 * 3600


async def test_what_the_quarantine_does_not_take_is_in_the_ledger(
    running: Committer,
    *,
    store: FakeStore,
    health: Health,
    spool: Spool,
    housekeeping: Housekeeping,
) -> None:
    store.no_room = QuarantineFull("64 MiB")
    delivery = Delivery()
    delivery.park("unknown sensor x", b"air_quality,sensor=x pm10=1 5", AT)
    delivery.park("unknown sensor y", b"air_quality,sensor=y pm10=1 5", AT)
    running.add(delivery)
    running.hurry()
    await until(lambda: health.refused == 2)
    await housekeeping.look()
    [entry] = ledger(spool)
    assert (entry["rule"], entry["count"], entry["sensors"]) == ("quarantine_full", 2, ["x", "y"])


async def test_counts_wait_in_memory_while_the_ledger_cannot_be_written(
    health: Health, spool: Spool, housekeeping: Housekeeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full() -> None:
        raise OSError(28, "No space left on device")

    health.refuse("serial_refused", "why", 5, ["a"])
    monkeypatch.setattr(spool.ledger, "flush", full)
    await housekeeping.look()
    health.refuse("serial_refused", "why", 2, ["b"])
    monkeypatch.undo()
    await housekeeping.look()
    [entry] = ledger(spool)
    assert (entry["count"], entry["sensors"]) == (7, ["a", "b"])


async def test_each_level_that_the_spool_passes_is_one_line_in_the_log(
    spool: Spool, housekeeping: Housekeeping
) -> None:
    with structlog.testing.capture_logs() as log:
        for _ in range(3):
            await housekeeping.look()
        while not spool.levels().full:
            spool.writer.append(batch(20))
            await housekeeping.look()
            await housekeeping.look()
        spool.consumer("influx").seek(spool.next_seq)
        await housekeeping.look()
    assert [(entry["event"], entry.get("filled")) for entry in log] == [
        ("spool filling", "50%"),
        ("spool filling", "80%"),
        ("spool full; see on_full in [spool]", None),
        ("spool has room again", "0%"),
    ]


async def test_a_spool_that_is_nearly_full_is_a_problem(
    spool: Spool, health: Health, housekeeping: Housekeeping
) -> None:
    health.clock_known = True
    while not spool.levels().full:
        spool.writer.append(batch(20))
    await housekeeping.look()
    [problem] = health.problems()
    assert problem.startswith("spool: full, ")
    assert health.snapshot()["pressure"]["fill"] == 1


async def test_requeued_readings_are_told_to_the_forwarders(
    spool: Spool, housekeeping: Housekeeping, told: list[int]
) -> None:
    spool.quarantine.append("influx", b"a x=1 1", "no")
    (spool.root / "requests" / "1.json").write_text('{"do": "requeue", "sink": "influx"}')
    with structlog.testing.capture_logs() as log:
        await housekeeping.look()
        await housekeeping.look()
    assert told == [1]
    assert [entry["event"] for entry in log] == ["request carried out"]
