"""What the driver of Houston Radar's DR-500 reads, in the names of the external vectors."""

from collections.abc import Callable, Mapping
from typing import Any

from drivers import houston_dr500
from gateway.contract import Reject

Vector = Mapping[str, Any]
Names = Mapping[str, object]
Said = list[Names | Reject]

UNITS = {0: "mph", 1: "km/h", 2: "ft/s", 3: "m/s"}


def _bytes(vector: Vector) -> bytes:
    return bytes.fromhex(vector["input_hex"]) if "input_hex" in vector else str(vector["input_text"]).encode()


def _names(packet: houston_dr500.Packet) -> Names:
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
    data = _bytes(vector)
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
    return [_names(one) if isinstance(one, houston_dr500.Packet) else one for one in found]


DEVICES: Mapping[str, Callable[[Vector], Said]] = {"houston-radar-dr500": _houston}
