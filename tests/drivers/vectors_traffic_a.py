"""What the drivers of roadside radars and of traffic controllers read, in the names of the external vectors."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from drivers.natch import lines as natch
from drivers.wavetronix_ss125 import bodies as smartsensor
from drivers.wavetronix_ss125 import framing as wavetronix
from gateway.contract import Reject

Vector = Mapping[str, Any]
Names = Mapping[str, object]
Said = list[Names | Reject]


def _wavetronix(vector: Vector) -> Said:
    data = bytes.fromhex(vector["input_hex"])
    if vector["kind"] == "checksum":
        return [{"crc8": wavetronix.crc8(data)}]
    if vector["kind"] == "codec":
        moment = smartsensor.moment(data) if len(data) == 8 else None
        fixed16 = smartsensor.fixed16(data) if len(data) == 2 else None
        fixed24 = smartsensor.fixed24(data) if len(data) == 3 else None
        return [{"fixed24": fixed24, "fixed16": fixed16, "time": moment, "utc": _utc(moment or 0)}]
    if vector["kind"] == "command":
        address, message, own = int.from_bytes(data[3:5], "big"), data[11], data[14:-1]
        assert wavetronix.question(address, message, own) == data
        return [{"destination": address, "message": message, "message_id": message}]
    if data[:2] != b"Z1":
        return [_body(wavetronix.parse_body(data))]
    frames = wavetronix.frames(int.from_bytes(data[6:8], "big"))
    return [_body(found) for found in [*frames.feed(data), *frames.finish()]]


def _body(body: wavetronix.Body | Reject) -> Names | Reject:
    if isinstance(body, Reject):
        return body
    about = {"message": body.message, "message_id": body.message, "sub_id": body.sub}
    if body.message == wavetronix.EVENT:
        found = smartsensor.passage(body.sub, body.data)
        if found is None:
            return _refused(body)
        return {**about, **found._asdict(), "utc": _utc(found.stamp), "duration_ms": found.duration}
    if body.message == wavetronix.INTERVAL:
        one = smartsensor.interval(body.sub, body.data)
        if one is None:
            return _refused(body)
        also = {"utc": _utc(one.stamp), "headway_ms": one.headway, "gap_ms": one.gap, "occupancy_pct": one.occupancy}
        return {**about, **one._asdict(), **also, "interval": one.number, "count": one.volume}
    return about


def _refused(body: wavetronix.Body) -> Reject:
    return Reject("range", body.data, "no time")


def _utc(stamp: int) -> str:
    seconds, rest = divmod(stamp // 10**6, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:03}Z"


NAMES: Mapping[str, tuple[str, ...]] = {
    "dc": ("detector", "pin"),
    "mc": (
        *("meter", "heads", "release", "turn_on_pin"),
        *(f"{head}_{light}_pin" for head in ("left", "right") for light in ("red", "yellow", "green")),
    ),
    "ms": ("meter", "red_dwell"),
    "mt": ("entry", "meter", "start", "stop", "red_dwell"),
    "ps": ("pin", "status"),
    "sa": ("comm_fail", "startup_green", "startup_yellow", "metering_green", "metering_yellow"),
    "v.": ("version", "build_time"),
    "sc": ("command",),
    "cs": ("time",),
}
TENTHS = ("comm_fail", "startup_green", "startup_yellow", "metering_green", "metering_yellow", "red_dwell")


def _natch(vector: Vector) -> Said:
    lines = [line for line in str(vector["input_text"]).splitlines() if line.strip()] or [""]
    return [_natch_line(line.strip(), asks=vector["kind"] == "command") for line in lines]


def _natch_line(text: str, *, asks: bool) -> Names | Reject:
    raw = text.encode()
    if asks or text[:2] in {code.upper() for code in natch.CODES}:
        code, message_id, *rest = text.split(",")
        assert natch.poll(code, message_id, *rest) == raw + b"\n"
        return {"code": code, "message_id": message_id, **_words(code.lower(), rest)}
    line = natch.parse(raw)
    if isinstance(line, Reject):
        return line
    said: dict[str, object] = {"code": line.code, "message_id": line.message_id}
    if line.code == "ds":
        found = natch.event(line)
        if isinstance(found, str):
            return Reject("range", raw, found)
        said |= {"detector": found.detector, "duration_ms": found.duration, "headway_ms": found.headway}
        return {**said, "local_time": line.words[3], "time": line.words[3]}
    if line.code == "cs" and natch.clock(line, 0) is None:
        return Reject("range", raw, "no time")
    return {**said, **_words(line.code, line.words)}


def _words(code: str, words: Sequence[str]) -> Names:
    said: dict[str, object] = {}
    for name, word in zip(NAMES.get(code, ()), words, strict=False):
        said[name] = int(word) if word.isdecimal() else word
        if name in TENTHS:
            said[f"{name}_s"] = int(word) / 10 if word.isdecimal() else None
    return said


DEVICES: Mapping[str, Callable[[Vector], Said]] = {
    "natch-atc": _natch,
    "wavetronix-ss125": _wavetronix,
}
