"""A message becomes readings of its delivery, however it came and however it was packed."""

import gzip
from collections.abc import Iterable

import pytest

from gateway.clock import Timekeeper
from gateway.config.models import Gateway
from gateway.contract import Command, Measurement, MessageDecoder, Reject, Remark
from gateway.health import Health
from gateway.ingest.delivery import Delivery
from gateway.ingest.fields import FieldEncoder
from gateway.ingest.intake import Intake, Origin
from gateway.sources.compression import Compression
from gateway.sources.messages import MessageReader

LONGEST = 100


class Number:
    """Takes a message for a temperature."""

    def decode(self, topic: str, payload: bytes) -> Iterable[Measurement | Reject]:
        try:
            return [Measurement("air_quality", {"temperature": float(payload)}, topic)]
        except ValueError:
            return [Reject("noise", payload, "no number")]


def reader(
    timekeeper: Timekeeper, health: Health, compression: Compression | None, decoder: MessageDecoder | None = None
) -> MessageReader:
    return MessageReader(
        decoder or Number(),
        Origin("broker", FieldEncoder({})),
        codecs=lambda _: None,
        max_message=LONGEST,
        intake=Intake(Gateway(id="koper-01", city="Koper"), {}, timekeeper=timekeeper, health=health),
        health=health.source("broker"),
        compression=compression,
    )


@pytest.mark.parametrize("compression", ["gzip", "auto"])
def test_a_packed_message_becomes_a_reading_where_the_source_says_so(
    timekeeper: Timekeeper, health: Health, compression: Compression
) -> None:
    delivery = Delivery()
    reader(timekeeper, health, compression).read("a-1", gzip.compress(b"21.5"), delivery)
    ((_, _, line),) = delivery.lines
    assert b"temperature=21.5" in line


def test_a_packed_message_is_refused_with_its_remedy_where_the_source_does_not_say_so(
    timekeeper: Timekeeper, health: Health
) -> None:
    delivery = Delivery()
    reader(timekeeper, health, None).read("a-1", gzip.compress(b"21.5"), delivery)
    assert not delivery.lines
    (kept,) = health.source("broker").last_rejects
    assert kept.detail.startswith('this is gzip: set compression = "gzip"')


def test_what_unpacks_to_too_much_is_refused_and_its_packed_bytes_are_kept(
    timekeeper: Timekeeper, health: Health
) -> None:
    packed = gzip.compress(b"0" * 10_000)
    assert len(packed) <= LONGEST
    reader(timekeeper, health, "gzip").read("a-1", packed, Delivery())
    (kept,) = health.source("broker").last_rejects
    assert (kept.reason, kept.raw, kept.detail) == ("length", packed, f"gzip of more than {LONGEST} bytes")


class Says:
    """Says of each message what it was given."""

    def __init__(self, *said: Measurement | Reject | Remark | Command) -> None:
        self.said = said

    def decode(self, topic: str, payload: bytes) -> Iterable[Measurement | Reject | Remark | Command]:
        del topic, payload
        return self.said


READING = Measurement("air_quality", {"temperature": 21.5}, "a-1")
EMPTY, LEFT_OUT = Remark("empty", "a birth"), Remark("left out", "co2", "null")


@pytest.mark.parametrize(
    ("said", "becomes"),
    [
        ((), (0, 0, ["the driver makes nothing of it"])),
        ((Command("t", b"more"),), (0, 1, [])),
        ((EMPTY,), (0, 1, [])),
        ((EMPTY, Command("t", b"more")), (0, 1, [])),
        ((LEFT_OUT, EMPTY), (0, 0, ["left out: co2; empty: a birth"])),
        ((LEFT_OUT, Command("t", b"more")), (0, 0, ["left out: co2"])),
        ((Reject("range", b"", "too cold"), EMPTY), (0, 0, ["too cold"])),
        ((EMPTY, READING), (1, 0, [])),
        ((READING, LEFT_OUT), (1, 0, [])),
    ],
    ids=str,
)
def test_a_message_is_a_reading_or_counted_as_empty_or_kept(
    timekeeper: Timekeeper,
    health: Health,
    said: tuple[Measurement | Reject | Remark | Command, ...],
    becomes: tuple[int, int, list[str]],
) -> None:
    """``becomes``: lines, messages counted as empty, and the words of those that are kept."""
    found = reader(timekeeper, health, None, Says(*said))
    delivery = Delivery()
    found.read("a-1", b"whatever", delivery)
    source = health.source("broker")
    assert {one.raw for one in delivery.refusals} <= {b"whatever"}
    assert (len(delivery.lines), source.empty, [one.words for one in delivery.refusals]) == becomes
    assert source.remarks.total() == sum(isinstance(one, Remark) for one in said)
