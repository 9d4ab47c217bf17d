"""Nova SDS198: its quirks."""

from drivers.sds011 import FIRMWARE, REPORT_MODE, SLEEP_WORK, WORKING_PERIOD, Reply, command
from drivers.sds198 import DRIVER as SDS198
from drivers.sds198 import Decoder, Report, parse
from gateway.contract import Measurement, Quality, Reject

SECOND = 10**9
CAPTURED = bytes.fromhex("AA CF 0E 00 10 00 E9 05 0C AB")
DUSTY = bytes.fromhex("AA CF 00 10 34 12 E9 05 44 AB")
ZEROS = bytes.fromhex("AA CF 00 00 00 00 E9 05 EE AB")
OF_AN_SDS011 = bytes.fromhex("AA C0 D4 04 3A 0A A1 60 1D AB")


def _decoder(**options: str) -> Decoder:
    return Decoder(SDS198.options.model_validate(options))  # type: ignore[arg-type] # the driver's own options


def test_values_are_whole_micrograms_and_not_tenths_as_from_its_sibling() -> None:
    assert parse(CAPTURED) == Report(16, b"\xe9\x05", 14, CAPTURED)
    (said,) = _decoder(warm_up="0s").feed(DUSTY, 0)
    assert said == Measurement("air_quality", {"pm100": 4660.0})


def test_a_report_of_zeros_is_no_data() -> None:
    assert _decoder().feed(ZEROS, 0) == [Reject("unsupported", ZEROS, "all zero: it is starting")]


def test_a_report_of_its_sibling_is_not_its_own() -> None:
    noise, good = _decoder().feed(OF_AN_SDS011 + CAPTURED, 0)
    assert isinstance(noise, Reject)
    assert (noise.reason, noise.raw) == ("noise", OF_AN_SDS011)
    assert isinstance(good, Measurement)


def test_a_damaged_report_is_told_from_noise() -> None:
    wrong_sum, wrong_end = CAPTURED[:8] + b"\x00\xab", CAPTURED[:9] + b"\xac"
    assert [one.reason for one in (parse(wrong_sum), parse(wrong_end)) if isinstance(one, Reject)] == [
        "checksum",
        "length",
    ]


def test_it_takes_the_commands_of_its_sibling_and_is_asked_its_firmware_once() -> None:
    decoder = _decoder()
    awake = [command(SLEEP_WORK, 1), command(REPORT_MODE, 0), command(WORKING_PERIOD, 0)]
    assert list(decoder.start()) == [*awake, command(FIRMWARE)]
    reply = bytes.fromhex("AA C5 07 13 03 1B E9 05 26 AB")
    assert parse(reply) == Reply(FIRMWARE, b"\x13\x03\x1b", b"\xe9\x05")
    said = [one.fields for one in decoder.feed(reply + CAPTURED * 2, 0) if isinstance(one, Measurement)]
    assert said == [{"pm100": 16.0, "firmware_version": "19-3-27"}, {"pm100": 16.0}]


def test_replies_alone_may_be_those_of_an_sds011_and_say_nothing() -> None:
    assert _decoder().feed(bytes.fromhex("AA C5 07 13 03 1B E9 05 26 AB"), 0) == []


def test_reports_are_the_sign_that_it_is_awake_because_replies_were_never_captured() -> None:
    decoder = _decoder()
    decoder.feed(b"", 0)
    assert [decoder.poll() for _ in range(4)] == [*list(decoder.start())[:3], command(SLEEP_WORK, 1)]
    decoder.feed(CAPTURED, SECOND)
    assert decoder.poll() == b""


def test_with_a_working_period_the_laser_rests() -> None:
    decoder = _decoder(working_period="5min")
    (said,) = decoder.feed(CAPTURED, 0)
    assert isinstance(said, Measurement)
    assert said.quality == Quality.WARM_UP
    decoder.feed(CAPTURED, 41 * SECOND)
    assert [decoder.poll(), decoder.poll()] == [command(SLEEP_WORK, 0), b""]


def test_zeros_that_outlast_the_warm_up_are_clean_air() -> None:
    decoder = _decoder(warm_up="10s")
    said = [one for second in range(0, 15, 5) for one in decoder.feed(ZEROS, second * SECOND)]
    assert [type(one) for one in said] == [Reject, Reject, Measurement]
    _, again = decoder.feed(DUSTY + ZEROS, 20 * SECOND)
    assert isinstance(again, Reject)
