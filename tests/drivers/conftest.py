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
    uplink = "0101010101010101"             and port, hex, object, time, key, fields
    [[expect]]
    command = "devices/1/down"              its topic, and hex
"""

import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

import drivers
from gateway.contract import Codec, Command, Driver, Measurement, Options, Quality, Reject, SerialLink, Uplink

Output = Measurement | Reject | Uplink | Command
Recording = Mapping[str, Any]

HERE = Path(__file__).parents[1] / "recordings"


def _read(path: Path) -> Recording:
    recording = tomllib.loads(path.read_text(encoding="utf-8"))
    return {**recording, "device": path.parent.name, "name": f"{path.parent.name}/{path.stem}"}


def _recordings() -> list[Recording]:
    return [_read(path) for path in sorted(HERE.glob("**/*.toml"))]


def _chunk(feed: Mapping[str, Any]) -> bytes:
    return bytes.fromhex(feed["hex"]) if "hex" in feed else feed["text"].encode()


def _options(device: Driver | Codec) -> Options:
    """Return options that fit: those of the device's first recording."""
    given: Mapping[str, Any] = next(
        (recording.get("options", {}) for recording in _recordings() if recording["device"] == device.name), {}
    )
    return device.options.model_validate(given)


def _play(device: Driver | Codec, recording: Recording) -> list[Output]:
    options = device.options.model_validate(recording.get("options", {}))
    said: list[Output] = []
    if isinstance(device, Codec):
        for feed in recording["feed"]:
            said += device.decode(feed["port"], _chunk(feed), options)
    elif isinstance(device.link, SerialLink):
        decoder: Any = device.decoder(options)
        at = 0.0
        for feed in recording["feed"]:
            at = feed.get("at", at)
            said += decoder.feed(_chunk(feed), int(at * 1e9))
        said += decoder.finish()
    else:
        decoder = device.decoder(options)
        for feed in recording["feed"]:
            said += decoder.decode(feed["topic"], _chunk(feed))
    return said


def _payload(name: str, port: int, hex_: str, **options: object) -> list[Output]:
    codec = drivers.load_codec(name)
    return list(codec.decode(port, bytes.fromhex(hex_), codec.options.model_validate(options)))


def _expected(one: Mapping[str, Any]) -> Output:
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
        )
    named = {name: one[name] for name in ("sensor", "time", "key", "tags") if name in one}
    return Measurement(one["kind"], one["fields"], **named, quality=Quality(one.get("quality", 0)))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for ``recording``, ``device``, ``serial``, ``mqtt`` or ``codec`` with each there is."""
    every: Iterable[Any]
    if "recording" in metafunc.fixturenames:
        every = _recordings()
        metafunc.parametrize("recording", every, ids=[recording["name"] for recording in every])
    wanted: dict[str, Callable[[Driver], bool]] = {
        "device": lambda _: True,
        "serial": lambda driver: isinstance(driver.link, SerialLink),
        "mqtt": lambda driver: not isinstance(driver.link, SerialLink),
    }
    for name, wants in wanted.items():
        if name in metafunc.fixturenames:
            every = [driver for driver in drivers.load_all() if wants(driver)]
            metafunc.parametrize(name, every, ids=lambda driver: driver.name)
    if "codec" in metafunc.fixturenames:
        metafunc.parametrize("codec", drivers.load_all_codecs(), ids=lambda codec: codec.name)


@pytest.fixture(scope="session")
def recordings() -> list[Recording]:
    return _recordings()


@pytest.fixture(scope="session")
def play() -> Callable[[Driver | Codec, Recording], list[Output]]:
    return _play


@pytest.fixture(scope="session")
def chunk() -> Callable[[Mapping[str, Any]], bytes]:
    return _chunk


@pytest.fixture(scope="session")
def expected() -> Callable[[Mapping[str, Any]], Output]:
    return _expected


@pytest.fixture(scope="session")
def fitting_options() -> Callable[[Driver | Codec], Options]:
    return _options


@pytest.fixture(scope="session")
def payload() -> Callable[..., list[Output]]:
    """Return what gives a codec, by name, one payload: port, hex, options by name."""
    return _payload
