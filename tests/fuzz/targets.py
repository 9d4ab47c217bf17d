"""What strangers' bytes reach, each as a function of bytes that must return: whatever it raises is a finding.

A decoder that takes its bytes in another way when they are cut elsewhere, or that keeps more than it may, raises
`AssertionError`. Seeds are the recordings of real devices.
"""

import json
import struct
import tomllib
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import drivers
from firmware_sim.servers.influx import line_protocol as others
from firmware_sim.truth.points import StoredPoint
from gateway import line_protocol
from gateway.contract import Codec, Command, Driver, Measurement, Reject, Remark, SerialLink, Uplink
from gateway.links.mqtt.packets import parse_publish
from gateway.spool import Batch, Identity, MemberDamaged, decode_member, encode_member

RECORDINGS = Path(__file__).parents[1] / "recordings"
TIME = struct.Struct("<Q")


class Target(NamedTuple):
    """One function to try, and inputs that it knows."""

    run: Callable[[bytes], None]
    seeds: list[bytes]


def _recordings(name: str) -> list[dict[str, Any]]:
    return [tomllib.loads(path.read_text(encoding="utf-8")) for path in sorted(RECORDINGS.glob(f"**/{name}/*.toml"))]


def _options(device: Driver | Codec) -> Any:  # noqa: ANN401 -- each device has its own
    given: dict[str, Any] = next((one["options"] for one in _recordings(device.name) if "options" in one), {})
    return device.options.model_validate(given)


def _chunks(name: str) -> list[tuple[dict[str, Any], bytes]]:
    feeds = [feed for recording in _recordings(name) for feed in recording["feed"]]
    return [(feed, bytes.fromhex(feed["hex"]) if "hex" in feed else feed["text"].encode()) for feed in feeds]


def _check(said: Iterable[object]) -> None:
    for one in said:
        assert isinstance(one, Measurement | Reject | Remark | Uplink | Command), one


def serial(driver: Driver) -> Target:
    """Feed a stream, whole and cut: the first byte says where, the next eight how much time passes."""
    options = _options(driver)

    def play(pieces: list[bytes], step: int = 0, *, ask: bool = False) -> list[object]:
        decoder: Any = driver.decoder(options)
        assert all(isinstance(command, bytes) for command in decoder.start())
        said: list[object] = []
        for number, piece in enumerate([*pieces, b""]):
            assert isinstance(decoder.poll() if ask else b"", bytes)
            said += decoder.feed(piece, number * step)
        return [*said, *decoder.finish()]

    def run(data: bytes) -> None:
        if len(data) < 9:
            return
        cut, (step,), stream = data[0], TIME.unpack(data[1:9]), data[9:]
        pieces = [stream[:cut], stream[cut:]]
        _check(play(pieces, step, ask=True))
        assert play([stream]) == play(pieces)

    return Target(run, [bytes(9) + chunk for _, chunk in _chunks(driver.name)])


def messages(driver: Driver) -> Target:
    """Decode a message: topic, a line break, payload."""
    decoder: Any = driver.decoder(_options(driver))

    def run(data: bytes) -> None:
        topic, _, payload = data.partition(b"\n")
        _check(decoder.decode(topic.decode("utf-8", "replace"), payload))

    return Target(run, [feed["topic"].encode() + b"\n" + chunk for feed, chunk in _chunks(driver.name)])


def codec(found: Codec) -> Target:
    """Decode a payload: the first byte is its port; and, where it is JSON, as the object of a network server."""
    options = _options(found)

    def run(data: bytes) -> None:
        if not data:
            return
        _check(found.decode(data[0], data[1:], options))
        if found.from_object is not None and data[:1] == b"{":
            try:
                said = json.loads(data)
            except (ValueError, RecursionError):
                return
            _check(found.from_object(said, options))

    return Target(run, [bytes([feed.get("port", 1)]) + chunk for feed, chunk in _chunks(found.name)])


def _spool_member(data: bytes) -> None:
    try:
        text = decode_member(data)
    except MemberDamaged:
        return
    assert text.endswith(b"\n")


def _publish(data: bytes) -> None:
    for v5 in (True, False):
        found = parse_publish(data, 0, v5=v5)
        assert found is None or 0 < found[1] <= len(data)


def _names(data: bytes) -> None:
    """Write names, tags and a text; another's parser reads one point back."""
    parts = (data.decode("utf-8", "replace").split("\0") + ["x"] * 4)[:4]
    measurement, tag, label, text = parts
    if not measurement or measurement.startswith("#") or not tag or tag == "time":
        return
    line = line_protocol.line(measurement, {tag: label}, {"f": text.translate(_LINE_ENDS), "n": 1}, 5)
    assert line_protocol.split(line + b"\n") == [line]
    (outcome,) = others.parse(line + b"\n", 0)
    assert isinstance(outcome, StoredPoint), outcome
    assert outcome.fields["n"] == 1


def _lines(data: bytes) -> None:
    """Read a text: whatever one function takes for a line, the others do."""
    for line in line_protocol.split(data):
        parts, point = line_protocol.split_line(line), line_protocol.parse(line)
        if parts is not None:
            assert line.startswith(parts.series + parts.fields)
            assert parts.time == line_protocol.time_of(line)
        if point is not None:
            assert parts is not None
            assert point.time == parts.time
            assert line_protocol.parse_series(parts.series) == (point.measurement, point.tags)
            assert point.tags.get("sensor", "") in {"", *line_protocol.sensors_in(line)}


_LINE_ENDS = dict.fromkeys((*range(32), 127), " ")


def targets() -> dict[str, Callable[[], Target]]:
    """Return what makes each target, by name."""
    found: dict[str, Callable[[], Target]] = {f"driver-{name}": partial(_driver, name) for name in drivers.names()}
    found |= {f"codec-{name}": partial(_codec, name) for name in drivers.codec_names()}
    line = b"air_quality,city=Koper,sensor=aq-1 pm25=1.5,quality=0i 1732281600000000000\n"
    at = 1_732_281_600_000_000_000
    batch = Batch(line, 1, at, at, None, [Identity.of("broker", 7, "city/air", b"1")])
    found["spool-member"] = lambda: Target(_spool_member, [encode_member(batch, 0)])
    found["mqtt-publish"] = lambda: Target(_publish, [b"\x32\x0b\x00\x04city\x00\x07\x001x"])
    names = [b"air_quality\0sensor\0aq-1\0text", b'a\\\0b=c\0d, e\\\0"f"\\']
    found["line-protocol"] = lambda: Target(_names, names)
    found["line-protocol-read"] = lambda: Target(_lines, [line, b'# why\na\\ b,c\\==\\,d e="f \\"\n",g=t -5\r\n'])
    return found


def _driver(name: str) -> Target:
    driver = drivers.load(name)
    return serial(driver) if isinstance(driver.link, SerialLink) else messages(driver)


def _codec(name: str) -> Target:
    return codec(drivers.load_codec(name))
