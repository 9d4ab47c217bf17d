"""The table of what may be measured is in order, and drivers stay within it."""

import re

import pytest

import drivers
from gateway.contract import Codec, Driver, Quality
from gateway.vocabulary import KINDS, VOCABULARY, Field, field

UNITS = {
    "",
    "1",
    "1/cm3",
    "A",
    "V",
    "W",
    "bits",
    "dB",
    "dBm",
    "deg",
    "degC",
    "fraction",
    "hPa",
    "km/h",
    "lx",
    "m",
    "m/s",
    "mm",
    "ns",
    "ppb",
    "ppm",
    "s",
    "ug/m3",
    "um",
}
DEVICES: list[Driver | Codec] = [*drivers.load_all(), *drivers.load_all_codecs()]


@pytest.mark.parametrize("known", VOCABULARY.values(), ids=lambda known: known.name)
def test_a_field_is_named_in_snake_case_and_says_what_it_is(known: Field) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", known.name)
    assert VOCABULARY[known.name] is known
    assert set(known.kinds) <= set(KINDS)
    assert known.kinds
    assert known.unit in UNITS, "a new unit: if it is meant, add it here"


@pytest.mark.parametrize("known", VOCABULARY.values(), ids=lambda known: known.name)
def test_only_numbers_have_a_range_and_it_is_not_empty(known: Field) -> None:
    bounds = (known.low, known.high)
    if known.type in {"float", "int"}:
        assert known.low is not None
        assert known.high is not None
        assert known.low < known.high
    else:
        assert bounds == (None, None)


def test_no_field_has_a_name_that_the_gateway_needs_itself() -> None:
    assert not {"quality", "time", "city", "gateway", "sensor"} & VOCABULARY.keys()


def test_what_a_device_says_about_itself_is_no_smart_data_models_attribute() -> None:
    assert [known.name for known in VOCABULARY.values() if known.health and known.model] == []


def test_no_two_fields_of_a_kind_claim_the_same_attribute() -> None:
    claims = [(kind, known.model) for known in VOCABULARY.values() if known.model for kind in known.kinds]
    assert len(claims) == len(set(claims))


def test_a_field_is_narrowed_to_a_device_without_touching_the_table() -> None:
    narrowed = field("pm25", 0, 999.9)
    assert (narrowed.low, narrowed.high, narrowed.unit) == (0, 999.9, "ug/m3")
    assert VOCABULARY["pm25"].high == 2000
    assert field("pm25") is VOCABULARY["pm25"]


def test_an_unknown_field_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="pm3"):
        field("pm3")


@pytest.mark.parametrize("device", DEVICES, ids=lambda device: device.name)
def test_a_device_yields_only_kinds_and_fields_of_the_vocabulary(device: Driver | Codec) -> None:
    assert set(device.kinds) <= set(KINDS) - {"gateway"}
    for one in device.fields:
        known = VOCABULARY[one.name]
        assert one == known.within(one.low, one.high), (
            f"{one.name} differs from the vocabulary in more than its range"
        )
        for bound in (one.low, one.high):
            assert bound is None or (known.low is not None and known.high is not None)


@pytest.mark.parametrize("device", DEVICES, ids=lambda device: device.name)
def test_a_device_lists_no_field_twice_and_says_its_kinds_unless_it_is_an_envelope(device: Driver | Codec) -> None:
    names = [one.name for one in device.fields]
    assert len(names) == len(set(names))
    if isinstance(device, Codec) or not all(one.health for one in device.fields):
        assert device.kinds


def test_doubts_are_bits_that_can_be_joined() -> None:
    assert [int(one) for one in Quality] == [1, 2, 4, 8, 16]
    assert int(Quality.STUCK | Quality.ESTIMATED_TIME) == 10
