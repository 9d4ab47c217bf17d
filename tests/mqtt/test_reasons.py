"""When drops become a suspicion: another client with our id, which no word of MQTT 3.1.1 tells."""

import pytest

from gateway.errors import LinkDown, LinkDropped, LinkRefused
from gateway.mqtt.reasons import ABRUPT_ENDS, SOON, WAIT, Takeovers

DROPPED = LinkDropped("the broker closed the connection without a word")


@pytest.fixture
def takeovers() -> Takeovers:
    return Takeovers("prehod-koper-01-city")


def drops(takeovers: Takeovers, count: int) -> LinkDown:
    """Be dropped so often soon after being taken in; return what the last one means."""
    return [takeovers.judge(DROPPED, 1.0) for _ in range(count)][-1]


def test_a_few_drops_are_what_they_are(takeovers: Takeovers) -> None:
    assert drops(takeovers, ABRUPT_ENDS - 1) is DROPPED


def test_drop_after_drop_soon_after_being_taken_in_names_the_id_and_waits(takeovers: Takeovers) -> None:
    for _ in range(2):  # and it stays so
        meant = drops(takeovers, ABRUPT_ENDS)
        assert isinstance(meant, LinkRefused)
        assert "does another client use the id 'prehod-koper-01-city'?" in str(meant)
        assert meant.wait == WAIT


@pytest.mark.parametrize(
    ("error", "lasted"),
    [
        (DROPPED, SOON),  # it was taken in and stayed
        (DROPPED, None),  # a broker that starts hangs up at once
        (LinkDown("127.0.0.1:1883: Connection refused"), None),
        (LinkDown("no answer for 60 s"), 1.0),
    ],
)
def test_anything_else_in_between_clears_the_suspicion(
    takeovers: Takeovers, error: LinkDown, lasted: float | None
) -> None:
    drops(takeovers, ABRUPT_ENDS - 1)
    assert takeovers.judge(error, lasted) is error
    assert drops(takeovers, ABRUPT_ENDS - 1) is DROPPED


def test_two_who_wait_alike_still_see_each_other() -> None:
    assert SOON > WAIT
