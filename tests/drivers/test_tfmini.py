import pytest

from drivers import tfmini
from gateway.contract import FieldValue, Measurement, Reject


def report(distance: int, strength: int = 900) -> bytes:
    body = b"\x59\x59" + b"".join(one.to_bytes(2, "little") for one in (distance, strength, 2256))
    return body + bytes((sum(body) & 0xFF,))


def said(data: bytes, **options: object) -> list[dict[str, FieldValue] | str]:
    decoder = tfmini.Decoder(tfmini.TfminiOptions.model_validate({"interval": "0s", **options}))
    found = [*decoder.feed(data, 0), *decoder.finish()]
    return [dict(one.fields) if isinstance(one, Measurement) else one.reason for one in found]


def event(one: object) -> object:
    return one.get("event") if isinstance(one, dict) else one


def test_the_worked_frame_is_207_cm() -> None:
    found = tfmini.parse(bytes.fromhex("5959CF000B23D00988"))
    assert isinstance(found, tfmini.Report)
    assert (found.centimetres, found.strength, found.temperature) == (207, 8971, 58.0)


def test_a_sum_that_is_off_by_one_is_refused_though_the_rest_is_plausible() -> None:
    found = tfmini.parse(bytes.fromhex("5959ED0071152808 56"))
    assert isinstance(found, Reject)
    assert found.reason == "checksum"


@pytest.mark.parametrize(("distance", "strength", "wanted"), [
    (207, 99, "unclear"), (207, 65535, "unclear"), (0, 65535, "unclear"), (65535, 65535, "unclear"),
    (0, 40, "unclear"), (0, 900, "unclear"), (65535, 12, "unclear"), (65535, 900, "unclear"),
    (65534, 65535, "unclear"), (65532, 2000, "unclear"),
    (1200, 99, "unclear"), (1200, 900, "no_target"), (1199, 100, None),
])  # fmt: skip
def test_a_weak_or_blinded_echo_is_no_distance(distance: int, strength: int, wanted: str | None) -> None:
    (one,) = said(report(distance, strength))
    assert event(one) == wanted


def test_the_first_tfmini_bears_weaker_echoes_and_tells_no_temperature() -> None:
    assert said(report(207, 20), model="tfmini") == [{"distance": 2070.0, "signal_strength": 20}]
    assert [event(one) for one in said(report(207, 19), model="tfmini")] == ["unclear"]


def test_the_tf02_sees_further() -> None:
    assert said(report(2199), model="tf02") == [{"distance": 21990.0, "signal_strength": 900}]


def test_it_is_set_to_centimetres_and_a_modest_rate_when_the_line_opens() -> None:
    sent = [one.hex() for one in tfmini.Decoder(tfmini.TfminiOptions()).start()]
    assert sent == ["5a05050165", "5a06030a006d", "5a05070167", "5a04015f"]


def test_one_that_sends_text_is_told_again_to_send_frames() -> None:
    decoder = tfmini.Decoder(tfmini.TfminiOptions())
    settings = list(decoder.start())[:3]
    assert decoder.poll() == b""
    decoder.feed(b"2.07\r\n" * 20, 0)
    assert {decoder.poll() for _ in range(3)} == set(settings)
    decoder.feed(report(207), 0)
    assert decoder.poll() == b""


@pytest.mark.parametrize("model", ["tfmini", "tf02"])
def test_models_without_these_commands_are_left_alone(model: str) -> None:
    decoder = tfmini.Decoder(tfmini.TfminiOptions.model_validate({"model": model}))
    assert list(decoder.start()) == []
    assert [decoder.poll() for _ in range(5)] == [b""] * 5


def test_the_version_is_read_lowest_part_first() -> None:
    assert said(bytes.fromhex("5A0701 020006 6A")) == [{"firmware_version": "6.0.2"}]


def test_answers_to_settings_are_no_readings() -> None:
    assert said(bytes.fromhex("5a05050165 5a06030a006d")) == []


@pytest.mark.parametrize(("code", "strength"), [(65535, 12), (65534, 65535), (65532, 2000), (0, 12)])
def test_a_dazzled_sensor_does_not_free_a_bay(code: int, strength: int) -> None:
    decoder = tfmini.Decoder(
        tfmini.TfminiOptions.model_validate({"interval": "0s", "threshold_mm": 1500, "debounce": "1s"})
    )
    found = [
        one
        for second in range(20)
        for one in decoder.feed(report(100) if second < 5 else report(code, strength), second * 10**9)
        if isinstance(one, Measurement)
    ]
    assert [one.fields.get("occupied") for one in found[-10:]] == [True] * 10
