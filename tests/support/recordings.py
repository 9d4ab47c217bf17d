"""Recordings, and how they are played to a driver.

A recording is one TOML file that a person can write by hand, ``tests/recordings/<driver>/<case>.toml`` or
``tests/recordings/codecs/<codec>/<case>.toml``::

    provenance = "data sheet: ..."          where the bytes come from
    options = { warm_up = "10s" }           as in the configuration; may be left out

    [[feed]]                                what arrives, in order
    hex = "AA C0 D4 04 3A 0A A1 60 1D AB"   or text = '{"speed":3.6}', with \\n where a line ends
    at = 1.5                                seconds; later ones default to the one before
    topic = "..."                           MQTT drivers only
    port = 1                                codecs only

    [[expect]]                              what comes out, complete and in order, `finish` included
    kind = "air_quality"
    fields = { pm25 = 123.6 }               and sensor, time, key, tags, quality where they are not the default
    [[expect]]
    reject = "checksum"                     and hex, where the bytes matter
    [[expect]]
    remark = "left out"                     and what, detail where they matter
    [[expect]]
    uplink = "0101010101010101"             and port, hex, object, time, key, fields, readings
    [[expect]]
    command = "devices/1/down"              its topic, and hex
"""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import drivers
from gateway.contract import Codec, Command, Driver, Measurement, Options, Quality, Reject, Remark, SerialLink, Uplink

Output = Measurement | Reject | Remark | Uplink | Command
Recording = Mapping[str, Any]
"""What the file says, its ``device``, and its ``name``: device/case."""

FOLDER = Path(__file__).parents[1] / "recordings"


@cache
def recordings() -> tuple[Recording, ...]:
    """Return every recording there is."""
    return tuple(_read(path) for path in sorted(FOLDER.glob("**/*.toml")))


def recordings_of(name: str) -> list[Recording]:
    """Return the recordings of the driver or codec ``name``."""
    return [recording for recording in recordings() if recording["device"] == name]


def device_of(recording: Recording) -> Driver | Codec:
    """Return the driver or codec that a recording is for."""
    name = recording["device"]
    return drivers.load_codec(name) if name in drivers.codec_names() else drivers.load(name)


def chunk(feed: Mapping[str, Any]) -> bytes:
    """Return the bytes of one feed."""
    return bytes.fromhex(feed["hex"]) if "hex" in feed else str(feed["text"]).encode()


def streams_of(name: str) -> list[bytes]:
    """Return the bytes of each recording of a serial driver."""
    return [b"".join(map(chunk, recording["feed"])) for recording in recordings_of(name)]


def messages_of(name: str) -> list[tuple[str, bytes]]:
    """Return topic and payload of each message in the recordings of an MQTT driver."""
    return [(feed["topic"], chunk(feed)) for recording in recordings_of(name) for feed in recording["feed"]]


def fitting_options(device: Driver | Codec) -> Options:
    """Return options that fit a device: those of its first recording."""
    return device.options.model_validate(next(iter(recordings_of(device.name)), {}).get("options", {}))


def play(device: Driver | Codec, recording: Recording) -> list[Output]:
    """Return what a driver or codec makes of a recording."""
    options = device.options.model_validate(recording.get("options", {}))
    said: list[Output] = []
    if isinstance(device, Codec):
        for feed in recording["feed"]:
            said += device.decode(feed["port"], chunk(feed), options)
    elif isinstance(device.link, SerialLink):
        decoder: Any = device.decoder(options)
        at = 0.0
        for feed in recording["feed"]:
            at = feed.get("at", at)
            said += decoder.feed(chunk(feed), int(at * 1e9))
        said += decoder.finish()
    else:
        decoder = device.decoder(options)
        for feed in recording["feed"]:
            said += decoder.decode(feed["topic"], chunk(feed))
    return said


def expected(one: Mapping[str, Any]) -> Output:
    """Return an ``expect`` as what a decoder gives."""
    if "reject" in one:
        return Reject(one["reject"], bytes.fromhex(one.get("hex", "")), one.get("detail", ""))
    if "command" in one:
        return Command(one["command"], bytes.fromhex(one["hex"]))
    if "uplink" in one:
        return Uplink(
            one["uplink"],
            one.get("port"),
            bytes.fromhex(one.get("hex", "")),
            one.get("object"),
            one.get("time"),
            one.get("key"),
            one["fields"],
            tuple(_reading(reading) for reading in one.get("readings", [])),
        )
    return _reading(one)


def _reading(one: Mapping[str, Any]) -> Measurement | Remark:
    if "remark" in one:
        return Remark(one["remark"], one.get("what", ""), one.get("detail", ""))
    named = {name: one[name] for name in ("sensor", "time", "key", "tags") if name in one}
    return Measurement(one["kind"], one["fields"], **named, quality=Quality(one.get("quality", 0)))


def decode_payload(codec: str, port: int, hex_: str, **options: object) -> list[Any]:
    """Return what the codec so named makes of one payload."""
    found = drivers.load_codec(codec)
    return list(found.decode(port, bytes.fromhex(hex_), found.options.model_validate(options)))


def _read(path: Path) -> Recording:
    recording = tomllib.loads(path.read_text(encoding="utf-8"))
    return {**recording, "device": path.parent.name, "name": f"{path.parent.name}/{path.stem}"}
