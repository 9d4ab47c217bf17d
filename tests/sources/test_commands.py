"""When a decoder's command goes out: at once, then seldom, and not where a broker minds."""

import pytest
import structlog

from gateway.contract import Command
from gateway.sources.commands import FIRST, GRACE, LONGEST, MAX_TOPICS, SILENCE, SOON, STRIKES, Commands

REBIRTH = Command("spBv1.0/koper/NCMD/edge-1", b"again")


class Line:
    """A publisher that writes down what it is given."""

    def __init__(self) -> None:
        self.sent: list[Command] = []
        self.takes = True

    def publish(self, topic: str, payload: bytes) -> bool:
        if self.takes:
            self.sent.append(Command(topic, payload))
        return self.takes


@pytest.fixture
def line() -> Line:
    return Line()


@pytest.fixture
def log() -> structlog.testing.LogCapture:
    log = structlog.testing.LogCapture()
    structlog.configure(processors=[log], cache_logger_on_first_use=False)
    return log


def times(line: Line, until: float, step: float = 1.0, sent: Commands | None = None) -> list[float]:
    """Ask every ``step`` seconds; return when something went out."""
    sent = sent or Commands("broker")
    moments = [number * step for number in range(int(until / step))]
    return [now for now in moments if sent.send(REBIRTH, line, now)]


def test_a_command_goes_out_at_once_and_as_it_is(line: Line) -> None:
    assert Commands("broker").send(REBIRTH, line, 0.0)
    assert line.sent == [REBIRTH]


def test_what_is_asked_for_again_and_again_goes_out_less_and_less_often(line: Line) -> None:
    assert times(line, 1500) == [0, 30, 90, 210, 450, 750, 1050, 1350]


def test_a_topic_does_not_wait_for_another(line: Line) -> None:
    sent = Commands("broker")
    assert all(sent.send(Command(f"topic-{number}", b""), line, 0.0) for number in range(100))


def test_a_command_that_had_its_effect_is_forgotten(line: Line) -> None:
    sent = Commands("broker")
    for begin in range(0, 10_000, 100):  # trouble every hundred seconds, over with the answer
        found = [sent.send(REBIRTH, line, begin + second) for second in range(int(GRACE))]
        assert found == [True] + [False] * (int(GRACE) - 1)


def test_a_slow_device_is_asked_with_each_of_its_messages(line: Line) -> None:
    assert times(line, 10 * 3600, step=3600) == [3600.0 * hour for hour in range(10)]


def test_what_could_not_go_out_is_tried_with_the_next_need(line: Line) -> None:
    sent = Commands("broker")
    line.takes = False
    assert not sent.send(REBIRTH, line, 0.0)
    line.takes = True
    assert sent.send(REBIRTH, line, 0.1)


def test_a_broker_that_drops_what_we_say_is_told_of_once(line: Line, log: structlog.testing.LogCapture) -> None:
    times(line, 10 * LONGEST)
    assert [(entry["log_level"], entry["source"], entry["topic"]) for entry in log.entries] == [
        ("warning", "broker", REBIRTH.topic)
    ]
    assert "allow this client to publish" in log.entries[0]["event"]


def test_a_broker_that_ends_the_connection_for_it_is_left_in_peace(
    line: Line, log: structlog.testing.LogCapture
) -> None:
    sent, now = Commands("broker"), 0.0
    for _ in range(STRIKES):
        assert sent.send(REBIRTH, line, now)
        sent.note_disconnect(now + SOON / 2)
        now += LONGEST
    assert not sent.send(REBIRTH, line, now)
    assert not sent.send(Command("another", b""), line, now + SILENCE / 2)
    assert len(log.entries) == 1
    assert sent.send(REBIRTH, line, now + SILENCE)
    sent.note_disconnect(now + SILENCE + SOON / 2)
    assert not sent.send(REBIRTH, line, now + SILENCE + LONGEST), "one more is enough"


def test_connections_that_end_for_other_reasons_change_nothing(line: Line) -> None:
    sent, now = Commands("broker"), 0.0
    for number in range(10 * STRIKES):
        assert sent.send(REBIRTH, line, now)
        sent.note_disconnect(now + (SOON if number % STRIKES else 0.0))
        now += LONGEST


def test_more_topics_than_can_be_real_get_nothing_and_the_known_ones_still_do(line: Line) -> None:
    sent = Commands("broker", max_topics=10)
    assert sum(sent.send(Command(f"topic-{number}", b""), line, 0.0) for number in range(1000)) == 10
    assert sent.send(Command("topic-1", b""), line, FIRST)
    assert sent.send(Command("topic-new", b""), line, FIRST), "those that are no longer asked for make room"
    assert len(sent._topics) <= 10 < MAX_TOPICS
