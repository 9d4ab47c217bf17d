"""What the drivers of radars and of traffic controllers read, in the names of the external vectors."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from drivers import houston_dr500, ops243
from drivers.natch import lines as natch
from drivers.wavetronix_ss125 import bodies as smartsensor
from drivers.wavetronix_ss125 import framing as wavetronix
from gateway.contract import Reject
from tests.drivers.vectors.common import Names, Reader, Said, Vector, bytes_of


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


UNITS = {0: "mph", 1: "km/h", 2: "ft/s", 3: "m/s"}


def _houston_names(packet: houston_dr500.Packet) -> Names:
    data = packet.data
    said: dict[str, object] = {"code": packet.code, "msg_code": packet.code, "command": packet.code}
    said |= {"data": data.hex(), "data_hex": data.hex(), "body_hex": (bytes((packet.code,)) + data).hex()}
    said["crc16"] = houston_dr500.crc(bytes((packet.code,)) + data)
    match packet.code, len(data):
        case houston_dr500.Code.SPEED, 1:
            said |= dict.fromkeys(("speed", "average_speed", "avg_speed", "speed_raw"), data[0] or None)
            said |= {"target": data[0] > 0, "no_target": data[0] == 0}
        case (houston_dr500.Code.VARIABLE | houston_dr500.Code.SET, 5) | (houston_dr500.Code.ASK, 3):
            name, value = data[1:3].decode("ascii", "replace"), int.from_bytes(data[3:], "little")
            said |= {"domain": data[0], "name": name, "variable": name, "value": value}
            said["units"] = UNITS.get(value) if name == "UN" else None
        case houston_dr500.Code.STATUS, 2:
            said["status"] = int.from_bytes(data, "little", signed=True)
        case houston_dr500.Code.ABOUT, _:
            lines = (line.partition("=") for line in data.decode("ascii", "replace").splitlines())
            tags = {tag: value for tag, _, value in lines}
            said |= {**tags, "tags": tags, **houston_dr500.about(data)}
    return said


def _houston(vector: Vector) -> Said:
    data = bytes_of(vector)
    if vector["kind"] == "checksum":
        return [{"crc16": houston_dr500.crc(data), "crc_bytes": houston_dr500.crc(data).to_bytes(2, "little").hex()}]
    frames = houston_dr500.frames()
    found = [*frames.feed(data), *frames.finish()]
    if vector["kind"] == "command":
        for one in found:
            assert isinstance(one, houston_dr500.Packet)
            assert houston_dr500.packet(one.code, one.data) == one.frame
    if vector["kind"] != "bad":
        found = [one for one in found if not isinstance(one, Reject) or one.reason != "noise"]
    return [_houston_names(one) if isinstance(one, houston_dr500.Packet) else one for one in found]


def _ops243(vector: Vector) -> Said:
    if vector["kind"] == "command":
        sent = bytes_of(vector).strip()
        assert sent in (*ops243.START, ops243.UNITS)
        return [{"command": sent.decode()}]
    said: Said = []
    for line in bytes_of(vector).splitlines() or [b""]:
        found = ops243.parse(line)
        match found:
            case Reject():
                said.append(found)
            case ops243.Answer(values):
                counts = values.get("TimedSpeedCounts")
                said.append({**values, **(counts if isinstance(counts, dict) else {})})
            case ops243.Report():
                speed = {"object_speed" if found.sure else "speed": abs(found.speed)}
                numbers = {"magnitude": found.magnitude, "time": found.time, "unit": found.unit, "units": found.unit}
                said.append({**speed, **numbers, "direction": found.direction})
    return said


DEVICES: Mapping[str, Reader] = {
    "houston-radar-dr500": _houston,
    "natch-atc": _natch,
    "omnipresense-ops24x": _ops243,
    "wavetronix-ss125": _wavetronix,
}
