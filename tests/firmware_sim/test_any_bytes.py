"""What a host may send to a serial twin: anything, in any pieces."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import drivers
from firmware_sim.devices import canoga, houston_dr500, rtms_g4
from firmware_sim.devices.wavetronix_ss125 import EVENT, INTERVAL, crc8
from firmware_sim.registry import twins, variants
from firmware_sim.truth.ledger import Truth
from gateway.contract import SerialLink
from tests.support.conversation import Conversation

ENTRIES = {**twins(), **variants()}
SERIAL = sorted(name for name, one in ENTRIES.items() if isinstance(drivers.load(one.driver).link, SerialLink))

NOW = 70.0
"""By then every twin is ready, and an interval has ended."""


def _hex(*commands: str) -> list[bytes]:
    return [bytes.fromhex(command) for command in commands]


def _ask(message: int, data: bytes = b"") -> bytes:
    body = bytes((message, 0, 0)) + data
    head = b"Z1\0\0\1" + bytes((0, 0, 9, 41, len(body)))
    return head + bytes((crc8(head),)) + body + bytes((crc8(body),))


PLANTOWER = _hex("424de100000170", "424de100010171", "424de200000171", "424de400000173", "424de400010174", "424d")
MODBUS = _hex("fe0400030001d5c5", "fe06001f00b4ac74", "fe440008029f25", "fe03000900020006")
WINSEN = _hex("ff0186000000000079", "ff0178410000000046", "ff01a7010000000057")

COMMANDS: Mapping[str, Sequence[bytes]] = {
    "adec_tdc": _hex("1040014116", "1049014a16", "1078017916", "1058015916"),
    "canoga": [canoga.text(canoga.ANYBODY, letter) for letter in (b"*", b"a")] + [b"<"],
    "houston_dr500": [
        houston_dr500.packet(houston_dr500.ASK_SPEED),
        houston_dr500.packet(houston_dr500.ASK, b"\0TA"),
    ],
    "hpma115": _hex("68010196", "68010295", "68010493", "68011087", "68012077", "6802"),
    "mhz19": WINSEN,
    "modbus": MODBUS,
    "natch": [b"CS,0001\n", b"DS,01a5\n", b"DC,1,0,7\n"],
    "nextpm": _hex("81126d", "81156a", "811768"),
    "nextpm_modbus": MODBUS,
    "ops243": [b"UK", b"OJ", b"R>10\n", b"??", b"M>1.2.3\n", b"C=1\r", b"^/+2\n", b"TM300\n", b"A!", b"AX"],
    **dict.fromkeys(("pms3003", "pms5003", "pms5003st", "pms5003t"), PLANTOWER),
    "rtms_g4": [rtms_g4.frame(rtms_g4.INFORM, 1, b""), b"\xff"],
    "sds011": _hex(
        "aab402010100000000000000000000ffff02ab",
        "aab406010000000000000000000000ffff05ab",
        "aab407000000000000000000000000ffff05ab",
    ),
    "senseair_k30": MODBUS,
    "senseair_s8": MODBUS,
    "sps30": _hex(
        "7e0000020103f97e", "7e000100fe7e", "7e000300fc7e", "7e001000ef7e", "7e007d3100ee7e", "7e005600a97e"
    ),
    "wavetronix_ss105": [b"Z00001XD\r", b"Z00001XD0001\r"],
    "wavetronix_ss125": [_ask(EVENT), _ask(INTERVAL, bytes(3))],
    "winsen_ze": WINSEN,
    "winsen_zh": WINSEN,
}
"""Driver -> commands of the sheet, whole or in part, beside those that the driver sends."""

UNFINISHED = {"ops243": 16, "sds011": 19}
"""Driver -> below how many bytes its twin keeps of what is no command yet."""


def _answers(twin: Any, pieces: Sequence[bytes]) -> bytes:  # noqa: ANN401 -- any twin
    said = [frame for piece in pieces for frame in twin.receive(piece, NOW)]
    return b"".join(frame.data for frame in [*said, *twin.tick(NOW + 0.5)])


@pytest.mark.parametrize("name", SERIAL)
def test_it_answers_the_same_however_the_bytes_are_cut(name: str) -> None:
    entry = ENTRIES[name]
    talk = Conversation(name)
    talk.go_on(60)
    known = sorted({*talk.answered, *COMMANDS.get(entry.driver, ())}) or [b"?"]

    @settings(deadline=None, derandomize=True, database=None)
    @given(st.lists(st.binary(max_size=30) | st.sampled_from(known), max_size=8))
    def law(stream: list[bytes]) -> None:
        whole, cut = (entry.make("x", Truth(), "seed") for _ in range(2))
        joined = b"".join(stream)
        assert _answers(whole, [joined]) == _answers(cut, [joined[at : at + 1] for at in range(len(joined))])
        if entry.driver in UNFINISHED:
            assert len(whole._received) < UNFINISHED[entry.driver]
        if entry.driver == "ops243":
            assert whole.modes == cut.modes

    law()


def test_every_known_command_is_of_a_driver() -> None:
    assert {*COMMANDS, *UNFINISHED} <= set(drivers.names())
