"""PUBLISH as we read it, beside what paho makes of the same bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt import _packet
from paho.mqtt.enums import MQTTProtocolVersion

from gateway.links.mqtt.packets import Message, parse_publish, pubacks

topics = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=300)
payloads = st.binary(max_size=400)
# User properties, an expiry interval, a content type: what brokers pass on with a message.
properties = st.sampled_from(
    [b"", b"\x01\x01", b"\x02\x00\x00\x0e\x10", b"\x03\x00\x04json", b"\x26\x00\x01a\x00\x02bc" * 20]
)


def varint(value: int) -> bytes:
    encoded = b""
    while True:
        value, low = divmod(value, 128)
        encoded += bytes([low | 0x80 if value else low])
        if not value:
            return encoded


def publish(topic: bytes, payload: bytes, mid: int = 7, flags: int = 0x02, extra: bytes | None = None) -> bytes:
    """Write a packet by hand; ``extra`` are MQTT 5 properties, None means MQTT 3.1.1."""
    body = len(topic).to_bytes(2, "big") + topic
    if flags & 0x06:
        body += mid.to_bytes(2, "big")
    if extra is not None:
        body += varint(len(extra)) + extra
    body += payload
    return bytes([0x30 | flags]) + varint(len(body)) + body


@given(topics, payloads, st.integers(1, 65535), st.sampled_from([0, 1, 2, 3, 10, 11]), st.none() | properties)
def test_a_message_reads_as_paho_reads_it(
    topic: str, payload: bytes, mid: int, flags: int, extra: bytes | None
) -> None:
    v5 = extra is not None
    packet = publish(topic.encode(), payload, mid, flags, extra)
    parsed = parse_publish(b"\x40\x02\x00\x01" + packet + b"\xd0\x00", 4, v5=v5)
    assert parsed is not None
    message, end = parsed
    assert end == 4 + len(packet)
    body = packet[len(packet) - _remaining(packet) :]
    theirs = _packet.decode_publish(
        packet[0], bytearray(body), MQTTProtocolVersion.MQTTv5 if v5 else MQTTProtocolVersion.MQTTv311
    )
    ours = (message.topic.encode(), message.payload, message.mid, message.repeated, message.retained)
    assert ours == (theirs.topic, bytes(theirs.payload), theirs.mid if flags & 6 else 0, theirs.dup, theirs.retain)


def _remaining(packet: bytes) -> int:
    value = shift = 0
    for byte in packet[1:]:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value
    raise AssertionError


@given(topics, payloads, properties, st.booleans())
def test_every_prefix_of_a_message_is_left_to_paho(topic: str, payload: bytes, extra: bytes, v5: bool) -> None:
    packet = publish(topic.encode(), payload, extra=extra if v5 else None)
    assert all(parse_publish(packet[:cut], 0, v5=v5) is None for cut in range(len(packet)))


@given(st.binary(max_size=60), st.booleans())
def test_no_bytes_raise(data: bytes, v5: bool) -> None:
    for start in range(len(data)):
        parsed = parse_publish(data, start, v5=v5)
        assert parsed is None or parsed[1] <= len(data)


@pytest.mark.parametrize(
    "packet",
    [
        pytest.param(publish(b"a", b"x", flags=0x04), id="QoS 2 has a handshake of its own"),
        pytest.param(publish(b"a", b"x", flags=0x06), id="QoS 3 does not exist"),
        pytest.param(publish(b"", b"x"), id="no topic: an alias, which we never allowed"),
        pytest.param(publish(b"a", b"x", mid=0), id="packet identity 0 is not one"),
        pytest.param(b"\x40\x02\x00\x01", id="not a PUBLISH"),
        pytest.param(b"\x32\xff\xff\xff\xff\x01" + bytes(20), id="a length of five bytes"),
        pytest.param(b"\x32\x05\x00\x09abc", id="a topic longer than its packet"),
    ],
)
def test_what_is_not_plain_is_left_to_paho(packet: bytes) -> None:
    assert parse_publish(packet, 0, v5=False) is None


def test_properties_longer_than_the_packet_are_left_to_paho() -> None:
    assert parse_publish(b"\x32\x06\x00\x01a\x00\x07\x50", 0, v5=True) is None


def test_a_topic_that_is_no_text_is_shown_as_unreadable() -> None:
    assert parse_publish(publish(b"\xff\xfe", b"x"), 0, v5=False) == (Message("\ufffd", b"x", 7, False, False), 9)


@given(st.lists(st.integers(1, 65535), max_size=50))
def test_acknowledgements_go_out_in_order(mids: list[int]) -> None:
    packets = pubacks(mids)
    assert [packets[at : at + 4] for at in range(0, len(packets), 4)] == [
        b"\x40\x02" + mid.to_bytes(2, "big") for mid in mids
    ]
