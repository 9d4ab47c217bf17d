import pytest

from firmware_sim.truth.compare import Report, compare
from firmware_sim.truth.ledger import Truth
from firmware_sim.truth.points import StoredPoint

TIME = 1_721_381_655_775_023_242


@pytest.fixture
def truth() -> Truth:
    truth = Truth(names={"70b3": "spot-1"})
    for pm25 in (11.3, 11.4, 11.3):
        truth.record("aq-1", "air_quality", {"pm25": pm25, "pm10": 20.0})
    for index in range(3):
        truth.record("70b3", "parking", {"occupied": index % 2 == 0}, TIME + index)
    for speed in (40.0, 50.0, 61.0):
        truth.record("radar-1", "traffic", {"peak_speed": speed}, tags={"direction": "inbound"})
    return truth


@pytest.fixture
def stored() -> list[StoredPoint]:
    """What a gateway that loses nothing stores."""
    air = [
        StoredPoint("air_quality", {"sensor": "aq-1"}, {"pm25": pm25, "pm10": 20, "quality": 0}, TIME + index)
        for index, pm25 in enumerate((11.3, 11.4, 11.3))
    ]
    parking = [
        StoredPoint("parking", {"sensor": "spot-1"}, {"occupied": float(index % 2 == 0), "rssi": -80}, TIME + index)
        for index in range(3)
    ]
    tags = {"sensor": "radar-1", "direction": "inbound"}
    traffic = [
        StoredPoint("traffic", tags, {"intensity": 2, "average_vehicle_speed": 45.0}, TIME),
        StoredPoint("traffic", tags, {"intensity": 1, "average_vehicle_speed": 61.0}, TIME + 60),
    ]
    health = [
        StoredPoint("gateway", {}, {"spool_bytes": 1}, TIME),
        StoredPoint("parking", {"sensor": "spot-1"}, {"event": "join"}, TIME),
    ]
    return air + parking + traffic + health


def numbers(report: Report, kind: str) -> tuple[int, int, int, int]:
    counts = report.by_measurement[kind]
    return counts.measured, counts.stored, counts.lost, counts.duplicated


def test_everything_stored_once_is_exact(truth: Truth, stored: list[StoredPoint]) -> None:
    report = compare(truth, stored)
    assert report.exact
    assert (report.measured, report.stored, report.lost, report.duplicated) == (9, 9, 0, 0)
    assert report.differences == []


@pytest.mark.parametrize("index", range(6))
def test_a_lost_reading_is_found_and_named(truth: Truth, stored: list[StoredPoint], index: int) -> None:
    gone = stored.pop(index)
    report = compare(truth, stored)
    assert (report.lost, report.duplicated) == (1, 0)
    assert not report.exact
    (words,) = report.differences
    assert words.startswith(f"{gone.measurement}: lost {gone.tags['sensor']}")


def test_a_reading_stored_twice_is_found(truth: Truth, stored: list[StoredPoint]) -> None:
    report = compare(truth, [*stored, stored[0]._replace(time=TIME + 77)])
    assert numbers(report, "air_quality") == (3, 4, 0, 1)
    assert report.differences == ["air_quality: stored 3 times, measured 2: aq-1 pm10=20.0, pm25=11.3"]


def test_a_reading_stored_under_another_time_than_its_own_is_lost_and_invented(
    truth: Truth, stored: list[StoredPoint]
) -> None:
    stored[4] = stored[4]._replace(time=TIME + 1000)
    assert numbers(compare(truth, stored), "parking") == (3, 3, 1, 1)


def test_a_changed_value_is_lost_and_invented(truth: Truth, stored: list[StoredPoint]) -> None:
    stored[1] = stored[1]._replace(fields={"pm25": 11.5, "pm10": 20.0})
    report = compare(truth, stored)
    assert numbers(report, "air_quality") == (3, 3, 1, 1)
    assert any("never measured" in words for words in report.differences)


def test_a_value_that_was_rounded_to_six_decimals_is_the_same(truth: Truth, stored: list[StoredPoint]) -> None:
    for pm25, six in ((67.3203125, 67.320312), (13.4103325, 13.410333)):
        truth.record("aq-1", "air_quality", {"pm25": pm25, "pm10": 20.0})
        stored.append(StoredPoint("air_quality", {"sensor": "aq-1"}, {"pm25": six, "pm10": 20.0}, TIME))
    assert compare(truth, stored).exact
    again = [*stored, stored[-1]._replace(time=TIME + 9)]
    assert numbers(compare(truth, again), "air_quality") == (5, 6, 0, 1)
    other = [*stored[:-1], stored[-1]._replace(fields={"pm25": 13.410335, "pm10": 20.0})]
    assert numbers(compare(truth, other), "air_quality") == (5, 5, 1, 1)


def test_a_reading_of_an_unknown_sensor_was_never_measured(truth: Truth, stored: list[StoredPoint]) -> None:
    report = compare(truth, [*stored, stored[0]._replace(tags={"sensor": "aq-9"})])
    assert numbers(report, "air_quality") == (3, 4, 0, 1)


def test_an_uncertain_reading_may_be_stored_or_not_but_not_twice(truth: Truth, stored: list[StoredPoint]) -> None:
    truth.record("aq-1", "air_quality", {"pm25": 12.0, "pm10": 20.0}, certain=False)
    extra = StoredPoint("air_quality", {"sensor": "aq-1"}, {"pm25": 12.0, "pm10": 20.0}, TIME + 9)
    assert compare(truth, stored).exact
    assert compare(truth, [*stored, extra]).exact
    assert compare(truth, [*stored, extra, extra]).duplicated == 1
    assert compare(truth, stored).uncertain == 1


def test_vehicles_are_counted_over_intervals(truth: Truth, stored: list[StoredPoint]) -> None:
    fewer = [point for point in stored if point.fields.get("intensity") != 1]
    assert numbers(compare(truth, fewer), "traffic") == (3, 2, 1, 0)
    more = [*stored, stored[7]]
    assert numbers(compare(truth, more), "traffic") == (3, 4, 0, 1)
    assert compare(truth, more).differences == ["traffic: radar-1 inbound: 4 vehicles stored, 3 measured"]


def test_a_vehicle_in_the_wrong_direction_is_lost_in_one_and_duplicated_in_the_other(
    truth: Truth, stored: list[StoredPoint]
) -> None:
    stored[7] = stored[7]._replace(tags={"sensor": "radar-1", "direction": "outbound"})
    assert numbers(compare(truth, stored), "traffic") == (3, 3, 1, 1)


def test_right_counts_with_wrong_speeds_are_a_difference(truth: Truth, stored: list[StoredPoint]) -> None:
    stored[7] = stored[7]._replace(fields={"intensity": 1, "average_vehicle_speed": 60.0})
    report = compare(truth, stored)
    assert (report.lost, report.duplicated) == (0, 0)
    assert not report.exact
    assert report.differences == ["traffic: radar-1 inbound: speeds add up to 150.0 km/h stored, 151.0 measured"]


def test_an_uncertain_vehicle_may_be_counted_or_not(truth: Truth, stored: list[StoredPoint]) -> None:
    truth.record("radar-1", "traffic", {"peak_speed": 33.0}, tags={"direction": "inbound"}, certain=False)
    assert compare(truth, stored).exact
    one_more = [*stored, stored[7]]
    assert compare(truth, one_more).exact
    assert compare(truth, [*one_more, stored[7]]).duplicated == 1


def test_a_database_of_milliseconds_is_compared_in_milliseconds(truth: Truth, stored: list[StoredPoint]) -> None:
    rounded = [point._replace(time=point.time // 1_000_000 * 1_000_000) for point in stored]
    assert not compare(truth, rounded).exact
    assert compare(truth, rounded, time_step=1_000_000).exact


def test_vehicles_of_a_sensor_that_was_never_there_were_never_measured(
    truth: Truth, stored: list[StoredPoint]
) -> None:
    more = [*stored, StoredPoint("traffic", {"sensor": "radar-9"}, {"intensity": 4, "period": 60.0}, TIME)]
    assert numbers(compare(truth, more), "traffic") == (3, 7, 0, 4)


def test_a_sensor_that_measures_no_speed_has_its_vehicles_counted_by_lane() -> None:
    truth = Truth()
    for lane in "112":
        truth.record("loops-1", "traffic", {"peak_speed": 0.0}, tags={"lane": lane})
    lanes = [
        StoredPoint("traffic", {"sensor": "loops-1", "lane": lane}, {"intensity": number, **speed}, TIME)
        for lane, number, speed in (("1", 2, {"average_vehicle_speed": 44.0}), ("2", 1, {}), ("3", 0, {}))
    ]
    assert compare(truth, lanes).exact
    report = compare(truth, [lanes[0], lanes[1]._replace(tags={"sensor": "loops-1", "lane": "3"})])
    assert (report.lost, report.duplicated) == (1, 1)
    assert report.differences == [
        "traffic: loops-1 2: 0 vehicles stored, 1 measured",
        "traffic: loops-1 3: 1 vehicles stored, 0 measured",
    ]


def test_what_a_sensor_counted_itself_is_a_reading_of_each_lane() -> None:
    truth = Truth()
    stored = []
    for lane, number in (("1", 7), ("2", 7), ("3", 0)):
        fields = {"intensity": number, "occupancy": number / 100}
        truth.record("radar-2", "traffic", fields, tags={"lane": lane})
        stored.append(StoredPoint("traffic", {"sensor": "radar-2", "lane": lane}, {**fields, "period": 30.0}, TIME))
    truth.record("radar-3", "traffic", {"peak_speed": 50.0})
    counted = StoredPoint("traffic", {"sensor": "radar-3"}, {"intensity": 1, "average_vehicle_speed": 50.0}, TIME)
    assert compare(truth, [*stored, counted]).exact
    changed = stored[1]._replace(tags={"sensor": "radar-2", "lane": "1"})
    report = compare(truth, [stored[0], changed, stored[2], counted])
    assert numbers(report, "traffic") == (4, 4, 1, 1)
    assert "traffic: lost radar-2 2 intensity=7.0, occupancy=0.07" in report.differences


def test_field_by_field_two_readings_of_one_millisecond_may_be_put_together_in_any_way() -> None:
    truth = Truth()
    for pm25, pm10 in ((1.0, 10.0), (2.0, 20.0)):
        truth.record("aq-1", "air_quality", {"pm25": pm25, "pm10": pm10}, TIME)
    crossed = [
        StoredPoint("air_quality", {"sensor": "aq-1"}, {"pm25": pm25, "pm10": pm10}, TIME)
        for pm25, pm10 in ((1.0, 20.0), (2.0, 10.0))
    ]
    assert compare(truth, crossed, field_by_field=True).exact
    assert numbers(compare(truth, crossed), "air_quality") == (2, 2, 2, 2)


def test_field_by_field_a_field_that_is_missing_twice_there_or_another_is_seen(
    truth: Truth, stored: list[StoredPoint]
) -> None:
    assert compare(truth, stored, field_by_field=True).exact
    first = stored[0]
    missing = [first._replace(fields={"pm25": 11.3}), *stored[1:]]
    assert numbers(compare(truth, missing, field_by_field=True), "air_quality") == (6, 5, 1, 0)
    twice = [*stored, first._replace(fields={"pm10": 20.0})]
    assert numbers(compare(truth, twice, field_by_field=True), "air_quality") == (6, 7, 0, 1)
    another = [first._replace(fields={"pm25": 11.9, "pm10": 20.0}), *stored[1:]]
    report = compare(truth, another, field_by_field=True)
    assert numbers(report, "air_quality") == (6, 6, 1, 1)
    assert "air_quality: lost aq-1 pm25=11.3" in report.differences
    late = [stored[3]._replace(time=TIME + 5_000_000), *stored[:3], *stored[4:]]
    report = compare(truth, late, time_step=1_000_000, field_by_field=True)
    assert numbers(report, "parking") == (3, 3, 1, 1)
