"""Tekzitel TekziPark: one bay, by magnetometer and radar; it also receives Bluetooth beacons.

LoRaWAN, port 1, or 2 with what the detectors saw::

    o.gdRnrk tt pp [bb ii ii ...]      o occupied, g battery good, d obstructed, R radar was used, n no beacon,
                                       r reset, k keep-alive; t int8 degrees Celsius; p number of the bay;
                                       b the beacons' level in dBm, int8, and i their ids
    port 2: ........ tt pp x y z X Y Z ff dd qq     deflection and baseline, int8; f fault; d obstructed; q reflection

    A8 2D 63 B0 00 55 01 20      occupied, radar, battery good, 45 C, bay 99, -80 dBm, beacons 85 and 288

The beacons are those of permits in a vehicle; they and what the detectors saw are read by `parse` and not stored.

Source: the vendor's codec in The Things Network's device repository (as of 8934610).
"""

from collections.abc import Iterable
from typing import NamedTuple

from gateway.contract import Codec, FieldValue, Measurement, Options, Reject, field

STATUS, DETAIL = 1, 2


class Message(NamedTuple):
    """One message; ``temperature`` in degrees Celsius, ``beacon_rssi`` in dBm, the last four None on port 1."""

    occupied: bool
    good_battery: bool
    obstructed: bool
    radar: bool
    no_beacon: bool
    reset: bool
    keepalive: bool
    temperature: int
    bay: int
    beacon_rssi: int | None = None
    beacons: tuple[int, ...] = ()
    deflection: tuple[int, ...] | None = None
    baseline: tuple[int, ...] | None = None
    fault: int | None = None
    reflection: int | None = None


def _signed(byte: int) -> int:
    return byte - 256 if byte > 127 else byte


def parse(port: int, payload: bytes) -> Message:
    """Parse a payload of a sound length."""
    occupied, good, obstructed, radar, lonely, reset, keepalive = (
        bool(payload[0] >> n & 1) for n in (7, 5, 4, 3, 2, 1, 0)
    )
    temperature, bay = _signed(payload[1]), payload[2]
    said = Message(occupied, good, obstructed, radar, lonely, reset, keepalive, temperature, bay)
    if port == DETAIL:
        axes = [_signed(byte) for byte in payload[3:9]]
        return said._replace(
            obstructed=obstructed or bool(payload[10]),
            deflection=tuple(axes[:3]),
            baseline=tuple(axes[3:]),
            fault=payload[9],
            reflection=payload[11],
        )
    if len(payload) == 3:
        return said
    beacons = tuple(int.from_bytes(payload[at : at + 2], "big") for at in range(4, len(payload), 2))
    return said._replace(beacon_rssi=_signed(payload[3]), beacons=beacons)


def decode(port: int, payload: bytes, _: Options) -> Iterable[Measurement | Reject]:
    """See `gateway.contract.Codec`."""
    if port not in (STATUS, DETAIL):
        return [Reject("unsupported", payload, f"port {port} carries no parking state")]
    size = len(payload)
    if (port == DETAIL and size != 12) or (port == STATUS and size != 3 and (size < 4 or size % 2)):
        return [Reject("length", payload, f"{size} bytes on port {port}")]
    said = parse(port, payload)
    event = (
        "reset" if said.reset else "obstructed" if said.obstructed else "keepalive" if said.keepalive else "status"
    )
    fields: dict[str, FieldValue] = {
        "occupied": said.occupied,
        "temperature": float(said.temperature),
        "battery_low": not said.good_battery,
        "event": event,
    }
    if said.fault is not None:
        fields["device_error"] = said.fault
    return [Measurement("parking", fields)]


CODEC = Codec(
    name="tekzitel_tekzipark",
    title="Tekzitel TekziPark parking sensor",
    fields=(field("occupied"), field("temperature"), field("battery_low"), field("device_error"), field("event")),
    decode=decode,
    kinds=("parking",),
)
