"""What is refused is told once, again when its rate has changed tenfold, and found where nothing else comes."""

import pytest
from structlog.testing import capture_logs

from gateway.contract import Reject, Remark
from gateway.health import BARREN_MESSAGES, BARREN_SECONDS, Health, SourceHealth, first_bytes
from gateway.refused import RefusedLevels
from gateway.refused.telling import ENOUGH, MOST_REASONS, WINDOW, Barren, Reasons, Share, without_numbers
from gateway.supervise import Liveness
from tests.support.clock import FakeClock

SECOND = 10**9


def test_a_new_reason_is_told_once_whatever_numbers_it_names() -> None:
    reasons = Reasons()
    assert reasons.note("range", "the value 12.5 is too high", 0) == "new"
    assert reasons.note("range", "the value -13 is too high", 1) == ""
    assert reasons.note("range", "the value is no number", 2) == "new"
    assert reasons.note("noise", "the value 1 is too high", 3) == "new"


@pytest.mark.parametrize(("after", "told"), [(1.0, ""), (5.0, ""), (0.05, "ten times as often"), (100.0, "a tenth")])
def test_a_reason_is_told_again_when_its_rate_has_changed_tenfold(after: float, told: str) -> None:
    reasons = Reasons()
    now = 0.0
    for _ in range(200):  # one a second
        assert reasons.note("noise", "no JSON", now) in ("", "new")
        now += 1.0
    found = set()
    for _ in range(2000):
        now += after
        found.add(reasons.note("noise", "no JSON", now))
    assert len(found - {""}) == bool(told)
    assert all(one.startswith(told) for one in found if one)


def test_whoever_invents_reasons_costs_no_memory_without_end() -> None:
    reasons = Reasons()
    for number in range(3 * MOST_REASONS):
        assert reasons.note("noise", f"word{chr(0x4E00 + number)}", 0) == "new"
    assert len(reasons._rates) == MOST_REASONS
    assert without_numbers("at 12.5, -3 and +1.25") == "at #, # and #"


def test_a_share_that_jumps_is_found_and_over_when_it_falls() -> None:
    share = Share(0.0)
    refused = readings = 0

    def window(more_refused: int, more_readings: int) -> bool:
        nonlocal refused, readings
        refused += more_refused
        readings += more_readings
        share.sample(share.since + WINDOW, refused, readings)
        return share.jumped

    assert not window(90, 10), "the first window is what is usual"
    assert not window(10, 90)
    assert not window(30, 70)
    assert window(70, 30)
    assert window(70, 30), "it goes on"
    assert not window(20, 80)
    assert not window(ENOUGH - 1, 0), "too few to tell"


def test_a_source_without_readings_is_barren_after_a_while() -> None:
    barren = Barren(0.0)
    barren.sample(1.0, 0, 0)
    for second in range(2, 10):
        barren.sample(float(second), second, 0)
    assert not barren.is_barren(30.0, 5, 60.0)
    assert barren.is_barren(62.0, 5, 60.0)
    barren.sample(63.0, 10, 1)
    assert not barren.is_barren(200.0, 5, 60.0)
    for second in range(64, 300):
        barren.sample(float(second), second, 1)
    assert not barren.is_barren(300.0, 5, 60.0), "it made readings: that it makes none now takes longer to say"
    assert barren.is_barren(800.0, 5, 60.0)


def test_a_refused_message_is_logged_with_topic_words_and_first_bytes() -> None:
    clock = FakeClock()
    source = SourceHealth(Liveness("broker", clock))
    with capture_logs() as logged:
        for _ in range(3):
            source.rejected(Reject("noise", b"21.5", "no JSON"), "ref/a")
        source.rejected(Reject("noise", b"\xff\x00", "no text"), "ref/b")
        for _ in range(2):
            source.remarked(Remark("mended", "a trailing comma", "at 7"), "ref/c")
    assert [(one["event"], one["topic"]) for one in logged] == [
        ("message refused", "ref/a"),
        ("message refused", "ref/b"),
        ("message mended", "ref/c"),
    ]
    assert logged[0]["source"] == "broker"
    assert logged[0]["detail"] == "no JSON"
    assert [one["begins"] for one in logged[:2]] == ["21.5", "ff 00"]


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b'{"t": 1}', '{"t": 1}'),
        (b'{\n  "t": 1\n}', '{ "t": 1 }'),
        ("č".encode() * 100, "č" * 32),
        (b"x" + "č".encode() * 100, "x" + "č" * 31),
        (b"\xaa\xc0", "aa c0"),
        (b"ok\x00", "6f 6b 00"),
        (b"", ""),
    ],
)
def test_bytes_are_shown_as_text_where_they_are_text(raw: bytes, shown: str) -> None:
    assert first_bytes(raw) == shown


def test_what_people_should_look_at_is_among_the_problems() -> None:
    clock = FakeClock()
    health = Health("g", "c", clock)
    health.clock_known = True
    source = health.source("broker")
    source.link.went_up()
    assert health.problems() == []
    source.retained = 2
    health.quarantined = {"unknown": 2048, "influx": 10}
    health.kept = RefusedLevels(60 << 20, 64 << 20, 7, 0)
    health.sample_sources()
    for _ in range(BARREN_MESSAGES):
        source.refused += 1
        source.rejected(Reject("noise", b"21.5", "no JSON"), "ref/a")
        clock.pass_by(SECOND)
        health.sample_sources()
    clock.pass_by(int(BARREN_SECONDS) * SECOND)
    health.sample_sources()
    retained = (
        'broker: 2 retained messages without a time of their own were left out: set retained = "accept" to store them'
        ' with the time of arrival, or "skip" to say that this is right'
    )
    assert health.problems() == [
        "broker: hears messages and makes no reading of them: 5 refused, the last: no JSON",
        retained,
        "quarantine: 2.0 KiB of lines of unknown sensors; see prehod spool quarantine list",
        "quarantine: 10 B of lines that influx will never take; see prehod spool quarantine list",
        "refused messages: 60.0 MiB of 64.0 MiB used, the oldest go next; see prehod refused list",
    ]
    shown = health.snapshot()["sources"]["broker"]
    assert (shown["refused"], shown["retained"]) == (5, 2)
    assert shown["last_rejects"][-1]["topic"] == "ref/a"
    assert shown["last_rejects"][-1]["detail"] == "no JSON"
    source.tells_retained = False
    assert not any("retained" in problem for problem in health.problems())
