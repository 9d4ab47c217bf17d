"""One city, every kind of sensor, two databases: what was measured is what is stored, and what the spool says."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

from firmware_sim.bench.city import City, Pace, Size
from firmware_sim.patience import patience
from firmware_sim.servers.readback import as_victoria_metrics, read_points
from firmware_sim.servers.servers import Influxd, Mosquitto, VictoriaMetrics
from firmware_sim.truth.compare import compare
from firmware_sim.truth.ledger import Truth
from firmware_sim.truth.points import StoredPoint, Value
from tests.system.conftest import Rig

pytestmark = pytest.mark.system

LIVELY = Pace(rate=20, dwell=10, heartbeat=60, station_interval=2, headway=0.1)
KINDS = ("air_quality", "parking", "traffic")
ENOUGH = 5
"""Readings, and vehicles, of each kind."""

MILLISECOND = 1_000_000

TYPES: dict[str, type[Value]] = {
    "pm25": float,
    "pm10": float,
    "no2": float,
    "temperature": float,
    "relative_humidity": float,
    "occupied": bool,
    "event": str,
    "firmware_version": str,
    "reset_cause": int,
    "device_error": int,
    "frame_counter": int,
    "rssi": float,
    "snr": float,
    "intensity": int,
    "period": float,
    "average_vehicle_speed": float,
    "max_vehicle_speed": float,
    "quality": int,
}
"""Every field that this city's devices have, with the type that it must keep for ever."""


@dataclass
class Journey:
    """What was measured, and what three places say of it."""

    truth: Truth
    spooled: list[StoredPoint]
    influxdb: list[StoredPoint]
    victoria_metrics: list[StoredPoint]


@pytest.fixture(scope="module")
def journey(new_rig: Callable[[Path], Rig], tmp_path_factory: pytest.TempPathFactory) -> Journey:
    return asyncio.run(_travel(new_rig, tmp_path_factory.mktemp("journey")))


async def _travel(new_rig: Callable[[Path], Rig], directory: Path) -> Journey:
    async with new_rig(directory) as rig:
        broker, influxd = await rig.serve(Mosquitto), await rig.serve(Influxd)
        victoria_metrics = await rig.serve(VictoriaMetrics)
        city = City(7, directory / "city", broker=broker.url, size=Size(2, 1, 40, 2), pace=LIVELY)
        parts = city.sources_toml(interval="1s"), rig.sink(influxd), rig.sink(victoria_metrics)
        gateway = await rig.gateway(*parts)
        # What is published before a subscription is nobody's.
        await gateway.until(lambda state: state["sources"]["lorawan"]["up"] and state["sources"]["stations"]["up"])
        async with city:
            await gateway.listening()
            async with asyncio.timeout(patience()):
                while min(city.truth.counts[kind] for kind in KINDS) < ENOUGH:  # noqa: ASYNC110 -- it tells nobody
                    await asyncio.sleep(0.1)
            assert await city.stop_measuring()
            await gateway.until(lambda state: not any(state["spool"]["pending"].values()))
            await gateway.stop()
        assert gateway.exit_code == 0
        assert not gateway.logged(level="error"), gateway.logged(level="error")
        return Journey(city.truth, gateway.spooled(), await read_points(influxd), await read_points(victoria_metrics))


def test_every_kind_of_sensor_was_heard(journey: Journey) -> None:
    fields = {name for point in journey.spooled for name in point.fields}
    assert fields == TYPES.keys()


def test_influxdb_has_what_was_measured_once_and_to_the_nanosecond(journey: Journey) -> None:
    report = compare(journey.truth, journey.influxdb)
    assert report.exact, report.differences


def test_victoria_metrics_has_what_was_measured_once_and_to_the_millisecond(journey: Journey) -> None:
    report = compare(journey.truth, _wide(journey.victoria_metrics), time_step=MILLISECOND, field_by_field=True)
    assert report.exact, report.differences


def test_zcat_of_the_spool_prints_what_was_measured(journey: Journey) -> None:
    report = compare(journey.truth, journey.spooled)
    assert report.exact, report.differences


def test_influxdb_has_every_field_tag_and_time_of_the_spool_in_its_type(journey: Journey) -> None:
    assert _exactly(journey.influxdb) == _exactly(journey.spooled)
    for point in journey.influxdb:
        for name, value in point.fields.items():
            assert type(value) is TYPES[name], f"{name} is {value!r}"
        assert point.tags["city"] == "Koper"
        assert point.tags["gateway"] == "koper-test"


def test_victoria_metrics_has_every_field_tag_and_time_of_the_spool_as_numbers(journey: Journey) -> None:
    assert _exactly(journey.victoria_metrics) == _exactly(as_victoria_metrics(journey.spooled))


def test_readings_of_a_serial_sensor_are_stored_in_the_order_in_which_it_gave_them(journey: Journey) -> None:
    for sensor in ("aq-01", "aq-02"):
        given = [taken.fields["pm25"] for taken in journey.truth if taken.stored_as == sensor and taken.certain]
        points = sorted(
            (p for p in journey.influxdb if p.tags["sensor"] == sensor and "pm25" in p.fields),
            key=lambda point: point.time,
        )
        assert [point.fields["pm25"] for point in points] == given
        assert len({point.time for point in points}) == len(points)


def _exactly(points: Iterable[StoredPoint]) -> Counter[object]:
    """Return points so that 1, 1.0 and true are three things; floats to 12 digits, which is what they all keep."""
    return Counter(
        (
            point.measurement,
            point.time,
            tuple(sorted(point.tags.items())),
            tuple(sorted((name, type(value).__name__, _digits(value)) for name, value in point.fields.items())),
        )
        for point in points
    )


def _digits(value: Value) -> str:
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def _wide(metrics: Iterable[StoredPoint]) -> list[StoredPoint]:
    """Put metrics, which are single fields, together as readings, of one millisecond in any way."""
    readings: dict[tuple[str, frozenset[tuple[str, str]], int, int], dict[str, Value]] = {}
    copies: Counter[tuple[str, frozenset[tuple[str, str]], int]] = Counter()
    for metric in metrics:
        kind = next(kind for kind in ("air_quality", "parking", "traffic") if metric.measurement.startswith(kind))
        tags = frozenset(metric.tags.items())
        copies[metric.measurement, tags, metric.time] += 1
        copy = copies[metric.measurement, tags, metric.time]
        fields = readings.setdefault((kind, tags, metric.time, copy), {})
        fields[metric.measurement.removeprefix(f"{kind}_")] = metric.fields["value"]
    return [StoredPoint(kind, dict(tags), fields, time) for (kind, tags, time, _), fields in readings.items()]
