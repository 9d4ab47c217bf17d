"""Links are started again for ever, ever more slowly, and the log says once what happened."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import structlog

from gateway.back_off import BackOff, Jitter, steady
from gateway.errors import LinkDown, LinkRefused, SpoolFull
from gateway.supervise import FIRST_WAIT, LASTED, LONGEST_WAIT, Liveness, keep_alive
from tests.support.clock import FakeClock

Logs = list[Any]


SECOND = 1_000_000_000


@pytest.fixture
def clock() -> FakeClock:
    """A clock on which every wait is over at once, and remembered."""
    return FakeClock(jumps=True)


@pytest.fixture
def air(clock: FakeClock) -> Liveness:
    return Liveness("air", clock)


@pytest.fixture
async def logs() -> AsyncIterator[Logs]:
    with structlog.testing.capture_logs() as captured:
        yield captured


class Stop(BaseException):
    """Ends the endless, as a cancellation would."""


def script(*steps: Callable[[], Awaitable[None] | None] | BaseException | None) -> Callable[[], Awaitable[None]]:
    """A link that does one step at each start, and then ends the test."""
    left = list(steps)

    async def run() -> None:
        if not left:
            raise Stop
        step = left.pop(0)
        if isinstance(step, BaseException):
            raise step
        if step is not None and (doing := step()) is not None:
            await doing

    return run


def down(text: str = "no route to host") -> LinkDown:
    return LinkDown(text)


async def supervised(
    liveness: Liveness,
    *steps: Any,  # noqa: ANN401 -- as `script` takes them
    jitter: Jitter = steady,
) -> None:
    with pytest.raises(Stop):
        await keep_alive(script(*steps), liveness, BackOff(FIRST_WAIT, LONGEST_WAIT, jitter=jitter))


async def test_the_waits_double_from_one_second_to_a_minute_and_stay_there(air: Liveness, clock: FakeClock) -> None:
    await supervised(air, *[down() for _ in range(10)])
    assert clock.waits == [1, 2, 4, 8, 16, 32, 60, 60, 60, 60]


async def test_a_wait_may_be_half_of_what_is_due(air: Liveness, clock: FakeClock) -> None:
    await supervised(air, down(), down(), LinkRefused("no"), jitter=lambda low, _high: low)
    assert clock.waits == [0.5, 1.0, 5.0]


async def test_without_being_told_the_waits_are_from_half_a_second_to_a_minute(
    air: Liveness, clock: FakeClock
) -> None:
    with pytest.raises(Stop):
        await keep_alive(script(*[down() for _ in range(9)]), air)
    for wait, due in zip(clock.waits, [1, 2, 4, 8, 16, 32, 60, 60, 60], strict=True):
        assert due / 2 <= wait <= due


async def test_a_refusal_waits_ten_seconds_at_least_and_is_asked_again_all_the_same(
    air: Liveness, clock: FakeClock
) -> None:
    await supervised(air, *[LinkRefused("wrong password") for _ in range(7)])
    assert clock.waits == [10, 10, 10, 10, 16, 32, 60]


async def test_an_error_may_ask_for_a_longer_wait(air: Liveness, clock: FakeClock) -> None:
    steps = [LinkDown("busy", wait=20), LinkRefused("another has our id", wait=300), LinkDown("away")]
    await supervised(air, *steps)
    assert clock.waits == [20, 300, 4]


async def test_a_link_that_was_up_for_long_starts_the_waits_anew(air: Liveness, clock: FakeClock) -> None:

    def worked(seconds: float) -> Callable[[], None]:
        def step() -> None:
            air.went_up()
            clock.pass_by(round(seconds * SECOND))
            raise down("cable pulled")

        return step

    await supervised(air, down(), down(), down(), worked(LASTED + 1), down(), worked(LASTED - 1), down())
    assert clock.waits == [1, 2, 4, 1, 2, 4, 8]


async def test_a_link_that_was_up_only_shortly_is_tried_again_within_seconds_all_the_same(clock: FakeClock) -> None:
    liveness = Liveness("broker", clock)

    def worked() -> None:
        liveness.went_up()
        raise down("restarted")

    await supervised(liveness, *[down() for _ in range(7)], worked, down(), down())
    assert clock.waits == [1, 2, 4, 8, 16, 32, 60, 4, 8, 16]


async def test_an_attempt_that_took_long_and_failed_is_no_link_that_lasted(air: Liveness, clock: FakeClock) -> None:
    def hangs() -> None:
        clock.pass_by(round(10 * LASTED * SECOND))
        raise down("timed out")

    await supervised(air, *[hangs] * 4)
    assert clock.waits == [1, 2, 4, 8]


async def test_going_down_is_logged_once_and_coming_back_once(logs: Logs, air: Liveness) -> None:

    def works() -> None:
        air.went_up()
        air.went_up()
        raise down("cable pulled")

    await supervised(air, works, *[down("cable pulled")] * 5, works)
    said = [(entry["log_level"], entry["event"], entry.get("problem", "")) for entry in logs]
    up, gone = ("info", "link up", ""), ("warning", "link down", "cable pulled")
    assert said == [up, gone, up, gone]
    assert {entry["link"] for entry in logs} == {"air"}


async def test_a_new_reason_for_being_down_is_logged(logs: Logs, air: Liveness) -> None:
    await supervised(air, down("a"), down("a"), down("b"), down("b"), LinkRefused("c"))
    assert [entry["problem"] for entry in logs] == ["a", "b", "c"]


async def test_a_link_that_simply_ends_is_started_again(air: Liveness) -> None:
    await supervised(air, None, None)
    assert (air.restarts, air.problem, air.up) == (2, "ended", False)


async def test_liveness_says_what_is_wrong_and_for_how_often(logs: Logs, air: Liveness) -> None:
    assert (air.up, air.problem) == (False, "starting")
    await supervised(air, SpoolFull("no room"), LinkRefused("wrong password"))
    assert (air.problem, air.restarts, air.crashes) == ("wrong password", 2, 0)
    air.went_up()
    assert (air.up, air.problem) == (True, "")
    assert logs[-1]["event"] == "link up"


async def test_a_problem_on_a_link_that_is_up_is_told_once_and_so_is_its_end(logs: Logs, air: Liveness) -> None:
    for seconds in range(3):
        air.raise_problem("aq-1", f"silent for {seconds} s")
    air.raise_problem("aq-2", "does not answer")
    assert air.problems == {"aq-1": "silent for 2 s", "aq-2": "does not answer"}
    for _ in range(3):
        air.clear_problem("aq-1")
    assert air.problems == {"aq-2": "does not answer"}
    said = [(entry["log_level"], entry["event"], entry["about"], entry.get("problem", "")) for entry in logs]
    assert said == [
        ("warning", "link problem", "aq-1", "silent for 0 s"),
        ("warning", "link problem", "aq-2", "does not answer"),
        ("info", "link problem cleared", "aq-1", ""),
    ]


async def test_a_link_that_went_down_has_no_other_problems(air: Liveness) -> None:
    air.raise_problem("aq-1", "silent")
    await supervised(air, down())
    assert not air.problems


async def test_a_crash_is_counted_logged_with_its_traceback_and_survived(logs: Logs, air: Liveness) -> None:

    def bug() -> None:
        raise ZeroDivisionError("division by zero")

    await supervised(air, bug, bug)
    assert (air.crashes, air.restarts) == (2, 2)
    assert air.problem == "ZeroDivisionError: division by zero"
    errors = [entry for entry in logs if entry["log_level"] == "error"]
    assert [(entry["event"], entry["remedy"], entry["exc_info"]) for entry in errors] == [
        ("task failed", "this is a bug in Prehod; please report it", True)
    ] * 2


async def test_the_traceback_is_in_the_log_as_it_is_written(
    capsys: pytest.CaptureFixture[str], air: Liveness
) -> None:
    from gateway import logs as logging_of_ours  # noqa: PLC0415 -- set up for this test alone

    logging_of_ours.configure()
    try:
        await supervised(air, ZeroDivisionError("division by zero"))
    finally:
        structlog.reset_defaults()
    written = capsys.readouterr().err
    assert "Traceback (most recent call last)" in written
    assert "ZeroDivisionError: division by zero" in written


async def test_cancelling_ends_it_wherever_it_is() -> None:
    started = asyncio.Event()

    async def runs() -> None:
        started.set()
        await asyncio.Event().wait()

    async def fails() -> None:
        started.set()
        raise down()

    for run in (runs, fails):
        started.clear()
        liveness = Liveness("air", FakeClock())
        task = asyncio.create_task(keep_alive(run, liveness))
        await started.wait()
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert liveness.crashes == 0


async def test_other_waits_can_be_asked_for(air: Liveness, clock: FakeClock) -> None:
    with pytest.raises(Stop):
        await keep_alive(script(*[down() for _ in range(4)]), air, BackOff(0.1, 0.3, jitter=steady))
    assert clock.waits == pytest.approx([0.1, 0.2, 0.3, 0.3])
