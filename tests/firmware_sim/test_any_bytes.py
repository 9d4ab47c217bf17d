"""What a host may send to a twin: anything, in any pieces."""

from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.devices.ops243 import Ops243
from firmware_sim.devices.sds011 import Sds011
from firmware_sim.parts.street import Street
from firmware_sim.parts.twin import SerialTwin
from firmware_sim.truth.ledger import Truth

SDS011_COMMANDS = [
    bytes.fromhex("aab402010100000000000000000000ffff02ab"),
    bytes.fromhex("aab406010000000000000000000000ffff05ab"),
    bytes.fromhex("aab407000000000000000000000000ffff05ab"),
]
OPS243_COMMANDS = [b"UK", b"OJ", b"R>10\n", b"??", b"M>1.2.3\n", b"C=1\r", b"^/+2\n", b"TM300\n", b"A!", b"AX"]


def answers(twin: SerialTwin, pieces: list[bytes]) -> bytes:
    return b"".join(frame.data for piece in pieces for frame in twin.receive(piece, 1.0))


def noise_and(commands: list[bytes]) -> st.SearchStrategy[list[bytes]]:
    return st.lists(st.binary(max_size=30) | st.sampled_from(commands), max_size=8)


@given(noise_and(SDS011_COMMANDS))
def test_a_dust_sensor_answers_the_same_however_the_bytes_are_cut(stream: list[bytes]) -> None:
    whole, cut = (Sds011("aq-1", Truth(), "seed") for _ in range(2))
    joined = b"".join(stream)
    assert answers(whole, [joined]) == answers(cut, [joined[at : at + 1] for at in range(len(joined))])
    assert len(whole._received) < 19


@given(noise_and(OPS243_COMMANDS))
def test_a_radar_answers_the_same_however_the_bytes_are_cut(stream: list[bytes]) -> None:
    whole, cut = (Ops243("radar-1", Truth(), Street("seed")) for _ in range(2))
    joined = b"".join(stream)
    assert answers(whole, [joined]) == answers(cut, [joined[at : at + 1] for at in range(len(joined))])
    assert whole.modes == cut.modes
    assert len(whole._received) < 16
