"""From a measurement to exactly one line: names, times, doubts, and who is parked."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firmware_sim.servers.influx import line_protocol
from firmware_sim.truth.points import StoredPoint
from gateway.clock import Timekeeper
from gateway.config.models import Gateway
from gateway.contract import VOCABULARY, Field, Measurement, Quality, Reject, field
from gateway.health import Health
from gateway.ingest.delivery import DEFERRED, PARKED, READINGS, Delivery
from gateway.ingest.fields import FieldEncoder
from gateway.ingest.intake import Intake, Origin, Reading
from gateway.ingest.settings import SensorSettings
from gateway.spool import QuarantinedLine, unpark
from tests.support.clock import FakeClock

NOW = 1_732_281_600_000_000_000
MINUTE = 60 * 10**9
AIR = {"pm25": 12.5, "pm10": 20.0}


def origin(source: str = "broker", **more: Any) -> Origin:  # noqa: ANN401 -- any part of an origin
    ranges: dict[str, Field] = {"pm25": field("pm25", 0, 999.9)}
    return Origin(source, FieldEncoder(ranges), **more)


@pytest.fixture
def own() -> Gateway:
    return Gateway(id="koper-01", city="Koper", location=(45.5, 13.7), tags={"district": "center", "net": "gateway"})


MakeIntake = Callable[..., Intake]


@pytest.fixture
def make(timekeeper: Timekeeper, health: Health, own: Gateway) -> MakeIntake:
    health.source("broker")
    health.source("serial")

    def build(sensors: dict[str, SensorSettings] | None = None, ahead: dict[bytes, int] | None = None) -> Intake:
        return Intake(own, sensors or {}, timekeeper=timekeeper, health=health, ahead=ahead or {})

    return build


def air(sensor: str | None = "aq-1", **more: Any) -> Measurement:  # noqa: ANN401 -- any part of a measurement
    return Measurement("air_quality", more.pop("fields", AIR), sensor=sensor, **more)


@pytest.fixture
def delivery() -> Delivery:
    """Whatever a test has accepted."""
    return Delivery()


def lines_of(delivery: Delivery) -> list[bytes]:
    """Return the readings, UTC first."""
    return of_kind(delivery, READINGS) + of_kind(delivery, DEFERRED)


def of_kind(delivery: Delivery, wanted: int) -> list[bytes]:
    return [line for kind, _, line in delivery.lines if kind == wanted]


def parked_in(delivery: Delivery) -> list[QuarantinedLine]:
    return unpark(b"\n".join(of_kind(delivery, PARKED)), None)


def points_of(delivery: Delivery) -> list[StoredPoint]:
    points = []
    for text in lines_of(delivery):
        (line,) = line_protocol.lines(text)
        point = line_protocol.parse_line(line, 0)
        assert isinstance(point, StoredPoint), point
        points.append(point)
    return points


# names and values


async def test_a_measurement_becomes_one_line_with_its_names_and_types(make: MakeIntake, delivery: Delivery) -> None:
    given_fields = {"pm25": 12, "pm10": 20.0, "firmware_version": "18-11-16", "device_error": 3}
    assert make().accept(air(fields=given_fields), origin(), delivery) is None
    assert lines_of(delivery) == [
        b"air_quality,city=Koper,district=center,gateway=koper-01,net=gateway,sensor=aq-1 "
        b'device_error=3i,firmware_version="18-11-16",pm10=20,pm25=12,quality=0i %d' % NOW
    ]
    assert [(kind, at) for kind, at, _ in delivery.lines] == [(READINGS, NOW)]


async def test_the_nearest_tag_wins_and_ours_cannot_be_overridden(make: MakeIntake, delivery: Delivery) -> None:
    sensors = {"aq-1": SensorSettings(id="aq-tito", tags={"district": "sensor", "lot": "sensor"})}
    one = origin(tags={"district": "source", "lot": "source", "net": "source"})
    tags = {"lot": "measurement", "city": "Piran", "sensor": "another", "gateway": "no"}
    make(sensors).accept(air(tags=tags), one, delivery)
    (point,) = points_of(delivery)
    assert point.tags == {
        "city": "Koper",
        "gateway": "koper-01",
        "sensor": "aq-tito",
        "district": "sensor",
        "lot": "measurement",
        "net": "source",
    }


async def test_one_sensor_from_two_sources_keeps_each_sources_tags(make: MakeIntake, delivery: Delivery) -> None:
    both = make()
    lane = {"lane": "1"}
    both.accept(air(tags=lane), origin("broker", tags={"via": "broker"}), delivery)
    both.accept(air(tags=lane), origin("serial", tags={"via": "serial"}), delivery)
    assert [point.tags["via"] for point in points_of(delivery)] == ["broker", "serial"]


@pytest.mark.parametrize(
    ("fields", "marked"),
    [
        ({"pm25": 0}, Quality.GOOD),
        ({"pm25": 999.9}, Quality.GOOD),
        ({"pm25": 1000}, Quality.OUT_OF_RANGE),  # the driver's own bound; the vocabulary allows more
        ({"pm25": -0.1}, Quality.OUT_OF_RANGE),
        ({"pm10": 5000.0}, Quality.GOOD),
        ({"pm10": 5000.1}, Quality.OUT_OF_RANGE),  # the vocabulary's
    ],
)
async def test_what_is_not_plausible_is_marked_and_stored(
    make: MakeIntake, delivery: Delivery, fields: dict[str, float], marked: Quality
) -> None:
    make().accept(air(fields=fields, quality=Quality.WARM_UP), origin(), delivery)
    (point,) = points_of(delivery)
    assert point.fields["quality"] == marked | Quality.WARM_UP


@pytest.mark.parametrize(
    ("measurement", "expected"),
    [
        (air(fields={"pm25": "much"}), "range: pm25: 'much' is no number"),
        (air(fields={"pm25": True}), "range: no number"),
        (air(fields={"pm25": math.nan}), "range: nan"),
        (air(fields={"device_error": 2**63}), "range: 64 bits"),
        (air(fields={"firmware_version": "\ud800"}), "range: surrogates"),
        (air(fields={}), "unsupported: no known field"),
        (air(fields={"weather": 1}), "unsupported: no known field"),
        (air(sensor=None), "unsupported: names no sensor"),
        (air(sensor=""), "unsupported: names no sensor"),
        (air(sensor="\ud800"), "range: surrogates"),
        (air(time=2**63), "range: outside"),
        (air(time=-(2**63)), "range: outside"),
    ],
)
async def test_what_cannot_become_a_reading_is_rejected_in_words(
    make: MakeIntake, delivery: Delivery, health: Health, measurement: Measurement, expected: str
) -> None:
    said = make().accept(measurement, origin(), delivery)
    assert isinstance(said, Reject)
    reason, _, words = expected.partition(": ")
    assert said.reason == reason
    assert words in said.detail
    assert not lines_of(delivery)
    assert health.source("broker").readings == 0


# time


async def test_a_devices_own_time_is_taken_as_it_is(make: MakeIntake, delivery: Delivery) -> None:
    make().accept(air(time=NOW - 7 * MINUTE), origin(), delivery)
    assert points_of(delivery)[0].time == NOW - 7 * MINUTE


async def test_the_same_own_time_and_values_again_are_the_same_reading(
    make: MakeIntake, delivery: Delivery, health: Health
) -> None:
    taking = make()
    for _ in range(3):
        assert taking.accept(air(time=NOW), origin(), delivery) is None
    taking.accept(air(time=NOW + 1), origin(), delivery)
    taking.accept(air(time=NOW, sensor="aq-2"), origin(), delivery)
    assert len(lines_of(delivery)) == 3
    assert (health.source("broker").readings, health.source("broker").repeated) == (3, 2)


@pytest.mark.parametrize("time", [NOW, None])
async def test_the_same_key_again_is_the_same_reading(
    make: MakeIntake, delivery: Delivery, health: Health, clock: FakeClock, time: int | None
) -> None:
    taking = make()
    taking.accept(air(time=time, key="frame-1"), origin(), delivery)
    clock.pass_by(MINUTE)
    taking.accept(air(time=time, key="frame-1", fields={"pm25": 13.0}), origin(), delivery)
    taking.accept(air(time=time and time + 1, key="frame-2"), origin(), delivery)
    assert (len(lines_of(delivery)), health.source("broker").repeated) == (2, 1)


async def test_several_readings_of_one_message_share_its_key_and_are_all_kept(
    make: MakeIntake, delivery: Delivery
) -> None:
    taking = make()
    for minutes in (2, 1, 0):
        taking.accept(air(time=NOW - minutes * MINUTE, key="uplink-1"), origin(), delivery)
    assert len(lines_of(delivery)) == 3


async def test_stamps_increase_within_a_series_while_the_clock_stands_or_steps_back(
    make: MakeIntake, delivery: Delivery, clock: FakeClock
) -> None:
    taking = make()
    taking.accept(air(), origin(), delivery)
    taking.accept(air(), origin(), delivery)
    taking.accept(air(sensor="aq-2"), origin(), delivery)
    clock.up -= 10**9  # not even this makes a time come twice
    taking.accept(air(), origin(), delivery)
    clock.pass_by(5 * 10**9)
    taking.accept(air(), origin(), delivery)
    times = [point.time for point in points_of(delivery) if point.tags["sensor"] == "aq-1"]
    assert times == [NOW, NOW + 1, NOW + 2, NOW + 4 * 10**9]
    assert [point.time for point in points_of(delivery) if point.tags["sensor"] == "aq-2"] == [NOW]


@pytest.mark.parametrize(("back", "marked"), [(10**8, 0), (MINUTE, Quality.ESTIMATED_TIME)])
async def test_a_time_that_is_made_up_while_the_clock_catches_up_is_marked(
    make: MakeIntake, delivery: Delivery, clock: FakeClock, back: int, marked: int
) -> None:
    taking = make()
    taking.accept(air(), origin(), delivery)
    clock.step(-back)
    taking._timekeeper.check()
    taking.accept(air(), origin(), delivery)
    clock.pass_by(back + 10**9)
    taking.accept(air(), origin(), delivery)
    points = points_of(delivery)
    assert [point.time for point in points] == [NOW, NOW + 1, NOW + 10**9]
    assert [point.fields["quality"] for point in points] == [0, marked, 0]


async def test_a_clock_that_was_a_year_ahead_for_a_minute_does_not_spoil_a_year(
    make: MakeIntake, delivery: Delivery, clock: FakeClock, timekeeper: Timekeeper
) -> None:
    taking = make()
    year = 365 * 24 * 60 * MINUTE
    taking.accept(air(), origin(), delivery)
    for step in (year, -year):
        clock.step(step)
        clock.pass_by(MINUTE)
        timekeeper.check()
        taking.accept(air(), origin(), delivery)
    points = points_of(delivery)
    assert [point.time for point in points] == [NOW, NOW + year + MINUTE, NOW + 2 * MINUTE]
    assert [point.fields["quality"] for point in points] == [0, 0, 0]


def prefix_of(delivery: Delivery) -> bytes:
    """Return the series of the line that was put first."""
    return lines_of(delivery)[0].partition(b" ")[0] + b" "


async def test_a_new_run_goes_on_after_what_the_last_one_stored_of_the_same_series(
    make: MakeIntake, delivery: Delivery
) -> None:
    make().accept(air(), origin(), delivery)
    taking = make(ahead={prefix_of(delivery): NOW + MINUTE})
    for sensor in ("aq-1", "aq-2"):
        taking.accept(air(sensor), origin(), delivery)
    assert [point.time for point in points_of(delivery)] == [NOW, NOW + MINUTE + 1, NOW]


async def test_a_last_run_far_in_the_future_does_not_hold_the_clock(make: MakeIntake, delivery: Delivery) -> None:
    make().accept(air(), origin(), delivery)
    make(ahead={prefix_of(delivery): NOW + 365 * 24 * 60 * MINUTE}).accept(air(), origin(), delivery)
    assert [point.time for point in points_of(delivery)] == [NOW, NOW]


async def test_two_sources_that_name_one_sensor_never_share_a_time(make: MakeIntake, delivery: Delivery) -> None:
    taking = make()
    for source in ("broker", "serial", "broker", "serial"):
        taking.accept(air(), origin(source), delivery)
    assert [point.time for point in points_of(delivery)] == [NOW, NOW + 1, NOW + 2, NOW + 3]


async def test_before_the_clock_is_right_a_reading_carries_the_time_since_boot(
    delivery: Delivery,
    health: Health,
    own: Gateway,
    clock: FakeClock,
    tmp_path: Path,
) -> None:
    clock.right = False
    timekeeper = Timekeeper(clock, tmp_path / "clock")
    health.source("broker")
    taking = Intake(own, {}, timekeeper=timekeeper, health=health)
    taking.accept(air(), origin(), delivery)
    taking.accept(air(time=NOW), origin(), delivery)
    clock.right = True
    timekeeper.check()
    taking.accept(air(), origin(), delivery)
    assert [line.rpartition(b" ")[2] for line in of_kind(delivery, DEFERRED)] == [b"%d" % clock.up]
    assert [line.rpartition(b" ")[2] for line in of_kind(delivery, READINGS)] == [b"%d" % NOW, b"%d" % NOW]


async def test_people_who_watch_live_see_the_wall_clock_and_a_mark_and_never_the_time_since_boot(
    delivery: Delivery, health: Health, own: Gateway, clock: FakeClock, tmp_path: Path
) -> None:
    clock.right = False
    health.source("broker")
    unsure = Timekeeper(clock, tmp_path / "clock")
    taking = Intake(own, {}, timekeeper=unsure, health=health)
    seen: list[Reading] = []
    taking.subscribers.append(seen.append)
    taking.accept(air(), origin(), delivery)
    assert [(reading.time, reading.quality) for reading in seen] == [(NOW, Quality.ESTIMATED_TIME)]
    assert b"quality=0i" in lines_of(delivery)[0]


async def test_a_retained_message_counts_only_with_its_own_time(
    make: MakeIntake, delivery: Delivery, health: Health
) -> None:
    taking = make()
    assert taking.accept(air(), origin(), delivery, retained=True) is None
    assert (lines_of(delivery), health.source("broker").retained) == ([], 1)
    taking.accept(air(time=NOW), origin(), delivery, retained=True)
    assert len(lines_of(delivery)) == 1


# strangers and bounds


async def test_unknown_sensors_are_accepted_or_parked_as_the_source_says(
    make: MakeIntake, delivery: Delivery, health: Health
) -> None:
    taking = make({"aq-known": SensorSettings()})
    taking.accept(air("aq-new"), origin(), delivery)
    parking = origin("serial", park_unknown=True)
    taking.accept(air("aq-new"), parking, delivery)
    taking.accept(air("aq-known"), parking, delivery)
    assert [point.tags["sensor"] for point in points_of(delivery)] == ["aq-new", "aq-known"]
    [held] = parked_in(delivery)
    assert held.reason == "unknown sensor aq-new"
    assert held.line.startswith(b"air_quality,")
    assert health.sensors["aq-known"].configured
    assert not health.sensors["aq-new"].configured


async def test_somebody_who_invents_identities_is_parked_and_costs_no_memory(
    make: MakeIntake, delivery: Delivery, health: Health
) -> None:
    taking = make({"late": SensorSettings()})
    taking._max_series = 10
    for number in range(1000):
        taking.accept(air(f"invented-{number}"), origin(), delivery)
    taking.accept(air("late"), origin(), delivery)
    assert [point.tags["sensor"] for point in points_of(delivery)] == [*(f"invented-{n}" for n in range(10)), "late"]
    assert len(parked_in(delivery)) == 990
    assert len(taking._series) <= 11
    assert len(health.sensors) <= 11


async def test_where_the_gateway_stands_is_the_place_of_sensors_without_one_and_no_tag(
    make: MakeIntake, delivery: Delivery
) -> None:
    seen: list[Reading] = []
    taking = make({"aq-1": SensorSettings(location=(1.0, 2.0))})
    taking.subscribers.append(seen.append)
    taking.accept(air("aq-2"), origin(), delivery)
    taking.set_gateway_location((45.6, 13.8))
    for sensor in ("aq-1", "aq-2"):
        taking.accept(air(sensor), origin(), delivery)
    assert [reading.location for reading in seen] == [(45.5, 13.7), (1.0, 2.0), (45.6, 13.8)]
    assert not any(b"13.8" in line or b"location" in line for line in lines_of(delivery))


async def test_live_sinks_see_what_is_stored_and_nothing_else(make: MakeIntake, delivery: Delivery) -> None:
    seen: list[Reading] = []
    taking = make({"aq-1": SensorSettings(id="aq-tito", location=(1.0, 2.0))})
    taking.subscribers.append(seen.append)
    taking.accept(air(time=NOW), origin(), delivery)
    taking.accept(air(time=NOW), origin(), delivery)
    taking.accept(air("stranger"), origin("serial", park_unknown=True), delivery)
    (reading,) = seen
    assert (reading.kind, reading.sensor, reading.time, reading.location) == (
        "air_quality",
        "aq-tito",
        NOW,
        (1.0, 2.0),
    )
    assert reading.fields == AIR
    assert len(lines_of(delivery)) == 1


# whatever comes


_NAMES = st.text(min_size=1, max_size=12) | st.text(alphabet=', =\n\r\t"\\#a', min_size=1, max_size=6)
_VALUES = {
    "float": st.floats() | st.integers(-(2**70), 2**70),
    "int": st.integers(-(2**70), 2**70) | st.floats(),
    "bool": st.booleans(),
    "str": st.text(max_size=30),
}
_FIELDS = st.fixed_dictionaries(
    {}, optional={name: _VALUES[known.type] | st.text(max_size=3) for name, known in VOCABULARY.items()}
)
_MEASUREMENTS = st.builds(
    Measurement,
    kind=st.sampled_from(["air_quality", "parking", "traffic"]),
    fields=st.just(AIR) | _FIELDS,  # of those made up, most cannot be stored
    sensor=_NAMES,
    time=st.none() | st.integers(-(2**64), 2**64),
    key=st.none() | _NAMES,
    quality=st.sampled_from(list(Quality)),
    tags=st.dictionaries(_NAMES.filter(lambda name: name != "time"), st.text(max_size=12), max_size=3),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(measurement=_MEASUREMENTS)
async def test_any_measurement_gives_one_parseable_line_or_a_reject(
    make: MakeIntake, delivery: Delivery, measurement: Measurement
) -> None:
    before = len(lines_of(delivery))
    said = make().accept(measurement, origin(), delivery)
    lines = lines_of(delivery)[before:]
    assert len(lines) == (said is None)
    for text in lines:
        assert b"\n" not in text
        (line,) = line_protocol.lines(text)
        point = line_protocol.parse_line(line, 0)
        assert isinstance(point, StoredPoint), point
        assert point.measurement == measurement.kind
        assert (point.tags["city"], point.tags["gateway"]) == ("Koper", "koper-01")
        assert set(point.fields) <= {*measurement.fields, "quality"}
        assert measurement.time is None or point.time == measurement.time
        for name in set(point.fields) & {"occupied", "lane_id", "available_spots"}:
            assert point.fields[name] == measurement.fields[name]
