"""CBOR and MessagePack: what their specifications show is read as that, and what is damaged is refused."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import drivers
from drivers.common import cbor, msgpack
from drivers.common.binary_json import DEEPEST, Malformed
from gateway.contract import Measurement, Reject

CBOR = {
    "00": 0,
    "17": 23,
    "1818": 24,
    "1903e8": 1000,
    "1a000f4240": 1000000,
    "1b000000e8d4a51000": 1000000000000,
    "1bffffffffffffffff": 18446744073709551615,
    "c249010000000000000000": 18446744073709551616,
    "3bffffffffffffffff": -18446744073709551616,
    "c349010000000000000000": -18446744073709551617,
    "20": -1,
    "3903e7": -1000,
    "f90000": 0.0,
    "f93c00": 1.0,
    "fb3ff199999999999a": 1.1,
    "f97bff": 65504.0,
    "fa47c35000": 100000.0,
    "f90001": 5.960464477539063e-8,
    "f9c400": -4.0,
    "fbc010666666666666": -4.1,
    "f97c00": "inf",
    "f97e00": "nan",
    "f4": False,
    "f5": True,
    "f6": None,
    "f7": None,
    "c074323031332d30332d32315432303a30343a30305a": "2013-03-21T20:04:00Z",
    "c11a514b67b0": 1363896240,
    "c1fb41d452d9ec200000": 1363896240.5,
    "c48221196ab3": 273.15,
    "4401020304": "01020304",
    "60": "",
    "6449455446": "IETF",
    "62225c": '"\\',
    "62c3bc": "ü",
    "80": [],
    "8301820203820405": [1, [2, 3], [4, 5]],
    "98190102030405060708090a0b0c0d0e0f101112131415161718181819": [*range(1, 26)],
    "a201020304": {"1": 2, "3": 4},
    "a26161016162820203": {"a": 1, "b": [2, 3]},
    "826161a161626163": ["a", {"b": "c"}],
    "5f42010243030405ff": "0102030405",
    "7f657374726561646d696e67ff": "streaming",
    "9f018202039f0405ffff": [1, [2, 3], [4, 5]],
    "bf61610161629f0203ffff": {"a": 1, "b": [2, 3]},
    "bf6346756ef563416d7421ff": {"Fun": True, "Amt": -2},
    "a16174fa41ad999a": {"t": 21.7},
    "a121616d": {"-2": "m"},
}
"""Bytes and what they mean: of RFC 8949, appendix A, but for the last two."""

MSGPACK = {
    "82a7636f6d70616374c3a6736368656d6100": {"compact": True, "schema": 0},
    "c0": None,
    "c2": False,
    "7f": 127,
    "e0": -32,
    "ff": -1,
    "ccff": 255,
    "cdffff": 65535,
    "ceffffffff": 4294967295,
    "cfffffffffffffffff": 18446744073709551615,
    "d080": -128,
    "d18000": -32768,
    "d280000000": -2147483648,
    "d38000000000000000": -9223372036854775808,
    "ca41ad999a": 21.7,
    "cb4035800000000000": 21.5,
    "cb7ff8000000000000": "nan",
    "a0": "",
    "a3c3bc61": "üa",
    "d90161": "a",
    "da000161": "a",
    "db0000000161": "a",
    "c4020102": "0102",
    "c500020102": "0102",
    "c6000000020102": "0102",
    "9201c0": [1, None],
    "dc000101": [1],
    "dd0000000101": [1],
    "de0001a16101": {"a": 1},
    "df00000001a16101": {"a": 1},
    "810203": {"2": 3},
    "d40501": "01",
    "c7030501fffe": "01fffe",
    "d6ff6553f100": 1700000000,
    "d7ff773594006553f100": 1700000000.5,
    "c70cff1dcd6500000000006553f100": 1700000000.5,
}
"""Bytes and what they mean, each by one form of the specification."""


@pytest.mark.parametrize(("written", "meant"), CBOR.items())
def test_what_rfc_8949_shows_is_read_as_it_means(written: str, meant: object) -> None:
    found = cbor.read(bytes.fromhex(written))
    assert (found, type(found)) == (meant, type(meant))


@pytest.mark.parametrize(("written", "meant"), MSGPACK.items())
def test_each_form_of_messagepack_is_read_as_it_means(written: str, meant: object) -> None:
    found = msgpack.read(bytes.fromhex(written))
    assert (found, type(found)) == (meant, type(meant))


@pytest.mark.parametrize("written", [*CBOR])
def test_cbor_cut_short_or_with_more_behind_is_refused(written: str) -> None:
    whole = bytes.fromhex(written)
    for damaged in (whole[:-1], whole + b"\x00"):
        with pytest.raises(Malformed):
            cbor.read(damaged)


@pytest.mark.parametrize("written", [*MSGPACK])
def test_messagepack_cut_short_or_with_more_behind_is_refused(written: str) -> None:
    whole = bytes.fromhex(written)
    for damaged in (whole[:-1], whole + b"\x00"):
        with pytest.raises(Malformed):
            msgpack.read(damaged)


@pytest.mark.parametrize(
    "written",
    [
        "ff",
        "1c",
        "1f",
        "3f",
        "df",
        "f810",
        "f0",
        "61ff",
        "5f6161ff",
        "5f5f4101ffff",
        "81ff",
        "a1ff00",
        "a100ff",
        "a18000",
        "c1ff",
    ],
)
def test_cbor_that_means_nothing_is_refused(written: str) -> None:
    with pytest.raises(Malformed):
        cbor.read(bytes.fromhex(written))


@pytest.mark.parametrize("written", ["c1", "a1ff", "819001", "81c300", "c702ff0102"])
def test_messagepack_that_means_nothing_is_refused(written: str) -> None:
    with pytest.raises(Malformed):
        msgpack.read(bytes.fromhex(written))


@pytest.mark.parametrize(
    ("read", "written"),
    [
        (cbor.read, "9bffffffffffffffff"),
        (cbor.read, "bbffffffffffffffff"),
        (cbor.read, "7bffffffffffffffff"),
        (cbor.read, "9f" * 10_000),
        (cbor.read, "c1" * 10_000),
        (msgpack.read, "ddffffffff"),
        (msgpack.read, "dfffffffff"),
        (msgpack.read, "dbffffffff"),
        (msgpack.read, "91" * 10_000),
    ],
)
def test_what_announces_more_than_there_is_costs_nothing(read: Any, written: str) -> None:  # noqa: ANN401 -- either reader
    with pytest.raises(Malformed):
        read(bytes.fromhex(written))


def test_lists_may_be_nested_as_deep_as_devices_do() -> None:
    for byte, read in ((b"\x81", cbor.read), (b"\x91", msgpack.read)):
        assert read(byte * DEEPEST + b"\x01")
        with pytest.raises(Malformed, match="deeper than"):
            read(byte * (DEEPEST + 1) + b"\x01")


@pytest.mark.parametrize(
    ("written", "meant"),
    [("c26178", "x"), ("c3626666", "ff"), ("c28102", [2]), ("c25f4101420002ff", 0x010002), ("c240", 0), ("c340", -1)],
)
def test_the_tag_of_a_big_number_is_passed_over_before_what_is_no_bytes(written: str, meant: object) -> None:
    assert cbor.read(bytes.fromhex(written)) == meant


def test_a_number_that_is_too_long_for_any_field_stays_hexadecimal() -> None:
    assert cbor.read(b"\xc2\x58\x40" + b"\xff" * 64) == 2**512 - 1
    assert cbor.read(b"\xc2\x59\x10\x00" + b"\xff" * 4096) == "ff" * 4096
    assert cbor.read(b"\xc4\x82\x03\xc2\x59\x10\x00" + b"\xff" * 4096) == [3, "ff" * 4096]


@given(st.binary(max_size=60))
def test_no_bytes_cost_more_than_a_refusal(data: bytes) -> None:
    for read in (cbor.read, msgpack.read):
        try:
            read(data)
        except Malformed as error:
            assert str(error)  # noqa: PT017 -- most bytes are neither, and some are


@pytest.mark.parametrize(("name", "payload"), [("cbor", "a16174f97e00"), ("msgpack", "81a174cb7ff8000000000000")])
def test_nan_is_no_value_and_named(name: str, payload: str) -> None:
    driver = drivers.load(name)
    options = driver.options.model_validate({"kind": "air_quality", "fields": {"temperature": "t"}})
    decoder: Any = driver.decoder(options)
    (said,) = decoder.decode("a", bytes.fromhex(payload))
    assert isinstance(said, Reject)
    assert "nan" in said.detail


@pytest.mark.parametrize(("name", "payload"), [("cbor", "82a1617401a1617402"), ("msgpack", "9281a1740181a17402")])
def test_lists_of_readings_are_read_as_in_json(name: str, payload: str) -> None:
    driver = drivers.load(name)
    options = {"kind": "air_quality", "each": "", "fields": {"temperature": "t"}}
    decoder: Any = driver.decoder(driver.options.model_validate(options))
    said = decoder.decode("a", bytes.fromhex(payload))
    assert [dict(one.fields) for one in said if isinstance(one, Measurement)] == [
        {"temperature": 1.0},
        {"temperature": 2.0},
    ]
