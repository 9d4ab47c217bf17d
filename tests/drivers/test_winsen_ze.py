"""Winsen ZE modules: their two ways of speaking, and what differs between them."""

import pytest
from pydantic import ValidationError

from drivers.common.winsen import with_sum
from drivers.winsen_ze import DRIVER, Decoder, WinsenZeOptions
from gateway.contract import Measurement, Quality, Reject

UPLOAD = bytes.fromhex("FF 01 78 40 00 00 00 00 47")
ASK = bytes.fromhex("FF 01 78 41 00 00 00 00 46")
ASK_ZE03 = bytes.fromhex("FF 01 78 04 00 00 00 00 83")
READ = bytes.fromhex("FF 01 86 00 00 00 00 00 79")

O3_60_PPB = bytes.fromhex("FF 2A 04 00 00 3C 27 10 5F")
SECOND = 10**9


def _decoder(**options: object) -> Decoder:
    return Decoder(WinsenZeOptions.model_validate({"warm_up": "0s", **options}))


def _one(decoder: Decoder, body: str, now: int = 0) -> Measurement | Reject:
    (said,) = decoder.feed(with_sum(bytes.fromhex(body)), now)
    return said


def _fields(decoder: Decoder, body: str) -> dict[str, object]:
    said = _one(decoder, body)
    assert isinstance(said, Measurement), said
    return dict(said.fields)


def test_by_itself_it_is_left_alone_while_it_speaks_and_told_to_when_it_does_not() -> None:
    decoder = _decoder()
    assert list(decoder.start()) == [UPLOAD]
    assert decoder.poll() == b""
    decoder.feed(O3_60_PPB, 0)
    assert [decoder.poll() for _ in range(3)] == [b"", UPLOAD, UPLOAD]
    decoder.feed(O3_60_PPB, 0)
    assert decoder.poll() == b""


def test_asked_it_is_set_to_be_asked_again_where_it_does_not_answer() -> None:
    decoder = _decoder(mode="asked", model="ze08", gas="ch2o")
    assert list(decoder.start()) == [ASK]
    assert [decoder.poll() for _ in range(4)] == [READ, ASK, READ, ASK]
    decoder.feed(bytes.fromhex("FF 86 00 2A 00 00 00 20 30"), 0)
    assert decoder.poll() == READ


def test_an_upload_where_it_is_to_be_asked_sets_the_mode_anew() -> None:
    decoder = _decoder(mode="asked", model="ze25", gas="o3")
    assert decoder.poll() == READ
    (said,) = decoder.feed(O3_60_PPB, 0)
    assert isinstance(said, Reject)
    assert said.reason == "unsupported"
    assert decoder.poll() == ASK


def test_the_answer_gives_ppb_and_its_own_micrograms_are_not_those_of_the_eu() -> None:
    assert _fields(_decoder(mode="asked", model="ze25", gas="o3"), "FF 86 00 80 00 00 00 3C") == {"o3": 119.721}


@pytest.mark.parametrize("model", ["ze07", "ze15"])
def test_the_answer_of_a_co_module_is_in_tenths_of_a_ppm(model: str) -> None:
    fields = _fields(_decoder(mode="asked", model=model, gas="co"), "FF 86 00 25 00 00 00 00")
    assert fields["co"] == 4308.335


def test_a_ze15_says_when_its_cell_has_failed() -> None:
    sound = _one(_decoder(model="ze15"), "FF 04 03 01 00 25 13 88")
    failed = _one(_decoder(model="ze15"), "FF 04 03 01 80 25 13 88")
    assert sound == Measurement("air_quality", {"co": 4308.335, "device_error": 0})
    assert failed == Measurement("air_quality", {"co": 4308.335, "device_error": 1}, quality=Quality.INCONSISTENT)


def test_other_models_use_all_bits_of_the_value() -> None:
    said = _one(_decoder(model="ze07"), "FF 04 03 01 80 25 13 88")
    assert isinstance(said, Measurement)
    assert said.quality == Quality.OUT_OF_RANGE


@pytest.mark.parametrize(
    ("gas", "resolution", "ug_m3"), [("o3", None, 598.603), ("o3", 0.01, 59.86), ("co", None, 3493.245)]
)
def test_the_steps_of_a_ze03_depend_on_its_gas_and_can_be_set(
    gas: str, resolution: float | None, ug_m3: float
) -> None:
    decoder = _decoder(mode="asked", model="ze03", gas=gas, resolution=resolution)
    assert list(decoder.start()) == [ASK_ZE03]
    assert _fields(decoder, "FF 86 00 03 2A 00 00 00") == {gas: ug_m3}


def test_values_are_doubtful_for_five_minutes_after_the_line_opened() -> None:
    decoder = _decoder(warm_up="5min")
    qualities = [
        said.quality
        for now in (0, 300 * SECOND - 1, 300 * SECOND)
        for said in decoder.feed(O3_60_PPB, now)
        if isinstance(said, Measurement)
    ]
    assert qualities == [Quality.WARM_UP, Quality.WARM_UP, Quality.GOOD]


@pytest.mark.parametrize(
    ("body", "options", "reason"),
    [
        ("FF 2A 04 00 00 3C 27 10", {"gas": "no2"}, "unsupported"),
        ("FF 2E 04 00 00 3C 27 10", {}, "unsupported"),
        ("FF 2A 05 00 00 3C 27 10", {}, "range"),
        ("FF 2A 04 07 00 3C 27 10", {}, "range"),
        ("FF 86 00 2A 00 00 00 20", {}, "unsupported"),
    ],
    ids=["another gas", "a gas without a field", "no such unit", "no such decimals", "nobody asked"],
)
def test_a_sound_frame_that_makes_no_sense_is_rejected(body: str, options: dict[str, object], reason: str) -> None:
    said = _one(_decoder(**options), body)
    assert isinstance(said, Reject)
    assert said.reason == reason


def test_the_misprinted_example_of_the_co_manual_is_damaged() -> None:
    (said,) = _decoder().feed(bytes.fromhex("FF 04 03 01 00 25 13 88 25"), 0)
    assert isinstance(said, Reject)
    assert (said.reason, said.detail) == ("checksum", "sum 38, frame says 25")


@pytest.mark.parametrize(
    "options",
    [
        {"mode": "asked"},
        {"mode": "asked", "model": "ze08"},
        {"mode": "asked", "gas": "o3"},
        {"model": "ze03", "gas": "o3"},
        {"mode": "asked", "model": "ze03", "gas": "ch2o"},
        {"resolution": 0},
        {"gas": "pm25"},
    ],
)
def test_options_that_do_not_say_enough_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        WinsenZeOptions.model_validate(options)


def test_it_is_marked_as_never_recorded() -> None:
    assert DRIVER.experimental
