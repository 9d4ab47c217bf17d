"""UTC is told only once it is known, and a boot's offset is fixed on disk before anything of that boot goes out."""

import json
import time
from pathlib import Path

import pytest

from gateway.clock import EARLIEST, STEP, BootOffset, Stored, SystemClock, Timekeeper, kernel_synchronized
from tests.support.clock import BOOT, FakeClock

SECOND = 1_000_000_000
EARLIER = bytes(16)
NOON = 1_732_276_800 * SECOND
"""Friday 22 November 2024, noon UTC."""


def board(boot_id: bytes = BOOT, *, utc: int = NOON, right: bool = False) -> FakeClock:
    """A board that has been up for a minute and believes it is noon."""
    return FakeClock(boot_id, utc=utc, right=right)


@pytest.fixture
def clock() -> FakeClock:
    return board()


def file_of(directory: Path, boot_id: bytes = BOOT) -> Path:
    return directory / f"{boot_id.hex()}.json"


def test_utc_is_unknown_until_something_vouches_for_the_clock(clock: FakeClock, tmp_path: Path) -> None:
    keeper = Timekeeper(clock, tmp_path)
    assert (keeper.known, keeper.now(), keeper.check(), keeper.offset_of(BOOT)) == (False, None, 0, None)
    clock.pass_by(5 * SECOND)
    clock.right = True
    assert keeper.check() == 0
    assert keeper.known
    assert keeper.now() == clock.utc
    assert keeper.offset_of(BOOT) == BootOffset(NOON - 60 * SECOND, estimated=False)
    assert keeper.steps == 0


def test_setting_the_clock_right_for_the_first_time_is_no_step(clock: FakeClock, tmp_path: Path) -> None:
    keeper = Timekeeper(clock, tmp_path)
    clock.utc += 86400 * SECOND
    clock.right = True
    assert keeper.check() == 0
    assert keeper.steps == 0
    assert keeper.now() == clock.utc


def test_a_clock_that_is_right_from_the_start_is_known_at_once(clock: FakeClock, tmp_path: Path) -> None:
    clock.right = True
    assert Timekeeper(clock, tmp_path).now() == NOON


def test_a_clock_that_nobody_vouches_for_any_more_stays_known(clock: FakeClock, tmp_path: Path) -> None:
    clock.right = True
    keeper = Timekeeper(clock, tmp_path)
    clock.right = False
    clock.pass_by(10 * SECOND)
    clock.utc -= 3600 * SECOND
    assert keeper.check() == 0
    assert keeper.now() == NOON + 10 * SECOND


@pytest.mark.parametrize("seconds", [3600, -3600, 1, -1])
def test_a_step_is_counted_told_and_followed(clock: FakeClock, tmp_path: Path, seconds: int) -> None:
    clock.right = True
    keeper = Timekeeper(clock, tmp_path)
    clock.utc += seconds * SECOND
    assert keeper.now() == NOON, "not before it was noticed"
    assert keeper.check() == seconds * SECOND
    assert keeper.check() == 0
    assert keeper.steps == 1
    assert keeper.now() == clock.utc


def test_drift_is_followed_and_is_no_step(clock: FakeClock, tmp_path: Path) -> None:
    clock.right = True
    keeper = Timekeeper(clock, tmp_path)
    for _ in range(100):
        clock.pass_by(1 * SECOND)
        clock.utc += STEP - 1
        assert keeper.check() == 0
    assert keeper.steps == 0
    assert keeper.now() == clock.utc


def test_the_offset_of_this_boot_stays_what_it_was_first_through_steps_and_restarts(
    clock: FakeClock, tmp_path: Path
) -> None:
    clock.right = True
    keeper = Timekeeper(clock, tmp_path)
    first = keeper.offset_of(BOOT)
    clock.pass_by(100 * SECOND)
    clock.utc += 7 * SECOND
    keeper.check()
    assert keeper.offset_of(BOOT) == first
    assert Timekeeper(clock, tmp_path).offset_of(BOOT) == first


def test_a_restart_in_the_same_boot_knows_utc_even_if_nobody_vouches_for_it_now(
    clock: FakeClock, tmp_path: Path
) -> None:
    clock.right = True
    Timekeeper(clock, tmp_path)
    clock.right = False
    clock.pass_by(30 * SECOND)
    clock.utc = 0
    assert Timekeeper(clock, tmp_path).now() == NOON + 30 * SECOND


def test_a_guess_is_kept_through_restarts_and_replaced_once_the_clock_is_known(
    clock: FakeClock, tmp_path: Path
) -> None:
    Timekeeper(clock, tmp_path)
    guess = file_of(tmp_path).read_bytes()
    assert json.loads(guess) == {"offset_ns": NOON - 60 * SECOND, "kind": "guess"}
    clock.utc += 99 * SECOND
    keeper = Timekeeper(clock, tmp_path)
    assert file_of(tmp_path).read_bytes() == guess
    clock.right = True
    keeper.check()
    assert keeper.offset_of(BOOT) == BootOffset(NOON + 39 * SECOND, estimated=False)


def test_a_guess_for_this_boot_is_never_used_while_it_lasts(clock: FakeClock, tmp_path: Path) -> None:
    Timekeeper(clock, tmp_path)
    restarted = Timekeeper(clock, tmp_path)
    assert restarted.offset_of(BOOT) is None
    assert not restarted.known


def test_another_boots_known_offset_is_exact(clock: FakeClock, tmp_path: Path) -> None:
    Timekeeper(board(EARLIER, right=True), tmp_path)
    assert Timekeeper(clock, tmp_path).offset_of(EARLIER) == BootOffset(NOON - 60 * SECOND, estimated=False)


HOUR = 3600 * SECOND
READINGS = Stored(first=70 * SECOND, last=100 * SECOND, before=0)
"""An earlier boot took readings from 70 s to 100 s after it began."""


def settled(clock: FakeClock, directory: Path, stored: Stored = READINGS) -> BootOffset | None:
    return Timekeeper(clock, directory).settle(EARLIER, stored)


def test_another_boot_is_not_sent_before_it_is_settled(clock: FakeClock, tmp_path: Path) -> None:
    Timekeeper(board(EARLIER), tmp_path)
    assert Timekeeper(clock, tmp_path).offset_of(EARLIER) is None


def test_another_boots_own_wall_clock_is_its_best_bound(clock: FakeClock, tmp_path: Path) -> None:
    Timekeeper(board(EARLIER), tmp_path)
    clock.utc += HOUR
    assert settled(clock, tmp_path) == BootOffset(NOON - 60 * SECOND, estimated=True)


def test_a_boot_is_not_dated_before_what_was_stored_before_it(clock: FakeClock, tmp_path: Path) -> None:
    Timekeeper(board(EARLIER), tmp_path)
    clock.utc += HOUR
    stored = READINGS._replace(before=NOON + 7 * SECOND + READINGS.first)
    assert settled(clock, tmp_path, stored) == BootOffset(NOON + 7 * SECOND, estimated=True)


def test_a_boot_is_over_when_the_next_one_begins(clock: FakeClock, tmp_path: Path) -> None:
    Timekeeper(board(EARLIER, utc=NOON + 9 * HOUR), tmp_path)
    clock.right = True
    began = NOON - 60 * SECOND
    assert settled(clock, tmp_path) == BootOffset(began - READINGS.last, estimated=True)


def test_where_the_bounds_contradict_each_other_nothing_lies_in_the_future(clock: FakeClock, tmp_path: Path) -> None:
    clock.right = True
    stored = READINGS._replace(before=NOON + 9 * HOUR)
    assert settled(clock, tmp_path, stored) == BootOffset(NOON - 60 * SECOND - READINGS.last, estimated=True)


def test_a_boot_without_a_file_is_bound_by_its_neighbours(clock: FakeClock, tmp_path: Path) -> None:
    clock.right = True
    began = NOON - 60 * SECOND
    assert settled(clock, tmp_path) == BootOffset(began - READINGS.last, estimated=True)


def test_1970_is_no_bound_at_all(clock: FakeClock, tmp_path: Path) -> None:
    Timekeeper(board(EARLIER, utc=5 * SECOND), tmp_path)
    assert settled(clock, tmp_path) is None
    clock.right = True
    began = NOON - 60 * SECOND
    assert settled(clock, tmp_path) == BootOffset(began - READINGS.last, estimated=True)


def test_a_bound_is_fixed_once_because_sending_again_must_give_the_same_times(
    clock: FakeClock, tmp_path: Path
) -> None:
    Timekeeper(board(EARLIER), tmp_path)
    first = settled(clock, tmp_path)
    clock.right = True
    clock.utc += 17 * HOUR
    assert settled(clock, tmp_path, READINGS._replace(before=NOON + HOUR)) == first
    assert Timekeeper(clock, tmp_path).offset_of(EARLIER) == first


def test_this_boot_is_never_settled_at_a_bound(clock: FakeClock, tmp_path: Path) -> None:
    keeper = Timekeeper(clock, tmp_path)
    assert keeper.settle(BOOT, READINGS) is None
    clock.right = True
    keeper.check()
    assert keeper.settle(BOOT, READINGS) == BootOffset(NOON - 60 * SECOND, estimated=False)


@pytest.mark.parametrize("utc", [0, 5 * SECOND, EARLIEST - 1])
def test_a_clock_before_this_program_was_written_is_wrong_whatever_vouches_for_it(
    clock: FakeClock, tmp_path: Path, utc: int
) -> None:
    clock.right = True
    clock.utc = utc
    keeper = Timekeeper(clock, tmp_path)
    assert not keeper.known
    clock.utc = NOON
    keeper.check()
    clock.utc = utc
    assert keeper.check() == 0
    assert keeper.now() == NOON


def test_a_week_without_sync_goes_on_by_the_time_since_boot_and_its_end_is_a_step(
    clock: FakeClock, tmp_path: Path
) -> None:
    clock.right = True
    keeper = Timekeeper(clock, tmp_path)
    clock.right = False
    week = 7 * 86400
    for _ in range(7):
        clock.pass_by(86400 * SECOND)
        clock.utc += 2 * SECOND  # the crystal is slow: 23 ppm
        assert keeper.check() == 0
        assert keeper.now() == NOON - 60 * SECOND + clock.up
    clock.right = True
    assert keeper.check() == 14 * SECOND
    assert keeper.now() == NOON + week * SECOND + 14 * SECOND


@pytest.mark.parametrize(
    "torn", ["", "{", '{"offset_ns": 5', "[]", "null", '{"offset_ns": "x", "kind": "known"}', '{"kind": "known"}']
)
def test_a_torn_file_is_as_good_as_none(clock: FakeClock, tmp_path: Path, torn: str) -> None:
    file_of(tmp_path).write_text(torn, encoding="ascii")
    keeper = Timekeeper(clock, tmp_path)
    assert not keeper.known
    clock.right = True
    keeper.check()
    assert keeper.offset_of(BOOT) == BootOffset(NOON - 60 * SECOND, estimated=False)


def test_a_file_that_is_not_ascii_is_as_good_as_none(clock: FakeClock, tmp_path: Path) -> None:
    file_of(tmp_path).write_bytes(b"\xff\x00\xff")
    assert not Timekeeper(clock, tmp_path).known


def test_a_disk_that_takes_no_file_holds_readings_back_and_stops_nothing(clock: FakeClock, tmp_path: Path) -> None:
    directory = tmp_path / "clock"
    directory.write_text("in the way", encoding="ascii")
    clock.right = True
    keeper = Timekeeper(clock, directory)
    assert (keeper.known, keeper.offset_of(BOOT), keeper.offset_of(EARLIER)) == (False, None, None)
    directory.unlink()
    keeper.check()
    assert keeper.now() == NOON
    assert keeper.offset_of(BOOT) is not None


def test_a_write_that_was_cut_off_leaves_the_old_file(
    clock: FakeClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Timekeeper(clock, tmp_path)
    guess = file_of(tmp_path).read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    clock.right = True
    keeper = Timekeeper(clock, tmp_path)
    assert not keeper.known
    assert file_of(tmp_path).read_bytes() == guess


def test_the_machines_own_clock_tells_the_time_and_names_the_boot() -> None:
    ours = SystemClock("system")
    assert ours.synchronized()
    assert len(ours.boot_id) == 16
    assert ours.boot_id == SystemClock().boot_id
    assert ours.since_boot() <= ours.since_boot()
    assert abs(ours.wall() - time.time_ns()) < 60 * SECOND


def test_the_kernel_is_asked_when_timesyncd_says_nothing(tmp_path: Path) -> None:
    timesyncd = tmp_path / "synchronized"
    for answer in (True, False):
        asked = SystemClock(timesyncd=timesyncd, kernel=lambda answer=answer: answer)  # type: ignore[misc] # one of two
        assert asked.synchronized() is answer
    timesyncd.touch()
    assert SystemClock(timesyncd=timesyncd, kernel=lambda: False).synchronized()


def test_the_kernels_answer_can_be_read() -> None:
    assert kernel_synchronized() in {True, False}


def test_a_machine_without_a_boot_id_has_one_of_zeros(tmp_path: Path) -> None:
    boot_id = tmp_path / "boot_id"
    assert SystemClock(boot_id=boot_id).boot_id == bytes(16)
    boot_id.write_text("not a uuid", encoding="ascii")
    assert SystemClock(boot_id=boot_id).boot_id == bytes(16)


async def test_the_monotonic_clock_goes_on_while_one_sleeps() -> None:
    ours = SystemClock()
    before, before_ns = ours.monotonic(), ours.monotonic_ns()
    await ours.sleep(0.01)
    assert ours.monotonic() - before >= 0.01
    assert ours.monotonic_ns() - before_ns >= 10_000_000
