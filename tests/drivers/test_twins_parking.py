"""Distance meters over a parking bay: vehicles come and go, and at times no echo comes back."""

import pytest

from tests.support.conversation import Conversation

EVENTS = {
    "a02yyuw": "unclear",
    "aj_sr04m": "unclear",
    "jsn_sr04t": "unclear",
    "maxbotix": "no_target",
    "maxbotix_xl": "no_target",
    "tfmini": "unclear",
}
"""Device -> what is told when no echo comes."""


@pytest.mark.parametrize("name", EVENTS)
def test_a_vehicle_comes_and_goes(name: str) -> None:
    talk = Conversation(name, every=1.0, interval="0s", threshold_mm=1500)
    for occupied in (False, True, False):
        talk.twin.bay.occupied = occupied
        talk.go_on(10)
    told = talk.values("occupied")
    changes = [state for state, before in zip(told, [None, *told], strict=False) if state != before]
    assert changes == [False, True, False]


@pytest.mark.parametrize("name", EVENTS)
def test_when_no_echo_comes_it_says_so_and_gives_no_distance(name: str) -> None:
    talk = Conversation(name, every=1.0, interval="0s")
    talk.twin.bay.lost = True
    talk.go_on(10)
    assert set(talk.values("event")) == {EVENTS[name]}
    assert talk.values("distance") == []
