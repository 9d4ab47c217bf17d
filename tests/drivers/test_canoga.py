"""Canoga: answers without header or name, vehicles between two answers, and speed from a pair of loops."""

from functools import cached_property

import pytest
from pydantic import ValidationError

from drivers.canoga import EVENTS, CanogaOptions, Decoder, Text, check, parse_text, text
from drivers.common.loops import STARTS, Event, Pair, passed
from gateway.contract import Measurement, Reject

SECOND = 10**9
ASK = text(255, b"*")
Loop = tuple[int, int, int]
NOBODY: Loop = (0, 0, 0)


def _answer(*loops: Loop) -> bytes:
    """Return an answer; the loops that are not given have seen nobody."""
    events = [*loops, *[NOBODY] * (4 - len(loops))]
    said = b"".join(
        long.to_bytes(3, "big") + start.to_bytes(4, "big") + bytes((count, 0)) for long, start, count in events
    )
    return said + bytes((check(said),))


class _Asked:
    """A decoder that is asked until it asks for the last vehicles, and then hears an answer."""

    def __init__(self, **options: object) -> None:
        self.decoder = Decoder(CanogaOptions.model_validate(options))
        self.now = 0
        self.said: list[Measurement | Reject] = []

    def hears(self, *answers: bytes) -> "_Asked":
        for answer in answers:
            while self.decoder.poll() != ASK:
                pass
            self.said += self.decoder.feed(answer, self.now)
            self.now += SECOND
        return self

    @cached_property
    def last(self) -> list[Measurement | Reject]:
        """What the decoder says when the line closes."""
        return [*self.decoder.feed(b"", self.now), *self.decoder.finish()]

    def lanes(self) -> dict[str, dict[str, object]]:
        return {one.tags["lane"]: dict(one.fields) for one in self.last if isinstance(one, Measurement)}

    def events(self) -> list[object]:
        return [one.fields.get("event") for one in self.said if isinstance(one, Measurement)]

    def reasons(self) -> list[str]:
        return [one.reason for one in [*self.said, *self.last] if isinstance(one, Reject)]


def test_the_question_is_as_the_protocol_draws_it() -> None:
    assert bytes.fromhex("3C 30 38 FF 2A 45 31 3E") == ASK
    assert len(_answer()) == EVENTS


@pytest.mark.parametrize("letter", [b"a", b"B"])
def test_a_text_names_its_length_its_card_and_its_letter(letter: bytes) -> None:
    packed = text(7, letter + b"0123456789")
    assert packed.startswith(b"<12\x07")
    assert parse_text(packed) == Text(7, letter, b"0123456789")


def test_the_first_answer_counts_nobody_and_the_next_ones_what_came_since() -> None:
    asked = _Asked().hears(_answer((500, 10000, 40)), _answer((400, 14000, 41)), _answer((300, 18000, 43)))
    lane = asked.lanes()["1"]
    assert (lane["intensity"], lane["sample_count"]) == (3, 2)
    assert "occupancy" not in lane  # one of the three was over the loop for nobody knows how long


def test_the_time_over_the_loop_is_its_occupancy() -> None:
    asked = _Asked().hears(_answer((500, 10000, 40)), _answer((600, 14000, 41)))
    assert asked.lanes()["1"] == {"intensity": 1, "period": 2.0, "occupancy": 0.3}


def test_a_loop_that_has_seen_nobody_since_the_reset_gives_no_reading() -> None:
    asked = _Asked().hears(_answer((500, 10000, 40)), _answer((500, 10000, 40)))
    assert asked.lanes() == {"1": {"intensity": 0, "period": 2.0, "occupancy": 0.0}}


def test_only_the_wanted_loops_are_read() -> None:
    both = (500, 10000, 40)
    assert list(_Asked(loops=[2]).hears(_answer(both, both)).lanes()) == ["2"]


def test_the_count_goes_round_and_so_does_the_clock() -> None:
    before = Event(500, STARTS - 3000, 254, 0)
    assert passed(before, Event(400, 2000, 1, 0)) == 3


def test_what_nobody_asked_for_is_noise() -> None:
    asked = _Asked().hears(_answer((500, 10000, 40)))
    assert [
        one.reason for one in asked.decoder.feed(_answer((400, 14000, 41)) + ASK, 0) if isinstance(one, Reject)
    ] == ["noise"]
    assert asked.lanes()["1"]["intensity"] == 0


def test_an_answer_with_noise_around_it_is_found() -> None:
    noisy = b"\xff\x80" + _answer((400, 14000, 41)) + b"\xfe"
    assert _Asked().hears(_answer((500, 10000, 40)), noisy).lanes()["1"]["intensity"] == 1


def test_an_answer_that_lost_its_first_byte_is_thrown_away_at_the_next_question() -> None:
    answers = _answer((500, 10000, 40)), _answer((400, 14000, 41))[1:], _answer((400, 14000, 41))
    asked = _Asked().hears(*answers)
    assert asked.lanes()["1"]["intensity"] == 1
    assert asked.reasons() == ["noise"]


def test_a_shifted_answer_whose_check_holds_is_not_believed() -> None:
    """The first byte of a duration is 0 nearly always: lost, it leaves the XOR as it is."""
    sound = _answer((500, 10000, 40), (600, 12000, 7))
    shifted = sound[1:] + b"\0"
    assert check(shifted) == 0
    asked = _Asked().hears(sound, shifted, _answer((400, 14000, 41), (600, 12000, 7)))
    assert asked.reasons() == ["range"]
    assert asked.lanes()["1"]["intensity"] == 1


@pytest.mark.parametrize("other", [(400, 10000, 41), (400, 14000, 40)], ids=["count alone", "start alone"])
def test_start_and_count_change_together(other: Loop) -> None:
    assert _Asked().hears(_answer((500, 10000, 40)), _answer(other)).reasons() == ["range"]


def test_where_the_first_answer_was_the_damaged_one_the_second_that_agrees_is_believed() -> None:
    damaged, sound = _answer((500, 10000, 99)), _answer((500, 10000, 40))
    asked = _Asked().hears(damaged, sound, _answer((400, 14000, 41)))
    assert asked.reasons() == ["range"]
    assert asked.lanes()["1"]["intensity"] == 1


def test_a_card_that_was_reset_says_so_and_counts_from_nothing() -> None:
    asked = _Asked().hears(_answer((500, 10000, 40)), _answer(), _answer((400, 3000, 2)))
    assert asked.events() == ["reset"]
    assert asked.lanes()["1"]["intensity"] == 2


def test_a_reset_that_nobody_saw_shows_in_a_start_that_goes_back() -> None:
    asked = _Asked().hears(_answer((500, 10**9, 200)), _answer((400, 3000, 2)))
    assert asked.events() == ["reset"]
    assert asked.lanes()["1"]["intensity"] == 2


def test_the_first_vehicle_ever_is_one_even_when_the_card_is_on_for_a_month() -> None:
    assert passed(Event(0, 0, 0, 0), Event(400, 30 * 86_400_000, 1, 0)) == 1


# --- speed


def test_speed_is_the_distance_over_the_mean_of_both_times() -> None:
    pair = {"upstream": 1, "downstream": 2, "apart": 4.5}
    before = _answer((400, 5000, 9), (400, 5300, 9))
    asked = _Asked(pairs=[pair]).hears(before, _answer((500, 10000, 10), (510, 10300, 10)))
    lanes = asked.lanes()
    assert lanes["2"]["average_vehicle_speed"] == 53.11
    assert "average_vehicle_speed" not in lanes["1"]


def test_a_vehicle_that_is_no_longer_the_last_one_upstream_is_remembered() -> None:
    pair = {"upstream": 1, "downstream": 2, "apart": 4.5}
    asked = _Asked(pairs=[pair]).hears(
        _answer((400, 5000, 9), (400, 5300, 9)),
        _answer((500, 10000, 10), (400, 5300, 9)),
        _answer((900, 10600, 11), (510, 10300, 10)),
    )
    assert asked.lanes()["2"]["average_vehicle_speed"] == 53.11


@pytest.mark.parametrize(
    ("upstream", "downstream"),
    [
        (Event(500, 10000, 1, 0), Event(560, 10300, 1, 0)),
        (Event(19, 10000, 1, 0), Event(19, 10300, 1, 0)),
        (Event(500, 10000, 1, 0), Event(500, 9000, 1, 0)),
        (Event(500, 10000, 1, 0), Event(500, 10000, 1, 0)),
        (Event(500, 10000, 1, 0), Event(500, 10020, 1, 0)),
        (Event(500, 10000, 1, 0), Event(500, 20000, 1, 0)),
    ],
    ids=["durations differ", "too short", "backwards", "at once", "too fast", "too slow"],
)
def test_what_is_not_one_vehicle_has_no_speed(upstream: Event, downstream: Event) -> None:
    assert Pair(upstream=1, downstream=2, apart=4.5).speed(upstream, downstream) is None


@pytest.mark.parametrize(
    "options",
    [
        {"loops": [5]},
        {"address": 256},
        {"pairs": [{"upstream": 0, "downstream": 2, "apart": 4.5}]},
        {"interval": "0s"},
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        CanogaOptions.model_validate(options)


def test_more_vehicles_than_there_was_time_for_are_damage() -> None:
    asked = _Asked().hears(_answer((500, 10000, 40)), _answer((400, 10900, 140)), _answer((400, 10900, 41)))
    assert asked.reasons() == ["range"]
    assert asked.lanes()["1"]["intensity"] == 1


def test_many_vehicles_in_a_long_time_are_none() -> None:
    asked = _Asked().hears(_answer((500, 10000, 40)), _answer((400, 60000, 140)))
    assert asked.lanes()["1"]["intensity"] == 100
