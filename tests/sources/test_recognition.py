"""A refusal tells what the message seems to be and which setting reads it, beside the driver's own words."""

import gzip
import zlib

import pytest

from gateway.contract import Reject
from gateway.sources.recognition import explain_refusal

REFUSED = Reject("noise", b"", "not ours")


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (gzip.compress(b"21.5", mtime=0), 'this is gzip: set compression = "gzip" on the source; not ours'),
        (zlib.compress(b"21.5" * 9), 'this is zlib: set compression = "zlib" on the source; not ours'),
        (b"<r><t>1</t></r>", 'not ours; this looks like XML: the driver "text" reads it by a pattern'),
        (b'{"t": 1, }', 'not ours; this looks like JSON: driver = "json"'),
        (b'[{"t": 1}]', 'not ours; this looks like JSON: driver = "json"'),
        (b"t=1&h=2", 'not ours; this looks like a form: driver = "form", or "text" with pairs'),
        (b"air,room=a co2=5i", 'not ours; this looks like InfluxDB line protocol: driver = "line_protocol"'),
        (b"air co2=5,t=1 1700000000\n", 'not ours; this looks like InfluxDB line protocol: driver = "line_protocol"'),
        (b"21.5", 'not ours; this looks like a bare value: driver = "value"'),
        (b"OFF\r\n", 'not ours; this looks like a bare value: driver = "value"'),
        (b"21.5,55", 'not ours; this looks like text: driver = "text"'),
        (b"T=21.5 H=55", 'not ours; this looks like text: driver = "text"'),
        (b"\x81\xa1t\xcb@5\x80\x00", "not ours"),
        (b"", "not ours"),
    ],
)
def test_what_a_message_seems_to_be_is_told_with_its_remedy(payload: bytes, words: str) -> None:
    assert explain_refusal(REFUSED, payload, "other").detail == words


def test_a_driver_is_not_recommended_to_itself() -> None:
    assert explain_refusal(REFUSED, b"21.5,55", "text") is REFUSED
    assert explain_refusal(REFUSED, b'{"t": 1, }', "json") is REFUSED
    assert explain_refusal(REFUSED, b"<t>1</t>", "") is REFUSED


def test_what_the_driver_has_named_already_is_not_named_again() -> None:
    said = REFUSED._replace(detail="this is XML")
    assert explain_refusal(said, b"<t>1</t>", "other") is said


@pytest.mark.parametrize("reason", ["range", "checksum", "unsupported"])
def test_a_refusal_of_what_the_driver_knows_stays_as_it_is(reason: str) -> None:
    said = Reject(reason, b"", "no number")  # type: ignore[arg-type] # one of the reasons
    assert explain_refusal(said, gzip.compress(b"21.5", mtime=0), "other") is said


def test_a_long_message_costs_no_more_than_its_beginning() -> None:
    for payload in (b"a=" * 100_000, b"a,b=c" * 50_000, b" " * 200_000):
        explain_refusal(REFUSED, payload, "other")


def test_a_bare_number_on_a_source_of_json_is_told_its_driver() -> None:
    said = Reject("unsupported", b"", "temperature: nothing at t")
    assert explain_refusal(said, b"21.5", "json").detail.endswith('this looks like a bare value: driver = "value"')
    assert explain_refusal(said, b'{"temp": 5}', "json") is said
    assert explain_refusal(said, b"21.5", "value") is said
