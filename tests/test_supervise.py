"""Links are started again for ever, ever more slowly, and the log says once what happened."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import structlog

from gateway.errors import LinkDown, LinkRefused, SpoolFull
from gateway.supervise import LASTED, Liveness, keep_alive

Logs = list[Any]


class World:
    """Time and chance as the supervisor sees them: every wait is over at once, and remembered."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.luck = 1.0
        self.waits: list[float] = []
        self.jitter: list[tuple[float, float]] = []

    def monotonic(self) -> float:
        return self.now

    def uniform(self, low: float, high: float) -> float:
        self.jitter.append((low, high))
        return self.luck

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()
    monkeypatch.setattr("gateway.supervise.time", world)
    monkeypatch.setattr("gateway.supervise.random", world)
    monkeypatch.setattr("gateway.supervise.asyncio", world)
    return world


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


async def supervised(liveness: Liveness, *steps: Any) -> None:  # noqa: ANN401 -- as `script` takes them
    with pytest.raises(Stop):
        await keep_alive(script(*steps), liveness)


async def test_the_waits_double_from_one_second_to_a_minute_and_stay_there(world: World) -> None:
    await supervised(Liveness("air"), *[down() for _ in range(10)])
    assert world.waits == [1, 2, 4, 8, 16, 32, 60, 60, 60, 60]


async def test_a_wait_is_between_half_and_all_of_what_is_due(world: World) -> None:
    world.luck = 0.5
    await supervised(Liveness("air"), down(), down(), down())
    assert world.waits == [0.5, 1.0, 2.0]
    assert set(world.jitter) == {(0.5, 1.0)}


async def test_a_refusal_waits_ten_seconds_at_least_and_is_asked_again_all_the_same(world: World) -> None:
    await supervised(Liveness("air"), *[LinkRefused("wrong password") for _ in range(7)])
    assert world.waits == [10, 10, 10, 10, 16, 32, 60]


async def test_an_error_may_ask_for_a_longer_wait(world: World) -> None:
    steps = [LinkDown("busy", wait=20), LinkRefused("another has our id", wait=300), LinkDown("away")]
    await supervised(Liveness("air"), *steps)
    assert world.waits == [20, 300, 4]


async def test_a_link_that_was_up_for_long_starts_the_waits_anew(world: World) -> None:
    liveness = Liveness("air")

    def worked(seconds: float) -> Callable[[], None]:
        def step() -> None:
            liveness.went_up()
            world.now += seconds
            raise down("cable pulled")

        return step

    await supervised(liveness, down(), down(), down(), worked(LASTED + 1), down(), worked(LASTED - 1), down())
    assert world.waits == [1, 2, 4, 1, 2, 4, 8]


async def test_a_link_that_was_up_only_shortly_is_tried_again_within_seconds_all_the_same(world: World) -> None:
    liveness = Liveness("broker")

    def worked() -> None:
        liveness.went_up()
        raise down("restarted")

    await supervised(liveness, *[down() for _ in range(7)], worked, down(), down())
    assert world.waits == [1, 2, 4, 8, 16, 32, 60, 4, 8, 16]


async def test_an_attempt_that_took_long_and_failed_is_no_link_that_lasted(world: World) -> None:
    def hangs() -> None:
        world.now += 10 * LASTED
        raise down("timed out")

    await supervised(Liveness("air"), *[hangs] * 4)
    assert world.waits == [1, 2, 4, 8]


@pytest.mark.usefixtures("world")
async def test_going_down_is_logged_once_and_coming_back_once(logs: Logs) -> None:
    liveness = Liveness("air")

    def works() -> None:
        liveness.went_up()
        liveness.went_up()
        raise down("cable pulled")

    await supervised(liveness, works, *[down("cable pulled")] * 5, works)
    said = [(entry["log_level"], entry["event"], entry.get("problem", "")) for entry in logs]
    up, gone = ("info", "link up", ""), ("warning", "link down", "cable pulled")
    assert said == [up, gone, up, gone]
    assert {entry["link"] for entry in logs} == {"air"}


@pytest.mark.usefixtures("world")
async def test_a_new_reason_for_being_down_is_logged(logs: Logs) -> None:
    await supervised(Liveness("air"), down("a"), down("a"), down("b"), down("b"), LinkRefused("c"))
    assert [entry["problem"] for entry in logs] == ["a", "b", "c"]


@pytest.mark.usefixtures("world")
async def test_a_link_that_simply_ends_is_started_again() -> None:
    liveness = Liveness("air")
    await supervised(liveness, None, None)
    assert (liveness.restarts, liveness.problem, liveness.up) == (2, "ended", False)


@pytest.mark.usefixtures("world")
async def test_liveness_says_what_is_wrong_and_for_how_often(logs: Logs) -> None:
    liveness = Liveness("air")
    assert (liveness.up, liveness.problem) == (False, "starting")
    await supervised(liveness, SpoolFull("no room"), LinkRefused("wrong password"))
    assert (liveness.problem, liveness.restarts, liveness.crashes) == ("wrong password", 2, 0)
    liveness.went_up()
    assert (liveness.up, liveness.problem) == (True, "")
    assert logs[-1]["event"] == "link up"


async def test_a_problem_on_a_link_that_is_up_is_told_once_and_so_is_its_end(logs: Logs) -> None:
    liveness = Liveness("air")
    for seconds in range(3):
        liveness.raise_problem("aq-1", f"silent for {seconds} s")
    liveness.raise_problem("aq-2", "does not answer")
    assert liveness.problems == {"aq-1": "silent for 2 s", "aq-2": "does not answer"}
    for _ in range(3):
        liveness.clear_problem("aq-1")
    assert liveness.problems == {"aq-2": "does not answer"}
    said = [(entry["log_level"], entry["event"], entry["about"], entry.get("problem", "")) for entry in logs]
    assert said == [
        ("warning", "link problem", "aq-1", "silent for 0 s"),
        ("warning", "link problem", "aq-2", "does not answer"),
        ("info", "link problem cleared", "aq-1", ""),
    ]


@pytest.mark.usefixtures("world")
async def test_a_link_that_went_down_has_no_other_problems() -> None:
    liveness = Liveness("air")
    liveness.raise_problem("aq-1", "silent")
    await supervised(liveness, down())
    assert not liveness.problems


@pytest.mark.usefixtures("world")
async def test_a_crash_is_counted_logged_with_its_traceback_and_survived(logs: Logs) -> None:
    liveness = Liveness("air")

    def bug() -> None:
        raise ZeroDivisionError("division by zero")

    await supervised(liveness, bug, bug)
    assert (liveness.crashes, liveness.restarts) == (2, 2)
    assert liveness.problem == "ZeroDivisionError: division by zero"
    errors = [entry for entry in logs if entry["log_level"] == "error"]
    assert [(entry["event"], entry["exc_info"]) for entry in errors] == [
        ("link crashed: this is a bug, please report it", True)
    ] * 2


@pytest.mark.usefixtures("world")
async def test_the_traceback_is_in_the_log_as_it_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    from gateway import logs as logging_of_ours  # noqa: PLC0415 -- set up for this test alone

    logging_of_ours.configure()
    try:
        await supervised(Liveness("air"), ZeroDivisionError("division by zero"))
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
        liveness = Liveness("air")
        task = asyncio.create_task(keep_alive(run, liveness, first_wait=3600, longest_wait=3600))
        await started.wait()
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert liveness.crashes == 0


async def test_other_waits_can_be_asked_for(world: World) -> None:
    with pytest.raises(Stop):
        await keep_alive(script(*[down() for _ in range(4)]), Liveness("air"), first_wait=0.1, longest_wait=0.3)
    assert world.waits == pytest.approx([0.1, 0.2, 0.3, 0.3])
