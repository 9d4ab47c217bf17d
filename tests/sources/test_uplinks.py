"""A LoRaWAN uplink becomes measurements by its codec, or by what the network server made of it."""

from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from gateway.contract import Codec, FieldValue, Measurement, Options, Quality, Reject, Remark, Uplink
from gateway.sources.uplinks import measurements_of

EUI = "70b3d57ed0041234"
RADIO = {"rssi": -97.0, "snr": 7.5}


def uplink(**changed: Any) -> Uplink:  # noqa: ANN401 -- whatever an uplink has
    plain = Uplink(EUI, 1, b"\x01", None, 1700, "id-1", RADIO)
    return plain._replace(**changed)


def codec_of(*results: Measurement | Reject, reads_objects: bool = False) -> tuple[Codec, Options]:
    """A codec that says always the same and shows what it was given."""

    def decode(port: int, payload: bytes, _: Options) -> Iterable[Measurement | Reject]:
        return results or [Measurement("parking", {"distance": port, "event": payload.hex()})]

    def from_object(found: Mapping[str, Any], _: Options) -> Iterable[Measurement | Reject]:
        return [Measurement("parking", {"occupied": found["status"] == "taken"})]

    return Codec("known", "A codec", (), decode, from_object if reads_objects else None), Options()


def test_a_codec_reads_the_payload_and_the_envelope_adds_who_when_and_how() -> None:
    (said,) = measurements_of(uplink(port=3), codec_of())
    fields: dict[str, FieldValue] = {**RADIO, "distance": 3, "event": "01"}
    assert said == Measurement("parking", fields, sensor=EUI, time=1700, key="id-1")


def test_the_payloads_own_values_win_over_the_radios() -> None:
    (said,) = measurements_of(uplink(), codec_of(Measurement("parking", {"rssi": -1.0})))
    assert isinstance(said, Measurement)
    assert said.fields == {"rssi": -1.0, "snr": 7.5}


def test_a_payload_that_states_its_own_time_keeps_it_with_doubts_and_tags() -> None:
    inner = Measurement("parking", {"occupied": True}, time=0, quality=Quality.STUCK, tags={"lane": "1"})
    (said,) = measurements_of(uplink(), codec_of(inner))
    assert isinstance(said, Measurement)
    assert (said.time, said.quality, said.tags) == (0, Quality.STUCK, {"lane": "1"})


def test_an_uplink_without_a_port_is_read_as_port_0() -> None:
    (said,) = measurements_of(uplink(port=None), codec_of())
    assert isinstance(said, Measurement)
    assert said.fields["distance"] == 0


def test_one_payload_may_say_several_things() -> None:
    taken, odd = Measurement("parking", {"occupied": True}), Reject("range", b"\x07")
    said = list(measurements_of(uplink(), codec_of(taken, odd, taken)))
    assert [type(one) for one in said] == [Measurement, Reject, Measurement]


def test_a_reject_without_bytes_gets_those_of_the_payload() -> None:
    said = list(measurements_of(uplink(), codec_of(Reject("length", b"", "short"), Reject("range", b"\x07"))))
    assert said == [Reject("length", b"\x01", "short"), Reject("range", b"\x07")]


def test_without_a_payload_the_codec_reads_the_servers_object() -> None:
    (said,) = measurements_of(uplink(payload=b"", object={"status": "taken"}), codec_of(reads_objects=True))
    assert isinstance(said, Measurement)
    assert said.fields == {**RADIO, "occupied": True}


@pytest.mark.parametrize("reads_objects", [True, False])
@pytest.mark.parametrize("found", [None, {}])
def test_without_payload_and_object_nothing_is_measured(found: dict[str, Any] | None, *, reads_objects: bool) -> None:
    (said,) = measurements_of(uplink(payload=b"", object=found), codec_of(reads_objects=reads_objects))
    assert said == Reject("unsupported", b"", "known: the event holds neither a payload nor a known object")


def test_a_codec_that_reads_no_objects_says_so() -> None:
    (said,) = measurements_of(uplink(payload=b"", object={"status": "taken"}), codec_of())
    assert isinstance(said, Reject)


def test_without_a_codec_the_missing_setting_is_named() -> None:
    (said,) = measurements_of(uplink(), None)
    detail = f'no codec: set codec = "..." under [sensors."{EUI}"]'
    assert said == Reject("unsupported", b"\x01", detail)


def test_without_a_codec_names_of_the_vocabulary_are_taken_and_others_left() -> None:
    found = {"occupied": True, "distance": 12.5, "battery_level": 0.9, "pm25": 1.0, "mystery": 1, "event": [1]}
    bay, air, *remarks = measurements_of(uplink(object=found), None)
    assert isinstance(bay, Measurement)
    assert bay.kind == "parking"
    assert bay.fields == {**RADIO, "occupied": True, "distance": 12.5, "battery_level": 0.9}
    assert (bay.sensor, bay.time, bay.key) == (EUI, 1700, "id-1")
    assert isinstance(air, Measurement)
    assert (air.kind, air.fields) == ("air_quality", {**RADIO, "pm25": 1.0})
    assert [one.what for one in remarks if isinstance(one, Remark)] == ["mystery", "event"]


@pytest.mark.parametrize(
    ("found", "kind"), [({"pm25": 1.0, "temperature": 20.0}, "air_quality"), ({"intensity": 4}, "traffic")]
)
def test_the_kind_follows_from_the_names(found: dict[str, Any], kind: str) -> None:
    (said,) = measurements_of(uplink(object=found), None)
    assert isinstance(said, Measurement)
    assert said.kind == kind


@pytest.mark.parametrize("found", [{"battery_level": 0.9}, {"mystery": 1}, {"occupied": None}])
def test_names_that_tell_no_kind_are_rejected_and_listed(found: dict[str, Any]) -> None:
    (said,) = measurements_of(uplink(object=found), None)
    assert said == Reject(
        "unsupported", b"\x01", f"no codec, and no known name among the server's: {next(iter(found))}"
    )


def test_only_the_first_names_of_a_large_object_are_listed() -> None:
    (said,) = measurements_of(uplink(object={f"n{number:03}": 1 for number in range(500)}), None)
    assert isinstance(said, Reject)
    assert said.detail.endswith("n000, n001, n002, n003, n004, n005, n006, n007")


OWN = Measurement("air_quality", {"temperature": 20.5})


def test_without_a_codec_the_servers_own_readings_are_taken() -> None:
    (said,) = measurements_of(uplink(readings=(OWN,)), None)
    assert said == OWN._replace(fields={**RADIO, "temperature": 20.5}, sensor=EUI, time=1700, key="id-1")


def test_with_a_codec_the_payload_counts_and_not_what_the_server_makes_of_it() -> None:
    (said,) = measurements_of(uplink(readings=(OWN,)), codec_of())
    assert isinstance(said, Measurement)
    assert said.kind == "parking"


def test_what_the_servers_object_says_besides_completes_its_reading() -> None:
    (said,) = measurements_of(uplink(readings=(OWN,), object={"pm25": 7.5, "temperature": 1.0}), None)
    assert isinstance(said, Measurement)
    assert said.fields == {**RADIO, "temperature": 20.5, "pm25": 7.5}


def test_an_object_of_unknown_names_is_no_refusal_where_the_server_gives_readings() -> None:
    said = list(measurements_of(uplink(readings=(OWN,), object={"degC": 20.5}), None))
    assert [type(one) for one in said] == [Measurement]


def test_readings_of_another_time_or_kind_stand_beside_what_the_object_says() -> None:
    logged = OWN._replace(time=5)
    said = list(measurements_of(uplink(readings=(logged,), object={"pm25": 7.5}), None))
    assert [(one.time, dict(one.fields)) for one in said if isinstance(one, Measurement)] == [
        (5, {**RADIO, "temperature": 20.5}),
        (1700, {**RADIO, "pm25": 7.5}),
    ]


def test_readings_that_are_only_remarks_leave_the_object_its_refusal() -> None:
    left_out = Remark("left out", "soil.moisture", "not in the vocabulary")
    said = list(measurements_of(uplink(readings=(left_out,), object={"degC": 20.5}), None))
    assert [type(one) for one in said] == [Remark, Reject]
