from firmware_sim.devices.nextpm_modbus import NextPmModbus
from firmware_sim.parts.modbus import with_crc
from firmware_sim.truth.ledger import Truth


def ask(twin: NextPmModbus, body: str, now: float) -> bytes:
    frames = twin.receive(with_crc(bytes.fromhex(body)), now)
    for frame in frames:
        if frame.heard:
            frame.heard(True)
    return b"".join(frame.data for frame in frames)


def test_means_have_32_bits_with_the_low_word_first() -> None:
    truth = Truth()
    twin = NextPmModbus("aq-1", truth, "seed", 5)
    answer = ask(twin, "05 03 003e 000c", 20.0)
    assert answer[:7] == bytes.fromhex("05 03 18 62 4f 00 25")
    (taken,) = truth
    low, high = int.from_bytes(answer[15:17], "big"), int.from_bytes(answer[17:19], "big")
    assert taken.fields["pm1"] == (low + 65536 * high) / 1000


def test_all_means_are_read_at_once_and_firmware_and_state_alone() -> None:
    twin = NextPmModbus("aq-1", Truth(), "seed")
    assert len(ask(twin, "01 03 0032 0024", 20.0)) == 77
    assert ask(twin, "01 03 0001 0001", 20.0) == with_crc(bytes.fromhex("01 03 02 00 34"))
    assert ask(twin, "01 03 0013 0001", 20.0) == with_crc(bytes.fromhex("01 03 02 00 00"))


def test_it_has_no_data_for_fifteen_seconds_nor_when_it_was_stopped() -> None:
    truth = Truth()
    twin = NextPmModbus("aq-1", truth, "seed")
    assert ask(twin, "01 03 0013 0001", 5.0) == with_crc(bytes.fromhex("01 03 02 00 04"))
    assert ask(twin, "01 03 0032 000c", 5.0)[3:-2] == bytes(24)
    twin.stop()
    assert ask(twin, "01 03 0032 000c", 50.0)[3:-2] == bytes(24)
    assert twin.quiet()
    assert len(truth) == 0


def test_other_functions_and_registers_are_refused() -> None:
    twin = NextPmModbus("aq-1", Truth(), "seed")
    assert ask(twin, "01 04 0032 0001", 20.0) == with_crc(bytes.fromhex("01 84 01"))
    assert ask(twin, "01 03 0055 0002", 20.0) == with_crc(bytes.fromhex("01 83 02"))
    assert ask(twin, "02 03 0032 0001", 20.0) == b""
