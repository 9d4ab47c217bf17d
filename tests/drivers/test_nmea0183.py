from functools import reduce
from operator import xor

import pytest

from drivers import nmea0183
from gateway.contract import FieldValue, Measurement

RMC = "GNRMC,123519.00,A,4807.038,N,01131.000,E,,,230326,,,A"
GGA = "GNGGA,123519.00,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,"


def line(text: str) -> bytes:
    return f"${text}*{reduce(xor, text.encode(), 0):02X}\r\n".encode()


def said(*sentences: str, interval: str = "0s") -> list[dict[str, FieldValue] | str]:
    decoder = nmea0183.Decoder(nmea0183.NmeaOptions.model_validate({"interval": interval}))
    found = [*decoder.feed(b"".join(map(line, sentences)), 0), *decoder.finish()]
    return [dict(one.fields) if isinstance(one, Measurement) else one.reason for one in found]


def one_of(text: str) -> dict[str, FieldValue]:
    (one,) = said(text)
    assert isinstance(one, dict)
    return one


@pytest.mark.parametrize("mode", ["", ",A", ",D", ",F", ",P", ",R", ",A,S", ",D,C", ",A,V", ",F,V", ",D,U"])
def test_a_fix_is_status_a_with_a_mode_that_vouches_for_it(mode: str) -> None:
    assert one_of(RMC.removesuffix(",A") + mode)["latitude"] == pytest.approx(48.1173)


@pytest.mark.parametrize("mode", [",N", ",E", ",M", ",S", ",N,V", ",E,S"])
def test_a_mode_of_no_fix_counts_although_the_status_says_a(mode: str) -> None:
    assert said(RMC.removesuffix(",A") + mode) == ["unsupported"]


@pytest.mark.parametrize("quality", ["0", "6", "7", "8", ""])
def test_a_height_without_a_fix_is_refused(quality: str) -> None:
    assert said(GGA.replace(",E,1,", f",E,{quality},")) == ["unsupported"]


def test_a_cold_receiver_sends_empty_fields() -> None:
    assert said("GPRMC,,V,,,,,,,,,,N", "GPGGA,,,,,,0,00,99.99,,,,,,") == ["unsupported"] * 2


def test_south_and_west_are_negative() -> None:
    found = one_of(RMC.replace(",N,", ",S,").replace(",E,", ",W,"))
    assert [found["latitude"], found["longitude"]] == pytest.approx([-48.1173, -11.516666666666667])


@pytest.mark.parametrize("talker", ["GP", "GL", "GA", "GB", "GN"])
def test_any_system_of_satellites_may_talk(talker: str) -> None:
    assert one_of(talker + GGA[2:])["altitude"] == 545.4


@pytest.mark.parametrize("spoilt", [
    RMC.replace("4807.038", "4860.000"), RMC.replace("4807.038", "9100.000"), RMC.replace("01131.000", "18001.000"),
    RMC.replace(",N,", ",X,"), RMC.replace("4807.038,N", ","), RMC.replace("230326", "310226"),
    RMC.replace("123519", "243519"), RMC.replace("123519.00", ""),
])  # fmt: skip
def test_no_such_place_or_time_is_refused(spoilt: str) -> None:
    assert said(spoilt) == ["range"]


@pytest.mark.parametrize(("day", "clock", "milliseconds"), [
    ("230394", "123519.00", 764426119000),
    ("010380", "000000", 320716800000),
    ("010326", "000000.25", 1772323200250),
    ("311216", "235960.00", 1483228800000),
])  # fmt: skip
def test_years_have_two_digits_and_a_leap_second_is_the_second_after(day: str, clock: str, milliseconds: int) -> None:
    found = one_of(RMC.replace("230326", day).replace("123519.00", clock))
    assert found["satellite_time"] == milliseconds * 10**6


def test_other_sentences_are_sound_and_say_nothing() -> None:
    assert said("GPGSV,1,1,02,04,61,113,38,16,27,312,33", "GPGST,172814.0,0.006,0.023", "GPRMC", "PUBX,00", "") == []


def test_place_and_height_come_once_in_an_interval_each() -> None:
    assert len(said(RMC, GGA, RMC, GGA, interval="60s")) == 2


def test_a_wrong_sum_and_a_torn_line_are_told_apart() -> None:
    decoder = nmea0183.Decoder(nmea0183.NmeaOptions())
    whole = line(RMC)
    found = decoder.feed(whole.replace(b"4807", b"4808") + whole[:30] + b"\r\n" + whole[9:], 0)
    assert [one.reason if not isinstance(one, Measurement) else "?" for one in found] == [
        "checksum",
        "length",
        "noise",
    ]


def test_a_sentence_behind_noise_or_behind_a_torn_one_is_read() -> None:
    decoder = nmea0183.Decoder(nmea0183.NmeaOptions())
    found = decoder.feed(b"\xf0x" + line(GGA) + line(RMC)[:20] + line(RMC), 0)
    assert [one.kind if isinstance(one, Measurement) else one.reason for one in found] == ["noise", "position"] * 2


@pytest.mark.parametrize("cut", [1, 50, 128, 129, 10**6])
@pytest.mark.parametrize("junk", [b"\xb5b" + b"3" * 300, b"\xd3\x00$" + b"4" * 200, b"5" * 127, b"$GNRMC,12"])
def test_binary_messages_before_a_sentence_do_not_cost_it(junk: bytes, cut: int) -> None:
    decoder = nmea0183.Decoder(nmea0183.NmeaOptions.model_validate({"interval": "0s"}))
    stream = junk + line(GGA)
    found = [one for at in range(0, len(stream), cut) for one in decoder.feed(stream[at : at + cut], 0)]
    assert [one.fields["altitude"] for one in found if isinstance(one, Measurement)] == [545.4]
