"""What would be stored wrongly is refused: a time that cannot be, and two things that would become one."""

from collections.abc import Callable
from typing import Any

import pytest

from gateway.clock import Timekeeper
from gateway.config.models import Gateway
from gateway.contract import Measurement, Quality
from gateway.health import Health
from gateway.ingest.delivery import Delivery
from gateway.ingest.fields import FieldEncoder
from gateway.ingest.intake import Intake, Origin
from gateway.ingest.one_series import contradiction, values_in
from tests.support.clock import NOW, FakeClock

DAY = 86_400 * 10**9
Make = Callable[..., Intake]


@pytest.fixture
def make(health: Health, tmp_path_factory: pytest.TempPathFactory) -> Make:
    health.source("one")
    health.source("two")

    def build(*, clock: FakeClock | None = None, **own: Any) -> Intake:  # noqa: ANN401 -- any key of [gateway]
        timekeeper = Timekeeper(clock or FakeClock(), tmp_path_factory.mktemp("clock"))
        return Intake(Gateway(id="g", city="Koper", **own), {}, timekeeper=timekeeper, health=health)

    return build


def air(value: float = 12.5, time: int | None = None, **more: Any) -> Measurement:  # noqa: ANN401 -- any part of it
    return Measurement("air_quality", {"pm25": value}, sensor="aq-1", time=time, **more)


def origin(source: str = "one") -> Origin:
    return Origin(source, FieldEncoder({}))


def refused(intake: Intake, measurement: Measurement, delivery: Delivery | None = None, source: str = "one") -> str:
    """Return the words, "" where it is taken."""
    reject = intake.accept(measurement, origin(source), Delivery() if delivery is None else delivery)
    return "" if reject is None else reject.detail


@pytest.mark.parametrize(
    ("time", "words"),
    [
        (1_796_046_725 * 10**6, "is before the year 2000: is it in the unit that is set?"),
        (0, "its own time 1970-01-01T00:00:00Z is before the year 2000"),
        (NOW + DAY + 1, "too far ahead of ours; max_ahead in [gateway] says how far it may be"),
        (4_102_444_800 * 10**9, "its own time 2100-01-01T00:00:00Z is too far ahead"),
    ],
)
def test_a_devices_own_time_that_cannot_be_is_refused(make: Make, time: int, words: str) -> None:
    assert words in refused(make(), air(time=time))


@pytest.mark.parametrize("time", [946_684_800 * 10**9, NOW - 365 * DAY, NOW, NOW + DAY])
def test_a_devices_own_time_that_may_be_is_stored(make: Make, time: int) -> None:
    delivery = Delivery()
    assert refused(make(), air(time=time), delivery) == ""
    assert [at for _, at, _ in delivery.lines] == [time]


def test_how_far_ahead_a_time_may_be_can_be_set(make: Make) -> None:
    assert refused(make(max_ahead="5min"), air(time=NOW + 301 * 10**9))
    assert refused(make(max_ahead="60d"), air(time=NOW + 59 * DAY)) == ""


def test_as_the_clock_goes_on_so_does_what_is_ahead_of_it(make: Make) -> None:
    clock = FakeClock()
    intake = make(clock=clock)
    assert refused(intake, air(time=NOW + DAY + 60 * 10**9))
    clock.pass_by(60 * 10**9)
    assert refused(intake, air(time=NOW + DAY + 60 * 10**9)) == ""


def test_nobody_judges_a_time_ahead_while_the_clock_is_not_known(make: Make) -> None:
    intake = make(clock=FakeClock(right=False))
    assert refused(intake, air(time=NOW + 10 * DAY)) == ""
    assert refused(intake, air(time=0)), "before 2000 needs no clock"


def test_another_value_at_the_same_time_is_refused_with_both_sources_and_the_remedy(make: Make) -> None:
    intake = make()
    assert refused(intake, air(5.0, NOW)) == ""
    words = refused(intake, air(9.0, NOW), source="two")
    assert words == (
        "aq-1 has another value of pm25 at 2024-11-22T13:20:00Z already, from one: two things have one name;"
        " tell them apart by tags, or give each a sensor"
    )
    assert refused(intake, air(9.0, NOW, tags={"lane": "2"})) == "", "a tag tells them apart"
    assert refused(intake, air(9.0, NOW + 1)) == "", "so does the time"


def test_the_same_again_is_one_reading_and_other_fields_are_its_other_part(make: Make, health: Health) -> None:
    intake = make()
    assert refused(intake, air(5.0, NOW)) == ""
    assert refused(intake, air(5.0, NOW)) == ""
    assert health.sources["one"].repeated == 1
    assert refused(intake, Measurement("air_quality", {"pm10": 7.0}, sensor="aq-1", time=NOW)) == ""


def test_two_values_of_one_message_without_a_time_are_kept_and_told(make: Make, health: Health) -> None:
    intake, delivery = make(), Delivery()
    assert refused(intake, air(5.0), delivery) == ""
    assert refused(intake, air(9.0), delivery) == ""
    assert len({at for _, at, _ in delivery.lines}) == 2, "neither is written over the other"
    assert health.sources["one"].remarks == {("doubtful", "two values of pm25 under aq-1"): 1}


def test_a_retained_message_without_a_time_is_left_out_or_taken_with_a_mark_as_the_source_says(
    make: Make, health: Health
) -> None:
    intake, delivery = make(), Delivery()
    intake.accept(air(5.0), origin(), delivery, retained=True)
    assert delivery.lines == []
    assert health.sources["one"].retained == 1
    intake.accept(air(5.0), Origin("one", FieldEncoder({}), accept_retained=True), delivery, retained=True)
    ((_, at, line),) = delivery.lines
    assert at == NOW
    assert b"quality=%di " % Quality.ESTIMATED_TIME in line
    assert health.sources["one"].retained == 1


@pytest.mark.parametrize(
    ("first", "second", "field"),
    [
        (b"a,s=1 x=1,quality=0i 5", b"a,s=1 x=2,quality=0i 5", "x"),
        (b"a,s=1 x=1,quality=0i 5", b"a,s=1 x=1,quality=4i 5", ""),
        (b"a,s=1 x=1,quality=0i 5", b"a,s=1 y=2,quality=0i 5", ""),
        (b'a,s=1 t="1, x=2",y=1i 5', b'a,s=1 t="1, x=2",y=2i 5', "y"),
        (b"no line", b"a,s=1 y=2,quality=0i 5", ""),
    ],
)
def test_lines_contradict_each_other_by_a_field_that_both_have(first: bytes, second: bytes, field: str) -> None:
    assert contradiction(values_in(first), values_in(second)) == field
