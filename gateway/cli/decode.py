"""``prehod decode``: what a driver or codec makes of some bytes or of a message, field by field."""

import argparse
import json
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from pydantic import ValidationError

from gateway.cli.driver_sheets.options import eager
from gateway.cli.drivers import find, unknown
from gateway.cli.main import DEFAULT_CONFIG
from gateway.cli.readings import REASONS, hexadecimal, known_fields, quality, to_json
from gateway.config.explain import explain
from gateway.contract import Codec, Driver, Measurement, MqttLink, Options, Reject, Remark, SerialLink, Uplink
from gateway.sources.settings import SerialSourceSettings

Said = Measurement | Reject | Remark | Uplink

_HEX = re.compile(rb"(?:0x)?[0-9a-fA-F]{2}(?:(?:[\s:,-]|0x)*[0-9a-fA-F]{2})*", re.IGNORECASE)
_ODD = re.compile(r"[\s:,-]*(?:0x)?(?:[0-9a-fA-F](?:[\s:,-]|0x)*)+", re.IGNORECASE)
_BETWEEN = re.compile(rb"0x|[\s:,-]", re.IGNORECASE)


class Part(NamedTuple):
    """One thing that was said, and the bytes from which it came: ``end`` is behind the last one."""

    said: Said
    start: int
    end: int


class WrongUse(Exception):
    """What was typed cannot be decoded; the message says why."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument(
        "words",
        nargs="+",
        metavar="DRIVER HEX|FILE|-",
        help="a driver or a codec (prehod drivers lists them), or with --config a driver, a source or a sensor of it;"
        ' and bytes as "AA C0 D4" (spaces, colons, 0x), a file with them, or - for stdin',
    )
    parser.add_argument("--text", action="store_true", help="the data is a line of text, not hexadecimal")
    parser.add_argument(
        "--source", metavar="NAME", help="decode as this source of the file in --config would, and say what it stores"
    )
    parser.add_argument("--topic", metavar="T", help="the topic of an MQTT message")
    parser.add_argument("--port", type=int, default=1, metavar="N", help="the FPort of a LoRaWAN payload; default 1")
    parser.add_argument(
        "--option", action="append", default=[], metavar="K=V", help="as in the configuration; may be repeated"
    )


def run(arguments: argparse.Namespace) -> int:
    """Decode; exit code 1 when no reading came out, 2 when there was nothing to decode."""
    *names, arguments.data = arguments.words
    if len(names) > 1:
        print(
            f"prehod decode: {len(names) + 1} words, and a driver and its bytes are two: quote them", file=sys.stderr
        )
        return 2
    arguments.name = names[0] if names else None
    if arguments.source is not None or arguments.config != DEFAULT_CONFIG:
        return _as_configured(arguments)
    try:
        device = _device(arguments.name)
        data = _data(arguments.data, text=arguments.text, device=device)
        options = _options(device, arguments.option)
        parts = list(decode(device, options, data, topic=arguments.topic, port=arguments.port))
    except WrongUse as error:
        print(f"prehod decode: {error}", file=sys.stderr)
        return 2
    if arguments.json:
        known = known_fields(device)
        print(json.dumps([{**to_json(one.said, known), "start": one.start, "end": one.end} for one in parts]))
    else:
        _show(device, data, parts)
    return int(all(isinstance(one.said, Reject | Remark) for one in parts))


def _as_configured(arguments: argparse.Namespace) -> int:
    """Decode as a source of the configuration would."""
    from gateway.cli.decode_source import (  # noqa: PLC0415 -- the daemon comes along
        NoSuchSource,
        choose,
        decode_for,
        print_stored,
    )
    from gateway.daemon.catalogue import load_configuration  # noqa: PLC0415 -- the same

    if arguments.option:
        print("prehod decode: the options are those of the configuration: change them there", file=sys.stderr)
        return 2
    configuration = load_configuration(arguments.config)
    try:
        source = choose(configuration, arguments.name, arguments.source, arguments.topic)
        if arguments.data == "-" and not isinstance(configuration.sources[source], SerialSourceSettings):
            data = sys.stdin.buffer.read()  # a message as it is, whatever it looks like
        else:
            data = _data(arguments.data, text=arguments.text, device=None)
            if isinstance(configuration.sources[source], SerialSourceSettings) and data == arguments.data.encode():
                data += b"\r\n"  # typed as text, it is a line
        found = decode_for(configuration, source, arguments.name, data, arguments.topic)
    except (WrongUse, NoSuchSource) as error:
        print(f"prehod decode: {error}", file=sys.stderr)
        return 2
    return print_stored(found, as_json=arguments.json)


def _device(name: str | None) -> Driver | Codec:
    if name is None:
        raise WrongUse("name a driver or a codec; or give --config and --source")
    device = find(name)
    if device is None:
        raise WrongUse(unknown(name))
    return device


def decode(device: Driver | Codec, options: Options, data: bytes, *, topic: str | None, port: int) -> Iterator[Part]:
    """Yield what a device's decoder says, with its place in ``data``."""
    if isinstance(device, Codec):
        for one in _payload(device, options, data, port):
            yield Part(one, 0, len(data))
    elif isinstance(device.link, MqttLink):
        decoder: Any = device.decoder(options)
        usual = device.link.topics[0].replace("+", "x").replace("#", "x")
        for one in decoder.decode(topic or usual, data):
            yield Part(one, 0, len(data))
    else:
        yield from _stream(device, options, data)


def _payload(codec: Codec, options: Options, data: bytes, port: int) -> Iterable[Said]:
    """Decode a payload, or the object that a network server's own codec made of it."""
    with suppress(orjson.JSONDecodeError):
        found = orjson.loads(data)
        if isinstance(found, dict) and codec.from_object is not None:
            return codec.from_object(found, options)
    return codec.decode(port, data, options)


def _stream(driver: Driver, options: Options, data: bytes) -> Iterator[Part]:
    """Feed byte by byte, as a slow line would: so what is said is known to end at that byte."""
    decoder: Any = driver.decoder(options)
    end = 0
    for at in range(len(data)):
        for one in decoder.feed(data[at : at + 1], at * 10**6):
            start = _start(one, data, end, at + 1)
            end = max(end, start + len(one.raw) if isinstance(one, Reject) else at + 1)
            yield Part(one, start, end)
    for one in [*decoder.feed(b"", 10**15), *decoder.finish()]:
        yield Part(one, _start(one, data, end, len(data)), len(data))


def _start(one: Said, data: bytes, after: int, end: int) -> int:
    """Return where it begins: a reject knows its bytes, a reading takes all since the last."""
    if isinstance(one, Reject) and one.raw and (found := data.find(one.raw, max(0, after - len(one.raw)), end)) >= 0:
        return found
    return min(after, end)


def _data(given: str, *, text: bool, device: Driver | Codec | None) -> bytes:
    """Return the bytes that are meant; raises `WrongUse` where that cannot be told."""
    is_text = text or given.lstrip().startswith(("{", "[", "$"))
    if is_text and given != "-" and not (text and Path(given).is_file()):
        return given.encode() + (
            b"\r\n" if isinstance(device, Driver) and isinstance(device.link, SerialLink) else b""
        )
    if not given.strip():
        raise WrongUse("no bytes to decode")
    if given != "-" and (found := _bytes(given.encode())) is not None:
        return found
    try:
        raw = sys.stdin.buffer.read() if given == "-" else Path(given).read_bytes()
    except FileNotFoundError:
        if _ODD.fullmatch(given):
            raise WrongUse(f"{given!r}: a byte is two hexadecimal digits, and one of them is missing") from None
        raise WrongUse(f"{given!r} is neither hexadecimal nor a file; a line of text needs --text") from None
    except OSError as error:
        raise WrongUse(f"{given}: {error.strerror}") from None
    if not raw:
        raise WrongUse("no bytes to decode")
    found = None if text else _bytes(raw)
    return raw if found is None else found


def _bytes(text: bytes) -> bytes | None:
    """Return what is written in hexadecimal, None where it is something else."""
    if not _HEX.fullmatch(text.strip()):
        return None
    return bytes.fromhex(_BETWEEN.sub(b"", text).decode())


def _options(device: Driver | Codec, given: Iterable[str]) -> Options:
    """Return the options: those that were given, else those that show most, else the defaults."""
    named: dict[str, Any] = {}
    for one in given:
        key, equals, value = one.partition("=")
        if not equals:
            raise WrongUse(f"--option {one}: write it as NAME=VALUE")
        try:
            named[key.strip()] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            named[key.strip()] = value.strip()
    model = device.options
    try:
        return eager(model, named)
    except ValidationError as error:
        raise WrongUse("\n".join(explain(error, model, "--option", separator=" "))) from None


def _show(device: Driver | Codec, data: bytes, parts: list[Part]) -> None:
    from rich.console import Console  # noqa: PLC0415 -- only tables need it
    from rich.text import Text  # noqa: PLC0415 -- the same

    from gateway.cli.values_table import print_values  # noqa: PLC0415 -- the same

    console = Console(highlight=False)
    known = known_fields(device)
    for one in parts:
        where = f"bytes {one.start} to {one.end - 1}" if one.end - one.start > 1 else f"byte {one.start}"
        said = one.said
        if isinstance(said, Reject):
            console.print(
                Text.assemble((f"rejected: {said.reason}", "bold red"), f", {REASONS[said.reason]}; {where}")
            )
            console.print(Text(f"  {said.detail}" if said.detail else "  no detail"))
            console.print(Text(f"  {hexadecimal(said.raw)}", style="dim"))
            continue
        if isinstance(said, Remark):
            console.print(Text.assemble((f"{said.kind}: {said.what}", "bold yellow"), f"; {where}"))
            if said.detail:
                console.print(Text(f"  {said.detail}"))
            continue
        if isinstance(said, Uplink):
            console.print(Text.assemble((f"uplink of {said.sensor}", "bold green"), f", port {said.port}; {where}"))
            console.print(f"  payload {hexadecimal(said.payload) or 'none'}; decode it with the device's codec")
            fields = said.fields
        else:
            words = Text.assemble((said.kind, "bold green"), f", {quality(said.quality)}; {where}")
            about = [("sensor", said.sensor), ("time", said.time), ("key", said.key), *said.tags.items()]
            console.print(words)
            for name, value in about:
                if value is not None:
                    console.print(Text(f"  {name} {value}", style="dim"))
            fields = said.fields
        print_values(console, fields, known, ranges=True)
    if not parts:
        console.print(f"{len(data)} bytes, and {device.name} makes nothing of them: is a part of a frame missing?")
