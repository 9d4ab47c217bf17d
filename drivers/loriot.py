"""LORIOT: the envelope in which this LoRaWAN network server hands over what its devices send; and CRA's, around it.

JSON on a topic (or web hook) of the operator's choice; a frame comes as ``rx``, as ``gw``, or as both::

    {"cmd": "rx", "seqno": 948423, "EUI": "A81758FFFE0AB123", "ts": 1603875210504, "fcnt": 159521, "port": 5,
     "freq": 867500000, "rssi": -72, "snr": 8, "toa": 66, "dr": "SF7 BW125 4/5", "ack": false, "bat": 254,
     "offline": false, "data": "0100ea022804017b"}
    {"cmd": "gw", "EUI": "A81758FFFE0AB123", "ts": 1603875210504, "fcnt": 159521, "port": 5, "bat": 254,
     "data": "0100ea022804017b", "gws": [{"rssi": -72, "snr": 8, "gweui": "647FDAFFFF007AFB", "time": ...}, ...], ...}

    rx, gw  -> Uplink: port 5, payload 01 00 EA .., key 159521 and the time, levels of the gateway that heard it best
    others  -> unsupported: gw_status, cq, txd (a downlink went out), joins, answers to requests

Quirks: the payload is in hex. ``ts`` is the server's clock in ms, in the ``rx`` and in the ``gw`` of a frame, so the
counter and it are the key; some servers write seconds. A basic ``rx`` has no levels. ``bat`` is what the device told
the network: 0 is mains, 255 it does not know, 1 to 254 empty to full. ``encdata`` in place of ``data`` is encrypted:
the server has no AppSKey for the device. A frame without ``data`` carried only the network's own commands. The Czech
network CRA puts all of it as a text into ``data`` of a message with ``"tech": "L"``.

Source: LORIOT's documentation, Uplink Data Message (LNS 6 to 8), and messages of 2018 to 2026 in public projects.
"""

from collections.abc import Iterable
from typing import Any

from drivers.common.json_messages import MAX_MESSAGE, of_json, parse, refuse
from drivers.common.lorawan import Impossible, eui, frame_counter, loudest, whole
from drivers.common.times import moment
from gateway.contract import Driver, Measurement, MqttLink, Options, Reject, Remark, Uplink, field

UPLINKS = frozenset({"rx", "gw"})
SECONDS_END = 100_000_000_000
"""A time below this is in seconds: in milliseconds it would be in March 1973."""


class Decoder:
    """Opens envelopes; keeps no state between them."""

    def __init__(self, _: Options) -> None:
        pass

    @of_json
    def decode(self, topic: str, message: Any, payload: bytes) -> Iterable[Measurement | Reject | Remark | Uplink]:  # noqa: ANN401 -- any JSON
        """See `gateway.contract.MessageDecoder`."""
        del topic
        if type(message) is dict and message.get("tech") == "L" and type(message.get("data")) is str:
            message = parse(message["data"].encode())
        if isinstance(message, Reject):
            return [message._replace(raw=payload[:1024])]
        if type(message) is not dict or type(command := message.get("cmd")) is not str:
            return [refuse("noise", payload, "no envelope of LORIOT's")]
        if command not in UPLINKS:
            return [refuse("unsupported", payload, f"no uplink but {command[:64]!r}")]
        if "encdata" in message and not message.get("data"):
            return [refuse("unsupported", payload, "encrypted: the network server has no AppSKey for the device")]
        try:
            return _open(message)
        except Impossible as error:
            return [refuse("range", payload, str(error))]


def _open(message: dict[str, Any]) -> list[Uplink | Remark]:
    fields, remarks = frame_counter(message, "fcnt")
    gateways = message.get("gws")
    fields |= loudest(gateways if type(gateways) is list and gateways else [message])
    battery = message.get("bat")
    if type(battery) is int and 1 <= battery <= 254:
        fields["battery_level"] = round((battery - 1) / 253, 3)
    try:
        data = bytes.fromhex(message.get("data") or "")
    except (TypeError, ValueError):
        raise Impossible("data is no text of hex digits") from None
    port = whole(message, "port", 255) if data or message.get("port") else None
    stamp = message.get("ts")
    in_seconds = isinstance(stamp, int | float) and stamp < SECONDS_END
    time = moment(stamp, "s" if in_seconds else "ms")
    key = None if time is None or "frame_counter" not in fields else f"{fields['frame_counter']}@{time}"
    return [Uplink(eui(message.get("EUI")), port, data, None, time, key, fields), *remarks]


DRIVER = Driver(
    name="loriot",
    title="LORIOT (LoRaWAN)",
    link=MqttLink(("loriot/#",)),
    fields=tuple(map(field, ("rssi", "snr", "frame_counter", "battery_level"))),
    max_frame=MAX_MESSAGE,
    decoder=Decoder,
)
