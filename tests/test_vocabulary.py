"""The table of what may be measured is in order, and drivers stay within it."""

import re
from collections import Counter
from collections.abc import Iterator

import pytest

import drivers
from gateway.contract import Codec, Driver, Options, Quality
from gateway.vocabulary import DEVICE_KINDS, KINDS, VOCABULARY, Field, field

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
    "mm/h",
    "ns",
    "ppb",
    "ppm",
    "s",
    "ug/m3",
    "um",
}


def _faults(known: Field) -> Iterator[str]:
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", known.name):
        yield "its name is not in snake_case"
    if VOCABULARY[known.name] is not known:
        yield "it is in the table under another name"
    if not known.kinds or not set(known.kinds) <= set(KINDS):
        yield f"its kinds are {known.kinds}"
    if known.unit not in UNITS:
        yield f"a new unit, {known.unit!r}: if it is meant, add it here"
    bounds = (known.low, known.high)
    if known.type not in {"float", "int"}:
        if bounds != (None, None):
            yield f"it is no number and has a range, {bounds}"
    elif known.low is None or known.high is None or known.low >= known.high:
        yield f"its range is {bounds}"


def test_every_field_has_a_sound_name_kinds_a_unit_and_a_range_if_it_is_a_number() -> None:
    faults = [f"{name}: {fault}" for name, known in VOCABULARY.items() for fault in _faults(known)]
    assert not faults, "\n".join(faults)


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


def _strays(device: Driver | Codec) -> Iterator[str]:
    if unknown := set(device.kinds) - (set(KINDS) - {"gateway"}):
        yield f"kinds that no device has: {sorted(unknown)}"
    if not device.kinds and (isinstance(device, Codec) or not all(one.health for one in device.fields)):
        yield "it measures, and says no kinds"
    for name, times in Counter(one.name for one in device.fields).items():
        if times > 1:
            yield f"it lists {name} {times} times"
    for one in device.fields:
        known = VOCABULARY.get(one.name)
        if known is None:
            yield f"{one.name} is not in the vocabulary"
        elif one != known.within(one.low, one.high):
            yield f"{one.name} differs from the vocabulary in more than its range"
        elif (one.low, one.high) != (None, None) and None in (known.low, known.high):
            yield f"{one.name} has a range, and in the vocabulary has none"


def test_every_device_stays_within_the_vocabulary() -> None:
    devices: list[Driver | Codec] = [*drivers.load_all(), *drivers.load_all_codecs()]
    strays = [f"{device.name}: {stray}" for device in devices for stray in _strays(device)]
    assert not strays, "\n".join(strays)


def test_doubts_are_bits_that_can_be_joined() -> None:
    assert [int(one) for one in Quality] == [1, 2, 4, 8, 16]
    assert int(Quality.STUCK | Quality.ESTIMATED_TIME) == 10


RAIN = Field("rain", "float", "mm", 0, 500, ("weather",))


def test_a_vocabulary_takes_fields_of_ones_own_and_the_table_stays_as_it_is() -> None:
    own = VOCABULARY.extended([RAIN])
    assert own["rain"] is RAIN
    assert own["pm25"] is VOCABULARY["pm25"]
    assert "rain" not in VOCABULARY
    assert (VOCABULARY.kinds, own.kinds) == (DEVICE_KINDS, (*DEVICE_KINDS, "weather"))


def test_a_measurement_of_ones_own_holds_every_field_and_the_others_only_theirs() -> None:
    own = VOCABULARY.extended([RAIN])
    assert own.find("weather", "rain") is RAIN
    assert own.find("weather", "temperature") is VOCABULARY["temperature"]
    assert own.find("air_quality", "rain") is None
    assert own.find("traffic", "pm25") is None
    assert own.of("weather")[0] == "rain"
    assert "pm25" not in own.of("traffic")


def test_a_field_of_ones_own_may_stand_in_a_measurement_of_the_vocabulary() -> None:
    own = VOCABULARY.extended([Field("bicycles", "int", "1", 0, None, ("traffic",))])
    assert own.find("traffic", "bicycles") is not None
    assert own.kinds == DEVICE_KINDS


def test_every_field_of_the_vocabulary_would_be_objected_to_a_second_time() -> None:
    assert [name for name, known in VOCABULARY.items() if not VOCABULARY.objection(known)] == []


@pytest.mark.parametrize("name", ["rain_1h", "PM4.2", "1st", "višina", "e-2", "x" * 64])
def test_a_name_may_have_digits_dots_and_letters_of_any_language(name: str) -> None:
    assert not VOCABULARY.objection(Field(name, "float", "1", None, None, ("weather",)))


@pytest.mark.parametrize("name", ["", "_field", "a b", "a,b", "a=b", 'a"', "a\\", "a\n", "x" * 65, "Time"])
def test_a_name_that_would_need_care_elsewhere_is_objected_to(name: str) -> None:
    assert VOCABULARY.objection(Field(name, "float", "1", None, None, ("weather",)))


def test_options_know_the_vocabulary_that_they_were_read_with() -> None:
    own = VOCABULARY.extended([RAIN])
    assert Options.model_validate({}).vocabulary is VOCABULARY
    assert Options.model_validate({}, context=own).vocabulary is own
