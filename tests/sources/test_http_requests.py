"""Requests of the senders there are become the messages that drivers read."""

import pytest

from gateway.links.http.exchange import Answer, Request
from gateway.sources.http_requests import HttpMessage, greeting, in_nanoseconds, message_of, pieces


def request(method: str, query: str = "", body: bytes = b"", **headers: str) -> Request:
    return Request(method, "/unused", query, {name.replace("_", "-"): value for name, value in headers.items()}, body)


@pytest.mark.parametrize(
    ("driver", "sent", "below", "topic", "payload"),
    [
        ("json", request("POST", body=b"{}"), "", "stations", b"{}"),
        ("json", request("PUT", body=b"{}"), "koper/aq-1", "koper/aq-1", b"{}"),
        ("json", request("POST", "token=s&x=1", b"{}"), "aq-1", "aq-1", b"{}"),
        # ChirpStack's HTTP integration
        ("chirpstack", request("POST", "event=up", b"{}"), "", "stations/event/up", b"{}"),
        ("chirpstack", request("POST", "event=join", b"{}"), "app", "app/event/join", b"{}"),
        # Sensor.Community's custom API
        ("sensor_community", request("POST", body=b"{}", x_sensor="esp8266-1844542"), "", "1844542", b"{}"),
        ("sensor_community", request("POST", body=b"{}", x_sensor="esp32-9"), "roof", "roof", b"{}"),
        # Ecowitt posts a form; Ambient and Weather Underground ask for a page
        ("ecowitt", request("POST", body=b"PASSKEY=1&tempf=64"), "garden", "garden", b"PASSKEY=1&tempf=64"),
        ("ecowitt", request("GET", "PASSKEY=1&tempf=64"), "garden", "garden", b"PASSKEY=1&tempf=64"),
        ("ecowitt", request("GET", "token=s&PASSKEY=1&tempf=64&p=x"), "garden", "garden", b"PASSKEY=1&tempf=64"),
        ("ecowitt", request("GET"), "garden&PASSKEY=1&tempf=64", "garden", b"PASSKEY=1&tempf=64"),
        ("ecowitt", request("GET", "b=2"), "&a=1", "stations", b"a=1&b=2"),
        ("form", request("GET", "ID=KX1&PASSWORD=y&event=z"), "", "stations", b"ID=KX1&PASSWORD=y&event=z"),
    ],
)
def test_a_request_becomes_its_topic_and_its_payload(
    driver: str, sent: Request, below: str, topic: str, payload: bytes
) -> None:
    assert message_of(driver, "stations", sent, below) == HttpMessage(topic, payload)


@pytest.mark.parametrize("below", ["write", "api/v2/write", "api/v3/write_lp"])
@pytest.mark.parametrize(
    ("query", "topic", "payload"),
    [
        ("bucket=city&org=o", "city", b"m f=1 1732281600\n"),
        ("db=city&precision=s", "city", b"m f=1 1732281600000000000\n"),
        ("db=city&precision=second&u=me&p=secret", "city", b"m f=1 1732281600000000000\n"),
        ("precision=ms", "collector", b"m f=1 1732281600000000\n"),
    ],
)
def test_line_protocol_comes_with_its_bucket_and_in_nanoseconds(
    below: str, query: str, topic: str, payload: bytes
) -> None:
    sent = request("POST", query, b"m f=1 1732281600\n")
    assert message_of("line_protocol", "collector", sent, below) == HttpMessage(topic, payload, silent=True)


@pytest.mark.parametrize(
    ("unit", "text", "expected"),
    [
        (1, b"m f=1 5\r\n\n# c\n", b"m f=1 5\r\n\n# c\n"),
        (1000, b"m f=1 5\n\n# c\nm f=2\nm f=3 -7", b"m f=1 5000\nm f=2\nm f=3 -7000\n"),
        (10**9, b'm s="a 5" 6\nm s="a\n7" 8\nm s="a 9"', b'm s="a 5" 6000000000\nm s="a\n7" 8000000000\nm s="a 9"\n'),
        (10**6, b"m,t=a\\ 5 f=1i 2 \nnonsense 3", b"m,t=a\\ 5 f=1i 2000000\nnonsense 3000000\n"),
    ],
)
def test_times_become_nanoseconds_and_nothing_else_changes(unit: int, text: bytes, expected: bytes) -> None:
    assert in_nanoseconds(text, unit) == expected


@pytest.mark.parametrize(
    ("longest", "expected"),
    [
        (100, [b'a f=1\nb s="x\ny"\n\nc f=3\n']),
        (15, [b"a f=1", b'b s="x\ny"', b"c f=3"]),
        (18, [b'a f=1\nb s="x\ny"', b"c f=3"]),
        (1, [b"a f=1", b'b s="x\ny"', b"c f=3"]),
    ],
)
def test_line_protocol_is_cut_between_lines_and_nowhere_else(longest: int, expected: list[bytes]) -> None:
    assert pieces(b'a f=1\nb s="x\ny"\n\nc f=3\n', longest) == expected


@pytest.mark.parametrize(
    ("driver", "sent", "below", "status"),
    [
        ("json", request("GET"), "", 405),
        ("json", request("GET", "token=secret"), "", 405),
        ("line_protocol", request("POST", "precision=fortnight", b"m f=1"), "write", 400),
        ("json", request("POST", body=b"x"), "a\x00b", 400),
        ("json", request("POST", body=b"x"), "a" * 1025, 400),
    ],
)
def test_what_holds_no_message_is_answered(driver: str, sent: Request, below: str, status: int) -> None:
    answer = message_of(driver, "stations", sent, below)
    assert isinstance(answer, Answer)
    assert answer.status == status
    assert answer.text


@pytest.mark.parametrize(
    ("method", "below", "query", "status"),
    [
        ("GET", "ping", "", 204),
        ("HEAD", "ping", "", 204),
        ("GET", "health", "", 200),
        ("POST", "query", "q=CREATE+DATABASE+%22city%22", 200),
        ("POST", "query", "", 200),
        ("GET", "query", "q=SELECT+1", 501),
        ("POST", "write", "", None),
        ("POST", "", "", None),
    ],
)
def test_clients_of_influxdb_are_answered_what_they_ask_first(
    method: str, below: str, query: str, status: int | None
) -> None:
    answer = greeting("line_protocol", request(method, query), below)
    assert (answer and answer.status) == status
    assert greeting("json", request(method, query), below) is None
