"""What a host may send to a device that is asked: anything, in any pieces."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim.devices.mhz19 import MhZ19
from firmware_sim.devices.modbus import LD120
from firmware_sim.devices.nextpm import NextPm
from firmware_sim.devices.senseair_k30 import SenseairK30
from firmware_sim.devices.senseair_s8 import SenseairS8
from firmware_sim.devices.winsen_ze import WinsenZe
from firmware_sim.devices.winsen_zh import WinsenZh
from firmware_sim.truth.ledger import Truth

QUESTIONS = [
    bytes.fromhex(text)
    for text in (
        "fe0400030001d5c5",
        "fe06001f00b4ac74",
        "fe440008029f25",
        "fe03000900020006",
        "81126d",
        "81156a",
        "811768",
        "ff0186000000000079",
        "ff0178410000000046",
        "ff01a7010000000057",
    )
]
MAKERS: list[Callable[[], Any]] = [
    lambda: SenseairS8("x", Truth(), "seed"),
    lambda: SenseairK30("x", Truth(), "seed"),
    lambda: LD120("x", Truth(), "seed"),
    lambda: NextPm("x", Truth(), "seed"),
    lambda: MhZ19("x", Truth(), "seed"),
    lambda: WinsenZe("x", Truth(), "seed"),
    lambda: WinsenZh("x", Truth(), "seed"),
]


def answers(twin: Any, pieces: list[bytes]) -> bytes:  # noqa: ANN401 -- any of them
    said = [frame for piece in pieces for frame in twin.receive(piece, 20.0)]
    return b"".join(frame.data for frame in [*said, *twin.tick(20.5)])


@pytest.mark.parametrize("make", MAKERS)
def test_it_answers_the_same_however_the_bytes_are_cut(make: Callable[[], Any]) -> None:
    @settings(deadline=None, derandomize=True)
    @given(st.lists(st.binary(max_size=20) | st.sampled_from(QUESTIONS), max_size=8))
    def law(stream: list[bytes]) -> None:
        joined = b"".join(stream)
        assert answers(make(), [joined]) == answers(make(), [joined[at : at + 1] for at in range(len(joined))])

    law()
