"""A server that answers one reading like a fault of its own: the reading is found, and only where it is to blame."""

import gzip
from collections.abc import Callable

import pytest

from gateway.delivery.courier import Courier, Parcel
from gateway.delivery.settings import Limits
from gateway.delivery.suspicion import PATIENCE
from gateway.errors import BatchRefused, RefusedLine, SinkAway, SinkBlocked, SinkError
from gateway.health import SinkHealth
from gateway.spool import InFlight
from gateway.supervise import Liveness
from tests.support.clock import FakeClock

START = 1_732_281_600_000_000_000


class Stop(BaseException):
    """Enough was asked."""


class Server:
    """Stores lines; what ``fault`` returns for some of them is raised instead, and ``limit`` requests are enough."""

    overwrites = True

    def __init__(self) -> None:
        self.stored: list[bytes] = []
        self.requests = 0
        self.limit = 2000
        self.fault: Callable[[list[bytes]], SinkError | None] = lambda _: None

    async def send(self, body: bytes, *, in_doubt: bool = False) -> None:
        del in_doubt
        self.requests += 1
        if self.requests > self.limit:
            raise Stop
        lines = gzip.decompress(body).splitlines()
        if error := self.fault(lines):
            raise error
        self.stored += lines

    async def close(self) -> None:
        """Nothing to give back."""


class Notes:
    """Where the courier notes down what became of lines."""

    name = "influx"

    def __init__(self) -> None:
        self.quarantined: list[tuple[bytes, str]] = []
        self.settled = 0

    def settle(self, batch: InFlight, to: int) -> None:
        batch.settled_to = to
        self.settled = to

    def quarantine(self, batch: InFlight, line: bytes, reason: str) -> None:
        del batch
        self.quarantined.append((line, reason))


def lines(count: int, first: int = 0) -> list[bytes]:
    return [
        b"a,s=%d n=%di,quality=0i %d" % (number, number, START + number) for number in range(first, first + count)
    ]


class World:
    def __init__(self) -> None:
        self.server = Server()
        self.notes = Notes()
        self.clock = FakeClock(jumps=True)
        health = SinkHealth(Liveness("influx", self.clock))
        self.courier = Courier(self.notes, self.server, Limits(), health)

    async def deliver(self, count: int, first: int = 0) -> None:
        end = first + count
        parcel = Parcel(first, end, gzip.compress(b"\n".join(lines(count, first)) + b"\n"))
        await self.courier.deliver(InFlight(first, end), [parcel])


@pytest.fixture
def world() -> World:
    return World()


def poison(*bad: bytes, error: Callable[[str], SinkError] | None = None) -> Callable[[list[bytes]], SinkError | None]:
    make = error or (lambda words: SinkAway(words, in_doubt=True, answered=True))
    return lambda sent: make("500: index out of range [3]") if set(bad) & set(sent) else None


@pytest.mark.parametrize("warm", [True, False])
@pytest.mark.parametrize("blocked", [True, False])
@pytest.mark.parametrize("place", [0, 3, 39])
async def test_a_reading_that_is_always_answered_500_or_403_is_found_and_all_others_are_stored(
    world: World, warm: bool, blocked: bool, place: int
) -> None:
    first = 1 if warm else 0
    if warm:
        await world.deliver(1)
    bad = lines(40, first)[place]
    world.server.fault = poison(bad, error=(lambda words: SinkBlocked(words, answered=True)) if blocked else None)
    await world.deliver(40, first)
    assert [line for line, _ in world.notes.quarantined] == [bad]
    assert "again and again, while the database stores other readings" in world.notes.quarantined[0][1]
    assert set(world.server.stored) == set(lines(first + 40)) - {bad}
    assert world.notes.settled == first + 40


async def test_one_reading_alone_in_its_batch_is_found_by_one_that_was_stored_before(world: World) -> None:
    await world.deliver(1)
    (bad,) = lines(1, 1)
    world.server.fault = poison(bad)
    await world.deliver(1, 1)
    assert [line for line, _ in world.notes.quarantined] == [bad]
    assert world.server.stored == [*lines(1), *lines(1)], "the witness was written again, which changes nothing"


@pytest.mark.parametrize("warm", [True, False])
@pytest.mark.parametrize("count", [1, 40])
async def test_a_server_that_answers_500_to_everything_costs_no_reading(world: World, warm: bool, count: int) -> None:
    first = 5 if warm else 0
    if warm:
        await world.deliver(5)
    world.server.fault, world.server.limit = (lambda _: SinkAway("500: disk full", answered=True)), 500
    with pytest.raises(Stop):
        await world.deliver(count, first)
    assert world.notes.quarantined == []
    world.server.fault, world.server.limit = (lambda _: None), 2000
    await world.deliver(count, first)
    assert set(world.server.stored) == set(lines(first + count))


async def test_a_server_that_is_away_or_busy_is_not_on_trial(world: World) -> None:
    await world.deliver(1)
    bad = lines(1, 1)[0]
    world.server.fault = poison(bad, error=lambda _: SinkAway("503: busy"))
    world.server.limit = 200
    with pytest.raises(Stop):
        await world.deliver(1, 1)
    assert world.notes.quarantined == []


async def test_answers_before_the_patience_ends_cost_nothing(world: World) -> None:
    await world.deliver(1)
    says = [SinkAway("500: timeout", answered=True)] * (PATIENCE - 1)
    world.server.fault = lambda _: says.pop() if says else None
    await world.deliver(4, 1)
    assert world.notes.quarantined == []
    assert world.server.stored == lines(5)


async def test_a_database_that_keeps_duplicates_gets_no_witness_twice_for_that(world: World) -> None:
    await world.deliver(1)
    world.server.overwrites = False
    world.server.fault, world.server.limit = poison(lines(1, 1)[0]), 300
    with pytest.raises(Stop):
        await world.deliver(1, 1)
    assert world.notes.quarantined == []


async def test_the_search_asks_seldom(world: World) -> None:
    await world.deliver(1)
    world.server.fault = poison(lines(2000, 1)[1234])
    world.server.requests = 0
    await world.deliver(2000, 1)
    assert world.server.requests < 80
    assert sum(world.clock.waits) < 600


# Lines that the server names


def naming(bad: dict[bytes, str], *, shift: int = 0, most: int = 1000) -> Callable[[list[bytes]], SinkError | None]:
    def fault(sent: list[bytes]) -> SinkError | None:
        named = [
            RefusedLine(number + shift, line.decode()[:20], bad[line])
            for number, line in enumerate(sent, 1)
            if line in bad
        ]
        return BatchRefused("400: partial write of line protocol occurred", named[:most]) if named else None

    return fault


async def test_exactly_the_named_lines_are_quarantined_each_with_its_own_words(world: World) -> None:
    bad = {lines(9)[2]: "invalid column type", lines(9)[5]: "no fields", lines(9)[8]: "no time"}
    world.server.fault = naming(bad)
    await world.deliver(9)
    assert world.notes.quarantined == list(bad.items())
    assert world.server.stored == [line for line in lines(9) if line not in bad]
    assert world.server.requests == 3, "the batch, the same as lines alone, and what is left of it"
    assert world.notes.settled == 9


async def test_a_batch_of_nothing_but_named_lines_is_quarantined_whole(world: World) -> None:
    world.server.fault = naming(dict.fromkeys(lines(4), "no"))
    await world.deliver(4)
    assert [line for line, _ in world.notes.quarantined] == lines(4)
    assert world.notes.settled == 4


@pytest.mark.parametrize("most", [1, 3])
async def test_a_server_that_names_few_at_a_time_is_followed_and_then_searched(world: World, most: int) -> None:
    bad = dict.fromkeys(lines(40)[::2], "no")
    world.server.fault = naming(bad, most=most)
    await world.deliver(40)
    assert sorted(line for line, _ in world.notes.quarantined) == sorted(bad)
    assert set(world.server.stored) == set(lines(40)) - set(bad)


@pytest.mark.parametrize("shift", [-1, 1, 50])
async def test_numbers_that_are_not_ours_are_not_believed(world: World, shift: int) -> None:
    bad = {lines(9)[4]: "no"}
    world.server.fault = naming(bad, shift=shift)
    await world.deliver(9)
    assert [line for line, _ in world.notes.quarantined] == list(bad)
    assert set(world.server.stored) == set(lines(9)) - set(bad)
