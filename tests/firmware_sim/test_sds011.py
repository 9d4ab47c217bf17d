import pytest

from firmware_sim.devices.sds011 import Sds011
from firmware_sim.parts.twin import NEVER, Frame
from firmware_sim.truth.ledger import Truth

SENSOR = bytes.fromhex("a160")


def command(text: str, target: str = "ffff") -> bytes:
    """Frame a command: its first three bytes, then nothing, then whom it is for."""
    body = bytes.fromhex(text).ljust(13, b"\0") + bytes.fromhex(target)
    return b"\xaa\xb4" + body + bytes((sum(body) & 0xFF, 0xAB))


def said(frames: list[Frame]) -> str:
    return b"".join(frame.data for frame in frames).hex()


def hear(frames: list[Frame]) -> list[Frame]:
    for frame in frames:
        if frame.heard:
            frame.heard(True)
    return frames


@pytest.fixture
def truth() -> Truth:
    return Truth()


@pytest.fixture
def twin(truth: Truth) -> Sds011:
    return Sds011("aq-1", truth, "seed", SENSOR)


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        # The examples of the control protocol document, for the sensor A1 60.
        ("aab402000000000000000000000000ffff00ab", "aac502000000a16003ab"),
        ("aab402010100000000000000000000a16005ab", "aac502010100a16005ab"),
        ("aab406010100000000000000000000a16009ab", "aac506010100a16009ab"),
        ("aab406010000000000000000000000a16008ab", "aac506010000a16008ab"),
        ("aab408010100000000000000000000a1600bab", "aac508010100a1600bab"),
        ("aab408000000000000000000000000ffff06ab", "aac508000000a16009ab"),
        ("aab40500000000000000000000a001a160a7ab", "aac505000000a001a6ab"),
    ],
)
def test_a_command_is_answered_byte_by_byte_as_in_the_sheet(twin: Sds011, sent: str, answer: str) -> None:
    assert said(twin.receive(bytes.fromhex(sent), 0.0)) == answer


def test_the_firmware_answer_is_year_month_day(twin: Sds011) -> None:
    assert said(twin.receive(command("07"), 0.0)) == "aac507120b10a16035ab"


def test_commands_are_found_in_any_chunks_and_between_noise(twin: Sds011) -> None:
    stream = b"\xaa\xb4\x00" + command("02") + b"\xaa" + command("08") + b"\xff\xaa"
    answers = [frame for byte in stream for frame in twin.receive(bytes((byte,)), 0.0)]
    assert said(answers) == "aac502000000a16003abaac508000000a16009ab"


def test_a_command_with_a_wrong_checksum_or_for_another_sensor_is_ignored(twin: Sds011) -> None:
    broken = bytearray(command("060100"))
    broken[17] ^= 1
    assert twin.receive(bytes(broken), 0.0) == []
    assert twin.receive(command("060100", "1234"), 0.0) == []
    assert not twin.asleep


def test_a_measurement_frame_says_what_the_ledger_holds(twin: Sds011, truth: Truth) -> None:
    (frame,) = twin.tick(1.0)
    assert len(truth) == 0, "nobody has heard it yet"
    hear([frame])
    (taken,) = truth
    pm25 = int.from_bytes(frame.data[2:4], "little") / 10
    pm10 = int.from_bytes(frame.data[4:6], "little") / 10
    assert frame.data[:2] == b"\xaa\xc0"
    assert frame.data[6:8] == SENSOR
    assert frame.data[8] == sum(frame.data[2:8]) & 0xFF
    assert frame.data[9] == 0xAB
    assert (taken.sensor, taken.kind, taken.fields) == ("aq-1", "air_quality", {"pm25": pm25, "pm10": pm10})


def test_it_reports_once_a_second_and_does_not_catch_up(twin: Sds011) -> None:
    assert [len(twin.tick(now)) for now in (0.5, 1.0, 1.5, 2.0, 9.3, 9.4, 10.4)] == [0, 1, 0, 1, 1, 0, 1]


def test_in_query_mode_it_speaks_only_when_asked(twin: Sds011) -> None:
    twin.receive(command("020101"), 0.0)
    assert twin.due() == NEVER
    assert twin.tick(5.0) == []
    assert said(twin.receive(command("04"), 5.0)).startswith("aac0")
    twin.receive(command("020100"), 6.0)
    assert twin.receive(command("04"), 6.0) == []
    assert len(twin.tick(7.0)) == 1


def test_asleep_it_hears_only_the_wake_up(twin: Sds011) -> None:
    twin.receive(command("060100"), 0.0)
    assert twin.tick(5.0) == []
    assert twin.receive(command("02") + command("07") + command("080105"), 5.0) == []
    assert said(twin.receive(command("060101"), 6.0)) == "aac506010100a16009ab"
    assert len(twin.tick(7.0)) == 1
    assert twin.period == 0


def test_with_a_working_period_it_runs_thirty_seconds_of_every_n_minutes(twin: Sds011) -> None:
    twin.receive(command("080102"), 10.0)
    spoke = [now for now in range(11, 260) if twin.tick(float(now))]
    assert spoke == [*range(11, 40), *range(130, 160), *range(250, 260)]


def test_mode_period_and_id_outlast_a_power_cut_and_sleep_does_not(twin: Sds011) -> None:
    new_id = bytearray(command("05", "a160"))
    new_id[13:15] = b"\x12\x34"
    new_id[17] = sum(new_id[2:17]) & 0xFF
    twin.receive(bytes(new_id) + command("020101") + command("080103") + command("060100"), 0.0)
    twin.power_cycle(50.0)
    assert said(twin.receive(command("02") + command("08"), 50.0)) == "aac502000100123449ab" + "aac508000300123451ab"
    assert not twin.asleep


def test_fault_junk_after_wake_is_answered_properly_only_when_waked_again(twin: Sds011) -> None:
    twin.faults.junk_after_wake = 1
    twin.receive(command("060100"), 0.0)
    assert said(twin.receive(command("060101"), 1.0)) == "ad50105edd"
    assert twin.asleep
    assert said(twin.receive(command("060101"), 2.0)) == "aac506010100a16009ab"


def test_fault_zeros_at_start_are_good_frames_and_no_readings(twin: Sds011, truth: Truth) -> None:
    hear(twin.tick(1.0))
    twin.faults.zeros_at_start = 2
    twin.power_cycle(1.0)
    frames = [hear(twin.tick(float(now))) for now in (2, 3, 4)]
    assert [said(frame) for frame in frames[:2]] == ["aac000000000a16001ab"] * 2
    assert len(truth) == 2
    twin.receive(command("060100") + command("060101"), 5.0)
    assert said(twin.tick(6.0)) == "aac000000000a16001ab"


def test_fault_noise_comes_before_the_frame_and_leaves_it_whole(twin: Sds011, truth: Truth) -> None:
    twin.faults.noise = 1.0
    noise, frame = hear(twin.tick(1.0))
    assert noise.heard is None
    assert 1 <= len(noise.data) <= 12
    assert frame.data.startswith(b"\xaa\xc0")
    assert len(truth) == 1


def test_fault_corrupt_breaks_the_checksum_and_is_no_reading(twin: Sds011, truth: Truth) -> None:
    twin.faults.corrupt = 1.0
    for now in range(1, 100):
        (frame,) = hear(twin.tick(float(now)))
        assert frame.data[8] != sum(frame.data[2:8]) & 0xFF
    assert len(truth) == 0


def test_fault_torn_cuts_the_frame_and_is_no_reading(twin: Sds011, truth: Truth) -> None:
    twin.faults.torn = 1.0
    lengths = {len(hear(twin.tick(float(now)))[0].data) for now in range(1, 100)}
    assert lengths <= set(range(1, 10))
    assert len(truth) == 0


def test_fault_inverted_is_a_reading_all_the_same(twin: Sds011, truth: Truth) -> None:
    twin.faults.inverted = 1.0
    hear(twin.tick(1.0))
    (taken,) = truth
    assert float(taken.fields["pm10"]) < float(taken.fields["pm25"])


def test_fault_silent_neither_speaks_nor_hears(twin: Sds011) -> None:
    twin.faults.silent = True
    assert twin.due() == NEVER
    assert twin.tick(9.0) == []
    assert twin.receive(command("02"), 9.0) == []
    twin.faults.silent = False
    assert len(twin.tick(10.0)) == 1


def test_a_frame_nobody_can_vouch_for_is_entered_as_uncertain_and_a_missed_one_is_not(
    twin: Sds011, truth: Truth
) -> None:
    for now, arrived in ((1.0, None), (2.0, False)):
        (frame,) = twin.tick(now)
        assert frame.heard is not None
        frame.heard(arrived)
    assert [taken.certain for taken in truth] == [False]


def test_the_air_is_plausible_and_no_reading_looks_like_another(twin: Sds011) -> None:
    pairs = [twin.air.sample() for _ in range(20_000)]
    assert len(set(pairs)) == len(pairs)
    assert all(20 <= pm25 <= 600 and pm25 < pm10 < 2000 for pm25, pm10 in pairs)
