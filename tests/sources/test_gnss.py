"""A receiver tells the time where nothing else does, and where the gateway stands; and it is not believed blindly."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from drivers.nmea0183 import Decoder, NmeaOptions
from firmware_sim.devices.nmea0183 import EPOCH, ROLLOVER, Nmea0183
from firmware_sim.truth.ledger import Truth
from gateway.clock import AGREE, BootOffset, Timekeeper
from gateway.config.load import check
from gateway.contract import Measurement, Reject, Remark
from gateway.daemon.catalogue import CATALOGUE
from gateway.errors import ConfigurationError
from gateway.health import CLOCK_OFF, RECEIVER_QUIET, GnssHealth, Health
from gateway.sources.gnss import LONGEST_BURST, PLACES, Gnss, Location, LocationEstimate, OffsetEstimate, metres

SECOND = 1_000_000_000
HOUR = 3600
BOOT = bytes(range(16))
UP = 60.0
"""Seconds that a board has been up when its receiver gets power."""
LATE = 0.25
"""Seconds from the second that a burst tells of to its first byte."""
BYTE = 10 / 9600
EACH = NmeaOptions.model_validate({"interval": "0s"})


class Board:
    """A board and its receiver, at 9600 baud; its clocks do what the test says. The twin's epoch is the true time."""

    def __init__(self, directory: Path, *, ahead: float = 0.0, crystal: float = 0.0) -> None:
        self.boot_id = BOOT
        self.directory = directory
        self.ahead = ahead
        self.crystal = crystal
        """How much faster than time it runs: seconds since boot gained in a second."""
        self.right = False
        self.late = LATE
        self.passed = 0.0
        self.stood: list[Location] = []
        self.truth = Truth()
        self.twin = Nmea0183("roof", self.truth, "seed")
        self.start()

    def start(self) -> None:
        """Start the daemon's part, perhaps again."""
        self.health = Health("koper-01", "Koper", self)
        self.keeper = Timekeeper(self, self.directory)
        self.gnss = Gnss("roof", self.keeper, self.health, self.stood.append)
        self.decoder = self.gnss.observe(lambda: Decoder(EACH))()

    def true(self) -> int:
        return int(EPOCH.timestamp()) * SECOND + round(self.passed * SECOND)

    def wall(self) -> int:
        return self.true() + round(self.ahead * SECOND)

    def since_boot(self) -> int:
        return round((UP + self.passed * (1 + self.crystal)) * SECOND)

    def synchronized(self) -> bool:
        return self.right

    def monotonic(self) -> float:
        return self.since_boot() / SECOND

    def monotonic_ns(self) -> int:
        return self.since_boot()

    async def sleep(self, seconds: float) -> None:
        self.passed += seconds

    def goes_on(self, seconds: int) -> list[float]:
        """Let so many seconds pass; return by how much UTC stepped, as it was told."""
        steps = []
        for _ in range(seconds):
            start = self.passed = float(round(self.passed) + 1)
            frames = self.twin.tick(start)
            for frame in frames:
                if frame.heard:
                    frame.heard(True)
            said = b"".join(frame.data for frame in frames)
            for at in range(0, len(said), 16):
                self.passed = start + self.late + min(at + 16, len(said)) * BYTE
                self.decoder.feed(said[at : at + 16], self.since_boot())
            self.passed = start
            if stepped := self.keeper.check():
                steps.append(stepped / SECOND)
            self.health.clock_known, self.health.clock_source = self.keeper.known, self.keeper.source
        return steps

    def error(self) -> float:
        """Return by how many seconds the time that is told is ahead."""
        now = self.keeper.now()
        assert now is not None
        return (now - self.true()) / SECOND

    def clock_problems(self) -> list[str]:
        return [problem for problem in self.health.problems() if problem.startswith("clock")]


@pytest.fixture
def board(tmp_path: Path) -> Board:
    return Board(tmp_path, ahead=-(EPOCH.timestamp() - 5))


def nearly(error: float) -> bool:
    """Tell whether it is no more than a sentence's way."""
    return -LATE - 0.05 <= error <= 0


# The clock


def test_a_board_that_boots_in_1970_knows_the_time_after_some_fixes_and_fixes_it_on_disk(board: Board) -> None:
    assert board.goes_on(6) == []
    assert not board.keeper.known
    assert board.goes_on(4) == []
    assert (board.keeper.known, board.keeper.source, board.keeper.steps) == (True, "gnss", 0)
    assert nearly(board.error())
    fixed = board.keeper.offset_of(BOOT)
    assert fixed is not None
    assert not fixed.estimated
    assert json.loads((board.directory / f"{BOOT.hex()}.json").read_text()) == {
        "offset_ns": fixed.offset,
        "kind": "known",
        "by": "gnss",
    }
    assert board.clock_problems() == []


def test_a_wall_clock_that_the_receiver_agrees_with_is_right_and_is_the_finer_one(tmp_path: Path) -> None:
    board = Board(tmp_path, ahead=0.4)
    board.goes_on(12)
    assert board.keeper.source == "gnss"
    assert board.error() == pytest.approx(0.4)


@pytest.mark.parametrize("weeks", [1, 2])
def test_an_old_receiver_is_1024_weeks_behind_once_or_twice(board: Board, weeks: int) -> None:
    board.twin.clock_off = -weeks * ROLLOVER
    board.goes_on(12)
    assert nearly(board.error())


def test_without_a_fix_nothing_is_known(board: Board) -> None:
    board.twin.fix = False
    board.goes_on(60)
    assert not board.keeper.known
    assert board.clock_problems() == ["clock: not known to be right, readings are clock-deferred"]


def test_a_receiver_that_jumps_from_fix_to_fix_is_never_believed(board: Board) -> None:
    for second in range(60):
        board.twin.clock_off = timedelta(seconds=second % 2 * HOUR)
        board.goes_on(1)
    assert not board.keeper.known


def test_a_receiver_whose_time_stands_still_is_never_believed(board: Board) -> None:
    for second in range(60):
        board.twin.clock_off = timedelta(seconds=-second)
        board.goes_on(1)
    assert not board.keeper.known


@pytest.mark.parametrize("seconds", [HOUR, -HOUR, 30 * 365 * 86400])
def test_a_jump_of_what_was_believed_is_told_and_not_followed(board: Board, seconds: int) -> None:
    board.goes_on(12)
    before = board.keeper.offset_of(BOOT)
    board.twin.clock_off = timedelta(seconds=seconds)
    assert board.goes_on(12) == []
    assert nearly(board.error())
    assert board.keeper.offset_of(BOOT) == before
    (problem,) = board.clock_problems()
    assert problem.startswith("clock: roof jumped ")
    assert problem.endswith(f"{'ahead' if seconds > 0 else 'back'}, and is not believed")
    board.twin.clock_off = timedelta()
    board.goes_on(12)
    assert board.clock_problems() == []


def test_a_jump_is_not_believed_after_a_restart_either(board: Board) -> None:
    board.goes_on(12)
    board.twin.clock_off = timedelta(hours=1)
    board.start()
    board.goes_on(12)
    assert nearly(board.error())
    assert len(board.clock_problems()) == 1


def test_leap_seconds_that_a_cold_receiver_learns_late_are_a_step_that_is_told(board: Board) -> None:
    board.twin.clock_off = timedelta(seconds=18)
    board.goes_on(20)
    first = board.keeper.offset_of(BOOT)
    board.twin.clock_off = timedelta()
    assert board.goes_on(20) == [pytest.approx(-18, abs=0.1)]
    assert nearly(board.error())
    assert board.keeper.offset_of(BOOT) == first, "what is fixed stays"
    assert board.keeper.steps == 1


def test_a_crystals_drift_is_followed_and_is_no_step(tmp_path: Path) -> None:
    board = Board(tmp_path, ahead=-1e9, crystal=100e-6)
    board.goes_on(10)
    for hours in range(24 * 14):
        board.passed = float(hours * HOUR + 20)
        board.twin.tick(board.passed - 1)
        board.goes_on(20)
    assert -LATE - 0.6 <= board.error() <= 0.4, "in the first seconds of an hour, less what it drifts in an hour"
    assert board.keeper.steps == 0
    board.start()
    assert abs(board.error()) < 1, "a restart goes on from there"
    assert board.keeper.source == "gnss"


def test_bytes_that_were_held_up_do_no_harm(board: Board) -> None:
    for second in range(60):
        board.late = 3.1 if second % 7 == 0 else LATE
        board.goes_on(1)
    assert nearly(board.error())


def test_of_several_fixes_the_one_that_was_least_late_counts(board: Board) -> None:
    for second in range(40):
        board.late = 0.2 + second % 5 / 10
        board.goes_on(1)
    assert board.error() == pytest.approx(-0.2 - 16 * BYTE, abs=0.001)


def test_a_burst_that_fills_the_second_dates_nothing_by_its_beginning(board: Board) -> None:
    listened: list[int] = []
    board.gnss.add_position = lambda _, age: listened.append(age)  # type: ignore[assignment, method-assign] # only the ages matter here
    decoder = board.gnss.observe(lambda: Decoder(EACH))()
    board.twin.tick(5.0)
    said = b"".join(frame.data for frame in board.twin.tick(6.0)) * 40
    for at, byte in enumerate(said):
        decoder.feed(bytes((byte,)), round(at * BYTE * SECOND))
    assert len(listened) > 60
    assert 0 <= min(listened) < max(listened) <= LONGEST_BURST


def test_what_vouches_for_the_clock_has_the_last_word_and_the_difference_is_shown(tmp_path: Path) -> None:
    board = Board(tmp_path, ahead=7.0)
    board.right = True
    board.goes_on(12)
    assert board.keeper.source == "ntp"
    assert board.error() == 7.0
    assert board.health.gnss is not None
    assert board.health.gnss.clock_off == pytest.approx(7.0, abs=LATE + 0.05)
    (problem,) = board.clock_problems()
    assert problem.startswith("clock: 7.")
    assert problem.endswith("s ahead of the satellites' time of roof")
    told = board.keeper.now()
    assert board.keeper.accept_gnss_offset(0)
    assert board.keeper.now() == told
    board.ahead = 0.0
    board.goes_on(2)
    assert board.clock_problems() == []


def test_a_time_server_that_is_reached_later_is_followed(board: Board) -> None:
    board.goes_on(12)
    board.right, board.ahead = True, 0.0
    assert board.goes_on(3) == []
    assert (board.keeper.source, board.error()) == ("ntp", 0.0)
    board.right = False
    board.goes_on(3)
    assert board.keeper.source == "gnss"
    assert board.error() == 0.0


def test_a_disk_that_takes_no_file_holds_readings_back_until_it_does(tmp_path: Path) -> None:
    (tmp_path / "clock").write_text("in the way")
    board = Board(tmp_path / "clock", ahead=-1e9)
    board.goes_on(12)
    assert not board.keeper.known
    (tmp_path / "clock").unlink()
    board.goes_on(1)
    assert board.keeper.known


def test_the_only_clock_there_is_is_missed_after_an_hour(board: Board) -> None:
    gnss = GnssHealth("roof", heard=0.0)
    assert [list(gnss.problems("gnss", since)) for since in (RECEIVER_QUIET, RECEIVER_QUIET + 1)] == [
        [],
        ["clock: no word of roof for 3601 s, and there is no other"],
    ]
    assert list(gnss.problems("ntp", RECEIVER_QUIET + 1)) == []
    assert [list(GnssHealth("roof", clock_off=-CLOCK_OFF - 1).problems("system", since)) for since in (0, 3601)] == [
        ["clock: 3.0 s behind the satellites' time of roof"],
        [],
    ]
    board.goes_on(12)
    state = board.health.snapshot()
    assert state["clock_source"] == "gnss"
    assert state["gnss"]["source"] == "roof"
    assert state["gnss"]["clock_off_s"] == pytest.approx(board.ahead, abs=1)
    assert json.loads(json.dumps(state)).keys() == state.keys()


def test_many_fixes_in_a_moment_are_not_enough() -> None:
    times, began = OffsetEstimate(), UP * SECOND
    noon = 1_772_366_400 * SECOND
    fixes = [times.add_fix(noon + at * SECOND // 5, int(began) + at * SECOND // 5) for at in range(12)]
    assert [fix is None for fix in fixes] == [True] * 10 + [False] * 2


def test_a_clock_just_within_a_second_agrees_and_beyond_does_not(tmp_path: Path) -> None:
    for beyond, told in ((0, 0), (1, AGREE + 1)):
        board = Board(tmp_path / str(beyond))
        own = board.wall() - board.since_boot()
        assert board.keeper.accept_gnss_offset(own + AGREE + beyond)
        assert board.keeper.offset_of(BOOT) == BootOffset(own + told, estimated=False)


# The place


GOOD: dict[str, Any] = {"latitude": 45.5481, "longitude": 13.7302, "satellites": 9, "horizontal_dilution": 0.9}


def places(*changes: dict[str, Any]) -> list[Location | None]:
    estimate = LocationEstimate()
    return [estimate.add_fix({**GOOD, **change}) for change in changes]


def test_a_place_is_known_after_several_good_fixes(board: Board) -> None:
    board.goes_on(5 + PLACES - 2)
    assert board.stood == []
    board.goes_on(60)
    (place,) = board.stood
    truth = list(board.truth)[PLACES - 1].fields
    assert metres(place, (float(truth["latitude"]), float(truth["longitude"]))) < 10
    assert (board.health.location, board.health.location_source) == (place, "gnss")
    assert board.health.snapshot()["location"] == place


@pytest.mark.parametrize(("satellites", "dilution"), [(3, 0.9), (9, 12.0), (0, 99.99)])
def test_a_poor_fix_gives_no_place(board: Board, satellites: int, dilution: float) -> None:
    board.twin.satellites, board.twin.dilution = satellites, dilution
    board.goes_on(60)
    assert board.stood == []


def test_one_poor_fix_begins_anew() -> None:
    found = places(*[{}] * (PLACES - 1), {"satellites": 2}, *[{}] * PLACES)
    assert found == [None] * (2 * PLACES - 1) + [(45.5481, 13.7302)]


@pytest.mark.parametrize("name", ["latitude", "longitude", "satellites", "horizontal_dilution"])
def test_a_fix_that_does_not_tell_how_good_it_is_is_passed_over(name: str) -> None:
    fields = {key: value for key, value in GOOD.items() if key != name}
    estimate = LocationEstimate()
    assert [estimate.add_fix(fields) for _ in range(2 * PLACES)] == [None] * 2 * PLACES


def test_a_receiver_that_jumps_about_stands_nowhere(board: Board) -> None:
    for second in range(60):
        board.twin.moved = second % 3 * 10_000  # 190 m each
        board.goes_on(1)
    assert board.stood == []


def test_a_gateway_that_was_moved_stands_elsewhere_and_the_skys_doing_moves_nothing(board: Board) -> None:
    board.goes_on(20)
    board.twin.moved = 2_000  # 37 m
    board.goes_on(60)
    assert len(board.stood) == 1
    board.twin.moved = 20_000
    board.goes_on(60)
    assert len(board.stood) == 2
    assert 250 < metres(*board.stood) < 450


def test_distances_hold_at_the_poles_and_across_the_date_line() -> None:
    assert metres((0, 179.9999), (0, -179.9999)) == pytest.approx(22.2, abs=0.1)
    assert metres((89.9999, 0), (89.9999, 180)) < 40
    assert metres((45, 13), (46, 13)) == pytest.approx(111_195)


# The configuration, and the line


ROOF = {"type": "serial", "port": "/dev/ttyACM0", "driver": "nmea0183", "sensor": "gnss-roof"}
DUST = {"type": "serial", "port": "/dev/ttyUSB0", "driver": "sds011", "sensor": "aq-1"}
LORA = {"type": "mqtt", "url": "mqtt://127.0.0.1", "driver": "chirpstack"}


@pytest.mark.parametrize(
    ("gnss", "sources", "says"),
    [
        ("rof", {"roof": ROOF, "dust": DUST}, "no satellite receiver is called 'rof'; did you mean 'roof'?"),
        ("dsut", {"roof": ROOF, "dust": DUST}, "no satellite receiver is called 'dsut'; there are roof"),
        ("roof", {"dust": DUST}, "no satellite receiver is called 'roof'; there is none"),
        ("dust", {"dust": DUST}, "'dust' is no serial source with a driver that finds a position"),
        ("lora", {"lora": LORA}, "'lora' is no serial source with a driver that finds a position"),
    ],
)
def test_a_receiver_is_a_serial_source_that_finds_a_position(gnss: str, sources: dict[str, Any], says: str) -> None:
    given = {"gateway": {"id": "g", "city": "Koper", "gnss": gnss}, "sources": sources}
    with pytest.raises(ConfigurationError) as caught:
        check(given, CATALOGUE)
    assert list(caught.value.problems) == [f"configuration: gateway.gnss: {says}"]


def test_a_receiver_with_a_misspelt_driver_is_one_problem_not_two() -> None:
    given = {"gateway": {"id": "g", "city": "Koper", "gnss": "roof"}, "sources": {"roof": ROOF | {"driver": "nmea"}}}
    with pytest.raises(ConfigurationError) as caught:
        check(given, CATALOGUE)
    (problem,) = caught.value.problems
    assert "did you mean 'nmea0183'" in problem


def test_an_overheard_decoder_says_what_it_would_say_otherwise(board: Board) -> None:
    board.twin.tick(5.0)
    said = b"\xff$GPXXX" + b"".join(frame.data for frame in board.twin.tick(6.0)) + b"$GNRMC"
    make: Callable[[], Decoder] = lambda: Decoder(NmeaOptions())  # noqa: E731 -- a decoder's maker, as assembly has it
    results: list[list[Measurement | Reject | Remark]] = []
    for decoder in (make(), board.gnss.observe(make)()):
        heard = [*decoder.feed(said[:40], 0), *decoder.feed(b"", 1), *decoder.feed(said[40:], 2), *decoder.finish()]
        results.append([*heard, Reject("noise", b"".join(decoder.start()) + decoder.poll())])
    assert results[0] == results[1]


def test_the_twins_clock_shows_hundredths_and_two_digit_years() -> None:
    twin = Nmea0183("roof", Truth(), "seed", epoch=datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC), search=0.0)
    twin.clock_off = -ROLLOVER
    assert twin.tick(1.0)[0].data.startswith(b"$GNRMC,120001.25,A,")
    assert b",160706,,,A*" in twin.tick(2.0)[0].data
