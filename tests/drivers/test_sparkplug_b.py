"""Sparkplug B: births, aliases and numbers; datatypes; what is no reading; and what hostile nodes are worth.

Payloads are made by the official Protocol Buffers, from the schema as its field numbers and types say it.
"""

import struct
from collections.abc import Iterable
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from drivers.sparkplug_b import DRIVER, Decoder, SparkplugOptions
from drivers.sparkplug_b.nodes import Nodes
from drivers.sparkplug_b.payload import MAX_METRICS
from gateway.contract import Command, FieldValue, Measurement, Reject, Remark

PAYLOAD = {"timestamp": (1, "UINT64"), "metrics": (2, "Metric*"), "seq": (3, "UINT64"), "uuid": (4, "STRING")}
METRIC = {"name": (1, "STRING"), "alias": (2, "UINT64"), "timestamp": (3, "UINT64"), "datatype": (4, "UINT32")}
METRIC |= {"is_historical": (5, "BOOL"), "is_transient": (6, "BOOL"), "is_null": (7, "BOOL")}
METRIC |= {"properties": (9, "Properties"), "int_value": (10, "UINT32"), "long_value": (11, "UINT64")}
METRIC |= {"float_value": (12, "FLOAT"), "double_value": (13, "DOUBLE"), "boolean_value": (14, "BOOL")}
METRIC |= {"string_value": (15, "STRING"), "bytes_value": (16, "BYTES"), "dataset_value": (17, "BYTES")}
SCHEMA = {
    "Payload": PAYLOAD,
    "Metric": METRIC,
    "Properties": {"keys": (1, "STRING*"), "values": (2, "Property*")},
    "Property": {"type": (1, "UINT32"), "is_null": (2, "BOOL"), "int_value": (3, "UINT32")},
}


def _payload_class() -> Any:  # noqa: ANN401 -- a class made at run time
    file = FileDescriptorProto(name="sparkplug.proto", package="test", syntax="proto2")
    for name, fields in SCHEMA.items():
        message = DescriptorProto(name=name)
        for field_name, (number, kind) in fields.items():
            one = message.field.add(name=field_name, number=number)
            one.label = FieldDescriptorProto.LABEL_REPEATED if "*" in kind else FieldDescriptorProto.LABEL_OPTIONAL
            if (kind := kind.rstrip("*")) in SCHEMA:
                one.type, one.type_name = FieldDescriptorProto.TYPE_MESSAGE, f".test.{kind}"
            else:
                one.type = FieldDescriptorProto.Type.Value(f"TYPE_{kind}")
        file.message_type.append(message)
    pool = DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return GetMessageClass(pool.FindMessageTypeByName("test.Payload"))


OFFICIAL = _payload_class()

AT = 1_700_000_000_000
"""Milliseconds UTC."""
NS = 1_000_000
INT8, INT16, INT32, INT64, UINT8, UINT16, UINT32, UINT64, FLOAT, DOUBLE, BOOLEAN, STRING, DATE_TIME, TEXT, UUID = (
    range(1, 16)
)
Said = list[Any]


def payload(*metrics: dict[str, Any], seq: int | None = None, at: int | None = AT, **more: Any) -> bytes:  # noqa: ANN401 -- of the schema
    numbers = {"timestamp": at, "seq": seq, **more}
    given_ = {name: value for name, value in numbers.items() if value is not None}
    return bytes(OFFICIAL(metrics=metrics, **given_).SerializeToString())


def metric(name: str | None = None, datatype: int | None = None, **more: Any) -> dict[str, Any]:  # noqa: ANN401 -- of the schema
    found = {"name": name, "datatype": datatype, "timestamp": AT, **more}
    return {key: value for key, value in found.items() if value is not None}


def without_empty(said: Iterable[Any]) -> Said:
    return [one for one in said if not (isinstance(one, Remark) and one.kind == "empty")]


PM25 = metric("pm25", FLOAT, alias=7, float_value=12.5)


class Edge:
    """The decoder, and the node ``g/n`` with its numbers."""

    def __init__(self, **options: object) -> None:
        self.decoder = Decoder(SparkplugOptions.model_validate(options))
        self.seq = 0

    def say(self, verb: str, *metrics: dict[str, Any], device: str = "", **more: Any) -> Said:  # noqa: ANN401 -- of the schema
        """Return what is said, without the remarks that there is nothing in it."""
        return without_empty(self.say_all(verb, *metrics, device=device, **more))

    def say_all(self, verb: str, *metrics: dict[str, Any], device: str = "", **more: Any) -> Said:  # noqa: ANN401 -- of the schema
        seq = None if verb == "NDEATH" else more.pop("seq", self.seq)
        self.seq = (self.seq + 1) % 256 if seq is None else (seq + 1) % 256
        topic = f"spBv1.0/g/{verb}/n" + (f"/{device}" if device else "")
        return list(self.decoder.decode(topic, payload(*metrics, seq=seq, **more)))

    def born(self, *metrics: dict[str, Any], bd_seq: int = 3) -> Said:
        """Be born, with a device ``d`` that has these metrics; return what the device's birth said."""
        self.seq = 0
        assert self.say("NBIRTH", metric("bdSeq", UINT64, long_value=bd_seq)) == []
        return self.say("DBIRTH", *metrics, device="d")

    def data(self, *metrics: dict[str, Any], **more: Any) -> Said:  # noqa: ANN401 -- of the schema
        return self.say("DDATA", *metrics, device="d", **more)


@pytest.fixture
def edge() -> Edge:
    return Edge()


def air(time: int = AT, **fields: Any) -> Measurement:  # noqa: ANN401 -- of the vocabulary
    return Measurement("air_quality", fields, "g/n/d", time * NS)


def rejected(said: Said, reason: str, words: str) -> None:
    assert isinstance(said[0], Reject)
    assert said[0].reason == reason
    assert words in said[0].detail


# births and data


def test_a_birth_gives_readings_and_data_by_alias_more_of_them(edge: Edge) -> None:
    assert edge.born(PM25) == [air(pm25=12.5)]
    assert edge.data(metric(alias=7, float_value=13.5, timestamp=AT + 1)) == [air(AT + 1, pm25=13.5)]


def test_a_node_without_aliases_is_read_by_name_and_the_births_datatype(edge: Edge) -> None:
    edge.born(metric("temperature", INT16, int_value=5), metric("pm25", FLOAT, float_value=1))
    assert edge.data(metric("temperature", int_value=0xFFFB, timestamp=AT + 1)) == [air(AT + 1, temperature=-5.0)]


def test_a_node_has_metrics_of_its_own(edge: Edge) -> None:
    (said,) = edge.say("NBIRTH", PM25)
    assert said == Measurement("air_quality", {"pm25": 12.5}, "g/n", AT * NS)
    (said,) = edge.say("NDATA", metric(alias=7, float_value=1, timestamp=AT + 1))
    assert said.fields == {"pm25": 1.0}


def test_metrics_of_several_moments_are_several_readings(edge: Edge) -> None:
    said = edge.born(
        PM25, metric("no2", DOUBLE, double_value=4, timestamp=AT - 5), metric("co2", INT32, int_value=400)
    )
    assert said == [air(pm25=12.5, co2=400.0), air(AT - 5, no2=4.0)]


def test_a_metric_without_a_time_has_that_of_its_message(edge: Edge) -> None:
    assert edge.born(metric("pm25", FLOAT, float_value=1, timestamp=None)) == [air(pm25=1.0)]
    rejected(edge.data(metric("pm25", float_value=2, timestamp=None), at=None), "range", "no time")
    rejected(edge.data(metric("pm25", float_value=2, timestamp=2**64 - 1)), "range", "no time")


def test_what_a_birth_repeats_is_not_read_twice(edge: Edge) -> None:
    edge.born(PM25)
    assert edge.data(metric(alias=7, float_value=13.5, timestamp=AT + 1)) != []
    again = metric("pm25", FLOAT, alias=9, float_value=13.5, timestamp=AT + 1)
    assert edge.born(again) == []
    assert edge.born(again | {"float_value": 14.0}) == [air(AT + 1, pm25=14.0)]


def test_historical_values_are_read_and_the_current_one_stays_the_last(edge: Edge) -> None:
    edge.born(PM25)
    said = edge.data(metric(alias=7, float_value=1, timestamp=AT - 9, is_historical=True))
    assert said == [air(AT - 9, pm25=1.0)]
    assert edge.born(PM25) == []


@pytest.mark.parametrize(
    "absent",
    [
        {"is_null": True, "float_value": None},
        {"is_transient": True},
        {"properties": {"keys": ["Quality"], "values": [{"type": 3, "int_value": 0}]}},
        {"properties": {"keys": ["engUnit", "Quality"], "values": [{}, {"type": 3, "int_value": 500}]}},
    ],
    ids=["null", "transient", "bad", "stale"],
)
def test_what_holds_no_value_is_no_reading(edge: Edge, absent: dict[str, Any]) -> None:
    assert edge.born({key: value for key, value in (PM25 | absent).items() if value is not None}) == []
    assert edge.data(metric(alias=7, float_value=1, timestamp=AT + 1)) == [air(AT + 1, pm25=1.0)]


def test_good_quality_is_a_value(edge: Edge) -> None:
    good = {"keys": ["Quality"], "values": [{"type": 3, "int_value": 192}]}
    assert edge.born(PM25 | {"properties": good}) == [air(pm25=12.5)]


def test_metrics_that_mean_nothing_to_us_are_passed_over_beside_readings(edge: Edge) -> None:
    assert edge.born(metric("Pump/Speed", INT32, alias=1, int_value=5), PM25) == [air(pm25=12.5)]
    newer = metric(alias=7, float_value=13.5, timestamp=AT + 1)
    assert edge.data(metric(alias=1, int_value=6), newer) == [air(AT + 1, pm25=13.5)]


def test_a_message_of_nothing_else_is_told_with_their_names(edge: Edge) -> None:
    speed = metric("Pump/Speed", INT32, alias=1, int_value=5)
    strangers = "metrics of no known field"
    assert edge.born(speed) == [Remark("left out", strangers, "Pump/Speed")]
    assert edge.data(metric(alias=1, int_value=6), metric("Pump/On", BOOLEAN, boolean_value=True)) == [
        Remark("left out", strangers, "alias 1, Pump/On")
    ]


def test_a_value_that_is_null_is_left_out_and_named_and_costs_the_others_nothing(edge: Edge) -> None:
    null = metric("temperature", FLOAT, alias=8, is_null=True)
    assert edge.born(PM25, null) == [air(pm25=12.5)]  # a birth names what has no value yet
    newer = metric(alias=7, float_value=13.5, timestamp=AT + 1)
    assert edge.data(newer, metric(alias=8, is_null=True)) == [
        Remark("left out", "temperature", "null, transient, or not of good quality"),
        air(AT + 1, pm25=13.5),
    ]


def test_a_message_without_a_reading_says_why(edge: Edge) -> None:
    assert edge.say_all("NBIRTH", metric("bdSeq", UINT64, long_value=3), metric("Node Control/Rebirth", BOOLEAN)) == [
        Remark("empty", "NBIRTH without a reading")
    ]
    edge.say("DBIRTH", PM25, device="d")
    assert edge.say_all("DDATA", metric(alias=7, float_value=12.5), device="d") == [
        Remark("empty", "values that were said before")
    ]
    assert edge.say_all("NDEATH", metric("bdSeq", UINT64, long_value=2)) == [
        Remark("empty", "the will of an earlier connection")
    ]


# order


@pytest.mark.parametrize("verb", ["DDATA", "NDATA"])
def test_data_before_a_birth_is_rejected_and_a_rebirth_asked_for(edge: Edge, verb: str) -> None:
    said = edge.say(verb, metric(alias=7, float_value=13.5), device="d" if verb[0] == "D" else "", seq=9)
    rejected(said, "unsupported", "no birth says what alias 7 is; its NBIRTH was not heard")
    assert said[1:] == [Command("spBv1.0/g/NCMD/n", said[1].payload)]


def test_the_request_is_what_the_standard_says(edge: Edge) -> None:
    command = edge.data(metric(alias=7, float_value=13.5), seq=9)[1]
    asked = OFFICIAL.FromString(command.payload)
    assert (asked.timestamp, asked.HasField("seq"), len(asked.metrics)) == (AT, False, 1)
    (rebirth,) = asked.metrics
    assert (rebirth.name, rebirth.datatype, rebirth.boolean_value) == ("Node Control/Rebirth", BOOLEAN, True)


def test_after_a_missing_message_an_alias_means_nothing_until_the_next_birth(edge: Edge) -> None:
    edge.born(PM25)
    edge.seq += 1
    said = edge.data(metric(alias=7, float_value=13.5))
    rejected(said, "unsupported", "its message 3 came where 2 was due")
    assert isinstance(said[1], Command)
    rejected(edge.data(metric(alias=7, float_value=14.5)), "unsupported", "alias 7")
    assert edge.born(PM25 | {"timestamp": AT + 1}) == [air(AT + 1, pm25=12.5)]
    assert edge.data(metric(alias=7, float_value=14.5, timestamp=AT + 2)) == [air(AT + 2, pm25=14.5)]


def test_a_metric_that_states_name_and_datatype_needs_no_birth(edge: Edge) -> None:
    said = edge.data(metric("pm25", FLOAT, float_value=13.5), seq=77)
    assert said == [air(pm25=13.5), Command("spBv1.0/g/NCMD/n", said[1].payload)]
    rejected(edge.data(metric("pm25", float_value=1), seq=78), "unsupported", "the datatype of pm25")


def test_a_device_that_was_born_without_its_node_is_read_but_not_by_alias(edge: Edge) -> None:
    said = edge.say("DBIRTH", PM25, device="d", seq=4)
    assert said[0] == air(pm25=12.5)
    assert isinstance(said[1], Command)
    rejected(edge.data(metric(alias=7, float_value=1)), "unsupported", "alias 7")


def test_an_alias_that_no_birth_announced_is_asked_about_and_the_others_go_on(edge: Edge) -> None:
    edge.born(PM25)
    said = edge.data(metric(alias=8, float_value=1), metric(alias=7, float_value=2, timestamp=AT + 1))
    assert said[0] == air(AT + 1, pm25=2.0)
    rejected(said[1:], "unsupported", "alias 8 is; its birth did not say")
    assert isinstance(said[2], Command)
    assert edge.data(metric(alias=7, float_value=3, timestamp=AT + 2)) == [air(AT + 2, pm25=3.0)]


def test_the_alias_of_one_device_is_none_of_anothers(edge: Edge) -> None:
    edge.born(PM25)
    edge.say("DBIRTH", metric("no2", FLOAT, alias=8, float_value=1), device="e")
    rejected(edge.data(metric(alias=8, float_value=1)), "unsupported", "alias 8")


def test_numbers_go_around_after_255(edge: Edge) -> None:
    edge.born(PM25)
    for number in range(600):
        assert edge.data(metric(alias=7, float_value=13.5, timestamp=AT + 1 + number)) != []
    assert edge.seq == 602 % 256


def test_a_birth_may_begin_at_any_number(edge: Edge) -> None:
    edge.say("NBIRTH", PM25, seq=255)
    assert edge.say("NDATA", metric(alias=7, float_value=1, timestamp=AT + 1), seq=0)[0].fields == {"pm25": 1.0}


# deaths


def test_a_death_says_what_went_quiet_and_needs_a_birth(edge: Edge) -> None:
    edge.born(PM25)
    said = edge.say("NDEATH", metric("bdSeq", UINT64, long_value=3), at=None)
    assert said == [Measurement("air_quality", {"event": "offline"}, "g/n/d")]
    rejected(edge.data(metric(alias=7, float_value=1)), "unsupported", "it is offline")


def test_a_will_of_another_connection_says_nothing(edge: Edge) -> None:
    edge.born(PM25, bd_seq=4)
    number = edge.seq
    assert edge.say("NDEATH", metric("bdSeq", UINT64, long_value=3)) == []
    edge.seq = number
    assert edge.data(metric(alias=7, float_value=1, timestamp=AT + 1)) == [air(AT + 1, pm25=1.0)]


def test_the_death_of_a_device_has_its_time(edge: Edge) -> None:
    edge.born(PM25)
    assert edge.say("DDEATH", device="d", at=AT + 5) == [air(AT + 5, event="offline")]
    assert edge.say("DDEATH", device="d") == []
    rejected(edge.data(metric(alias=7, float_value=1)), "unsupported", "alias 7")


def test_nobody_that_was_never_heard_goes_offline(edge: Edge) -> None:
    assert edge.say("NDEATH", metric("bdSeq", UINT64, long_value=3)) == []


# datatypes


@pytest.mark.parametrize(
    ("datatype", "written", "value"),
    [
        (INT8, {"int_value": 0xFB}, -5),
        (INT8, {"int_value": 0xFFFFFFFB}, -5),
        (INT16, {"int_value": 0xFFFB}, -5),
        (INT16, {"int_value": 0x00FB}, 251),
        (INT32, {"int_value": 0xFFFFFFFB}, -5),
        (INT32, {"long_value": 2**64 - 5}, -5),
        (INT64, {"long_value": 2**64 - 5}, -5),
        (INT64, {"long_value": 0xFFFFFFFB}, 0xFFFFFFFB),
        (UINT8, {"int_value": 0xFB}, 251),
        (UINT16, {"int_value": 0xFFFB}, 0xFFFB),
        (UINT32, {"int_value": 0xFFFFFFFB}, 0xFFFFFFFB),
        (UINT32, {"long_value": 0xFFFFFFFB}, 0xFFFFFFFB),
        (UINT64, {"long_value": 2**63 - 1}, 2**63 - 1),
        (DATE_TIME, {"long_value": AT}, AT),
        (FLOAT, {"float_value": 12.1}, 12.1),
        (FLOAT, {"float_value": 16777215.0}, 16777215.0),
        (DOUBLE, {"double_value": 0.1 + 0.2}, 0.1 + 0.2),
        (DOUBLE, {"float_value": 12.1}, 12.1),
    ],
)
def test_a_number_is_read_as_its_datatype_says(datatype: int, written: dict[str, Any], value: float) -> None:
    edge = Edge(kind="air_quality", fields={"pm10": "v"})
    (said,) = edge.born(metric("v", datatype, **written))
    assert said.fields == {"pm10": float(value)}


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
@settings(deadline=None, derandomize=True)
def test_a_float_is_the_shortest_number_that_is_written_so(number: float) -> None:
    (said,) = Edge().born(metric("pm25", FLOAT, float_value=number))
    assert struct.pack("<f", said.fields["pm25"]) == struct.pack("<f", number)
    assert len(repr(said.fields["pm25"])) <= len(repr(number))


@pytest.mark.parametrize(("datatype", "bits"), [(INT8, 8), (INT16, 16), (INT32, 32)])
@given(data=st.data())
@settings(deadline=None, derandomize=True)
def test_a_negative_number_means_the_same_however_wide_it_is_written(
    datatype: int, bits: int, data: st.DataObject
) -> None:
    number = data.draw(st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1))
    for written in ({"int_value": number % 2**bits}, {"int_value": number % 2**32}, {"long_value": number % 2**64}):
        (said,) = Edge(kind="air_quality", fields={"pm10": "v"}).born(metric("v", datatype, **written))
        assert said.fields == {"pm10": float(number)}


@pytest.mark.parametrize(
    ("datatype", "written", "reason", "words"),
    [
        (16, {"dataset_value": b""}, "unsupported", "pm25 is a DataSet"),
        (17, {"bytes_value": b"\1"}, "unsupported", "pm25 is Bytes"),
        (19, {}, "unsupported", "pm25 is a Template"),
        (30, {"bytes_value": b"\1"}, "unsupported", "pm25 is an array"),
        (99, {"int_value": 1}, "unsupported", "datatype 99"),
        (FLOAT, {"int_value": 1}, "unsupported", "not written as"),
        (FLOAT, {}, "unsupported", "not written as"),
        (FLOAT, {"float_value": float("nan")}, "range", "no number"),
        (DOUBLE, {"double_value": float("inf")}, "range", "no number"),
        (INT8, {"int_value": 0x1FB}, "range", "more than 8 bits"),
        (UINT8, {"int_value": 256}, "range", "more than 8 bits"),
        (STRING, {"string_value": "twelve"}, "range", "pm25: 'twelve' is no number"),
        (BOOLEAN, {"boolean_value": True}, "range", "pm25: True is no number"),
    ],
)
def test_what_is_no_number_is_rejected_and_the_others_are_read(
    edge: Edge, datatype: int, written: dict[str, Any], reason: str, words: str
) -> None:
    said = edge.born(metric("pm25", datatype, alias=7, **written), metric("no2", DOUBLE, alias=8, double_value=4))
    assert said[0] == air(no2=4.0)
    rejected(said[1:], reason, words)
    assert len(said) == 2


def test_text_and_yes_and_no_are_read(edge: Edge) -> None:
    said = edge.born(
        metric("occupied", BOOLEAN, boolean_value=True),
        metric("event", STRING, string_value="towed"),
        metric("firmware_version", TEXT, string_value="1.2"),
        metric("serial_number", UUID, string_value="a-b"),
    )
    fields: dict[str, FieldValue] = {
        "occupied": True,
        "event": "towed",
        "firmware_version": "1.2",
        "serial_number": "a-b",
    }
    assert said == [Measurement("parking", fields, "g/n/d", AT * NS)]


# options


def test_options_name_metrics_and_scale_them() -> None:
    fields = {"pm25": "Air/PM2.5", "temperature": {"path": "Air/T", "scale": 0.1}}
    edge = Edge(kind="air_quality", fields=fields)
    said = edge.born(metric("Air/PM2.5", FLOAT, float_value=1), metric("Air/T", INT16, int_value=0xFF38))
    assert said == [air(pm25=1.0, temperature=-20.0)]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"fields": {"pm25": "a"}}, "of which kind"),
        ({"kind": "air_quality", "fields": {"pm2": "a"}}, "pm25"),
        ({"kind": "air_quality", "fields": {"pm25": "a", "pm10": "a"}}, "one field only"),
        ({"time": "message"}, "arrival"),
    ],
)
def test_options_that_cannot_be_meant_are_named(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        SparkplugOptions.model_validate(options)


def test_fields_that_several_measurements_share_go_where_the_birth_belongs(edge: Edge) -> None:
    battery = metric("battery_level", FLOAT, alias=1, float_value=0.5)
    (said,) = edge.born(battery, metric("occupied", BOOLEAN, alias=2, boolean_value=False))
    assert (said.kind, said.fields) == ("parking", {"battery_level": 0.5, "occupied": False})
    (said,) = edge.data(metric(alias=1, float_value=0.25, timestamp=AT + 1))
    assert said.kind == "parking"


def test_fields_that_nobody_places_are_rejected_unless_the_options_do() -> None:
    battery = metric("battery_level", FLOAT, float_value=0.5)
    rejected(Edge().born(battery), "unsupported", "set the option kind")
    (said,) = Edge(kind="traffic").born(battery)
    assert said.kind == "traffic"


def test_an_edge_node_whose_clock_is_not_trusted_is_stamped_by_us() -> None:
    edge = Edge(time="arrival")
    assert edge.born(PM25) == []
    assert edge.data(metric(alias=7, float_value=1, is_historical=True)) == [
        Remark("left out", "pm25", "a stored value, whose time does not count: the option time")
    ]
    for _ in range(2):
        assert edge.data(metric(alias=7, float_value=1)) == [air()._replace(time=None, fields={"pm25": 1.0})]


# strangers


@pytest.mark.parametrize(
    "topic",
    [
        "spBv1.0/g/NDATA",
        "spBv1.0/g/NDATA/n/d",
        "spBv1.0/g/DDATA/n",
        "spBv1.0/g/DDATA/n/d/e",
        "spBv1.0//NDATA/n",
        "spBv1.0/g/NDATA/",
        "spBv1.0/g/XDATA/n",
        "spBv1.0/+/NDATA/#",
        "spBv1.0/g\0/NDATA/n",
        "spAv1.0/g/NDATA/n",
        f"spBv1.0/{'g' * 200}/NDATA/n",
        "",
    ],
)
def test_a_topic_of_no_edge_node_is_noise(edge: Edge, topic: str) -> None:
    (said,) = edge.decoder.decode(topic, payload(PM25, seq=0))
    assert isinstance(said, Reject)
    assert said.reason == "noise"


@pytest.mark.parametrize("topic", ["spBv1.0/g/NCMD/n", "spBv1.0/g/DCMD/n/d", "spBv1.0/STATE/host"])
def test_what_hosts_say_is_none_of_our_business(edge: Edge, topic: str) -> None:
    assert edge.decoder.decode(topic, b"\xff") == [Remark("empty", "what a host says to edge nodes")]


def test_a_compressed_payload_is_refused_in_words(edge: Edge) -> None:
    rejected(edge.say("NBIRTH", uuid="SPBV1.0_COMPRESSED"), "unsupported", "compressed")


def test_more_metrics_than_can_be_meant_are_refused(edge: Edge) -> None:
    rejected(edge.born(*[{} for _ in range(MAX_METRICS + 1)]), "length", "metrics")


@pytest.mark.parametrize("data", [b"\x08\x01" * 100_000, b"\x12\x22" + b"\x10\x01" * 17], ids=["message", "metric"])
def test_more_fields_than_the_schema_has_are_not_read_to_their_end(edge: Edge, data: bytes) -> None:
    rejected(list(edge.decoder.decode("spBv1.0/g/NDATA/n", data)), "noise", "fields, at byte")


def remembered(edge: Edge) -> int:
    """Return how many devices, aliases and names are remembered, which has to be what is reckoned with."""
    nodes = edge.decoder._nodes
    devices = [device for node in nodes._nodes.values() for device in node.devices.values()]
    held = sum(1 + len(device.known) + len(device.aliases) for device in devices) + len(nodes._nodes)
    assert held <= nodes._total == sum(node.counted for node in nodes._nodes.values())
    return held


def test_invented_nodes_are_forgotten_and_who_speaks_is_remembered(edge: Edge) -> None:
    edge.decoder._nodes = Nodes(None, max_remembered=200)
    edge.born(PM25)
    for number in range(300):
        edge.decoder.decode(f"spBv1.0/g/NBIRTH/hostile-{number}", payload(PM25, metric("x", INT8, alias=1), seq=0))
        assert edge.data(metric(alias=7, float_value=1, timestamp=AT + 1 + number)) != []
    assert 20 < remembered(edge) <= 200


def test_invented_devices_and_aliases_are_forgotten(edge: Edge) -> None:
    edge.decoder._nodes = Nodes(None, max_remembered=200)
    for number in range(300):
        edge.decoder.decode(f"spBv1.0/g/DDATA/hostile/{number}", payload(metric(alias=1), seq=0))
        assert remembered(edge) <= 200
    edge.say("NBIRTH", *[metric("x", INT8, alias=number) for number in range(1000)])
    assert remembered(edge) == 0


@given(st.lists(st.tuples(st.sampled_from(["NBIRTH", "DBIRTH", "DDATA", "NDATA", "NDEATH", "DDEATH"]), st.binary())))
@settings(deadline=None, derandomize=True)
def test_no_bytes_raise(messages: Iterable[tuple[str, bytes]]) -> None:
    edge = Edge()
    edge.born(PM25)
    for verb, data in messages:
        topic = f"spBv1.0/g/{verb}/n" + ("/d" if verb[0] == "D" else "")
        for start in (b"", payload(PM25, seq=edge.seq)):
            for one in edge.decoder.decode(topic, start + data):
                assert isinstance(one, Measurement | Reject | Remark | Command)
    assert DRIVER.max_frame == 256 * 1024


def test_no_number_is_the_number_0_for_encoders_that_leave_zeros_out(edge: Edge) -> None:
    edge.born(PM25)
    for number in range(2, 256):
        assert edge.data(seq=number) == []
    topic = "spBv1.0/g/DDATA/n/d"
    again = metric(alias=7, float_value=13.5)
    assert list(edge.decoder.decode(topic, payload({**again, "timestamp": AT + 1}))) == [air(AT + 1, pm25=13.5)]
    edge.seq = 1
    assert edge.data({**again, "timestamp": AT + 2, "float_value": 14.5}) == [air(AT + 2, pm25=14.5)]


def test_of_an_encoder_that_leaves_zeros_out_no_value_is_zero_and_no_alias_is_0(edge: Edge) -> None:
    decode = edge.decoder.decode
    assert without_empty(decode("spBv1.0/g/NBIRTH/n", payload(metric("bdSeq", UINT64)))) == []
    assert list(decode("spBv1.0/g/DBIRTH/n/d", payload(metric("pm25", FLOAT), seq=1))) == [air(pm25=0.0)]
    data = payload({"timestamp": AT + 1, "float_value": 4.5}, seq=2)
    assert list(decode("spBv1.0/g/DDATA/n/d", data)) == [air(AT + 1, pm25=4.5)]


def test_of_other_encoders_no_value_is_none(edge: Edge) -> None:
    (said,) = edge.born(metric("pm25", FLOAT, alias=7))
    assert isinstance(said, Reject)
    assert said.reason == "unsupported"
