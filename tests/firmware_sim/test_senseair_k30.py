from firmware_sim.devices.senseair_k30 import SenseairK30
from firmware_sim.parts.modbus import with_crc
from firmware_sim.parts.twin import Frame
from firmware_sim.truth.ledger import Truth

READ = bytes.fromhex("fe440008029f25")


def said(frames: list[Frame]) -> bytes:
    for frame in frames:
        if frame.heard:
            frame.heard(True)
    return b"".join(frame.data for frame in frames)


def test_the_question_of_the_sheet_is_answered_with_what_the_ledger_holds() -> None:
    truth = Truth()
    twin = SenseairK30("co2-1", truth, "seed")
    answer = said(twin.receive(READ, 10.0))
    (taken,) = truth
    assert answer == with_crc(b"\xfe\x44\x02" + int(float(taken.fields["co2"])).to_bytes(2, "big"))
    assert said(twin.receive(with_crc(b"\x68" + READ[1:5]), 12.0))[:3] == b"\x68\x44\x02"


def test_there_is_no_value_before_the_first_measurement() -> None:
    truth = Truth()
    twin = SenseairK30("co2-1", truth, "seed")
    assert said(twin.receive(READ, 1.0)) == with_crc(bytes.fromhex("fe44020000"))
    assert len(truth) == 0
    said(twin.receive(READ, 2.0))
    twin.power_cycle(3.0)
    assert said(twin.receive(READ, 4.0)) == with_crc(bytes.fromhex("fe44020000"))


def test_other_functions_and_places_are_refused() -> None:
    twin = SenseairK30("co2-1", Truth(), "seed")
    assert said(twin.receive(with_crc(bytes.fromhex("fe0400000001")), 5.0)) == with_crc(bytes.fromhex("fe8401"))
    assert said(twin.receive(with_crc(bytes.fromhex("fe44001202")), 5.0)) == with_crc(bytes.fromhex("fec402"))


def test_when_it_is_stopped_nobody_can_take_an_old_value_for_a_new_one() -> None:
    twin = SenseairK30("co2-1", Truth(), "seed")
    assert said(twin.receive(READ, 10.0))
    twin.stop()
    assert twin.receive(READ, 20.0) == []
