"""``prehod watch``: the live topics of a broker as a table, or as lines for pipes.

Columns: the topic, its last value, how long ago it came, and how many messages a minute came since the start. JSON
payloads are shown as ``name=value``; nested objects of one level are opened, which is what the gateway publishes.
"""

import argparse
import asyncio
import ssl
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import aiomqtt
import orjson
from pydantic import ValidationError

from gateway.cli.numbers import seconds
from gateway.credentials import tls_error
from gateway.daemon.catalogue import load_configuration
from gateway.errors import LinkDown, LinkRefused
from gateway.mqtt.aio_client import BrokerClient
from gateway.mqtt.broker import BrokerSettings, Credentials
from gateway.mqtt.listener import wrong_way
from gateway.sinks.settings import LiveSettings


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument(
        "topics", nargs="*", type=_filter, metavar="TOPIC", help="topic filters; default: this gateway's live topics"
    )
    parser.add_argument(
        "--broker", type=_broker, metavar="URL", help="mqtt://[user:password@]host[:port]; default: from --config"
    )
    parser.add_argument("--plain", action="store_true", help="one line a message, for pipes and logs")
    parser.add_argument("--seconds", type=seconds, metavar="N", help="stop after N seconds")


def _filter(text: str) -> str:
    try:
        return aiomqtt.Wildcard(text).value
    except ValueError:
        wrong = f"{text!r} is no topic filter: + stands for a whole level, and # for all that follow, at the end"
        raise argparse.ArgumentTypeError(wrong) from None


def _broker(text: str) -> tuple[BrokerSettings, str | None]:
    """Return the broker of a URL, and the password in it."""
    parts = urlsplit(text if "://" in text else f"mqtt://{text}")
    try:
        url = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        broker = BrokerSettings(url=url, username=parts.username)
    except ValidationError:
        wrong = f"{text!r}: write it as mqtt://[user:password@]host[:port], mqtts:// for TLS, or ws://, wss://"
        raise argparse.ArgumentTypeError(wrong) from None
    return broker, parts.password


def run(arguments: argparse.Namespace) -> int:
    """Watch until Ctrl-C or ``--seconds``, both a good end; exit code 1 when the broker cannot be reached."""
    broker, password, topics = _where(arguments)
    credentials = _credentials(broker)
    connect = partial(BrokerClient, broker, credentials._replace(password=password or credentials.password))
    try:
        asyncio.run(_watch(connect, topics, arguments))
    except KeyboardInterrupt:
        return 0
    except aiomqtt.MqttError as error:
        raise _meaning_of(error, broker, credentials) from None
    return 0


def _meaning_of(error: aiomqtt.MqttError, broker: BrokerSettings, credentials: Credentials) -> LinkDown:
    failed = tls_error(error)
    told = isinstance(failed, ssl.SSLCertVerificationError) or isinstance(error, aiomqtt.MqttCodeError)
    if not told and (wrong := wrong_way(broker, credentials.tls)):
        return wrong
    words = broker.tls_problem(failed) if failed else getattr(error.__cause__, "strerror", None) or error
    return LinkDown(f"broker {broker.where}: {words}")


def _where(arguments: argparse.Namespace) -> tuple[BrokerSettings, str | None, list[str]]:
    """Return the broker, the password that was typed for it, and the topics."""
    if arguments.broker is not None:
        broker, password = arguments.broker
        return broker, password, arguments.topics or ["prehod/#"]
    configuration = load_configuration(arguments.config)
    sink = next((one for one in configuration.sinks.values() if isinstance(one, LiveSettings)), None)
    if sink is None:
        raise LinkDown(f'{arguments.config} has no sink of type = "mqtt"; name a broker: --broker mqtt://HOST')
    own = configuration.gateway.id
    topics = [sink.topic.format(gateway=own, city="+", measurement="+", sensor="+"), f"prehod/{own}/status"]
    return sink, None, arguments.topics or topics


def _credentials(broker: BrokerSettings) -> Credentials:
    try:
        return broker.load_credentials()
    except LinkRefused as error:
        raise LinkRefused(f"{error}; `sudo -u prehod prehod watch` reads it while the service runs") from None


async def _watch(connect: Callable[[], aiomqtt.Client], topics: list[str], arguments: argparse.Namespace) -> None:
    show = _print_json if arguments.json else _print_line
    drawing = None
    if sys.stdout.isatty() and not arguments.plain and not arguments.json:
        from gateway.cli.watch_table import Board, draw  # noqa: PLC0415 -- only the table needs rich

        board = Board()
        drawing = asyncio.create_task(draw(board, topics))

        def show(topic: str, payload: bytes) -> None:
            board.note(topic, shorten(payload), time.monotonic())

    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(arguments.seconds), connect() as client:
                for topic in topics:
                    await client.subscribe(topic, qos=0)
                async for message in client.messages:
                    show(message.topic.value, message.payload)
    finally:
        if drawing is not None:
            drawing.cancel()
            with suppress(asyncio.CancelledError):
                await drawing


def _print_line(topic: str, payload: bytes) -> None:
    print(f"{datetime.now(UTC):%H:%M:%S} {topic} {shorten(payload)}", flush=True)


def _print_json(topic: str, payload: bytes) -> None:
    try:
        value = orjson.loads(payload)
    except orjson.JSONDecodeError:
        value = payload.decode(errors="replace")
    row = {"time": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}", "topic": topic, "value": value}
    print(orjson.dumps(row).decode(), flush=True)


def shorten(payload: bytes, width: int = 200) -> str:
    """Return a payload as one line for people: JSON as ``name=value``, other text as it is, bytes in hexadecimal."""
    try:
        value = orjson.loads(payload)
    except orjson.JSONDecodeError:
        value = None
    if isinstance(value, dict):
        text = " ".join(f"{name}={_plain(item)}" for name, item in _flat(value))
    else:
        try:
            text = payload.decode()
        except UnicodeDecodeError:
            text = payload.hex(" ")
    text = "".join(letter if letter.isprintable() else " " for letter in text)
    return text if len(text) <= width else text[: width - 1] + "…"


def _flat(value: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Open what the gateway publishes: the fields first, for they are what is looked at; tags are in the topic."""
    for name, item in sorted(value.items(), key=lambda pair: pair[0] != "fields"):
        if name == "fields" and isinstance(item, dict):
            yield from item.items()
        elif not isinstance(item, dict | list):
            yield name, item


def _plain(item: Any) -> str:  # noqa: ANN401 -- JSON can be anything
    if item is None:
        return "null"
    return str(item).lower() if isinstance(item, bool) else f"{item:g}" if isinstance(item, float) else str(item)
