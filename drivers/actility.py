"""Actility ThingPark: the envelope in which this LoRaWAN network server publishes what its devices send.

MQTT or a bridge to it, JSON, on a topic of the operator's choice; every number is a text::

    {"DevEUI_uplink": {"Time": "2018-10-03T15:38:46.882+02:00", "DevEUI": "0018B20000000B20", "FPort": "1",
                       "FCntUp": "1174", "payload_hex": "9e1c4852512000220020e3831071",
                       "LrrRSSI": "-80.000000", "LrrSNR": "7.000000", "Late": "0", ...}}

    DevEUI_uplink  -> Uplink: port 1, payload 9E 1C ..., key 1174 and the time, levels of the best gateway
    others         -> unsupported: DevEUI_downlink_Sent, DevEUI_location, DevEUI_notification

Quirks: Time has the local offset. ``Late`` is 1 for a frame that a gateway kept while it was cut off: it comes hours
later, with the time when it was heard. A frame without FPort or payload carried only the network's own commands. The
counter begins again with each join, so it is a key only together with the time. LrrRSSI and LrrSNR are those of the
best gateway; all of them are in ``Lrrs.Lrr``. Newer servers write some numbers as numbers: both are read.

Source: Actility, ThingPark uplink message documentation.
"""

import math
from collections.abc import Iterable
from typing import Any

from drivers.common.json_messages import MAX_MESSAGE, of_json, refuse
from drivers.common.lorawan import Impossible, eui, frame_counter, whole
from drivers.common.times import nanoseconds
from gateway.contract import Driver, Measurement, MqttLink, Options, Reject, Remark, Uplink, field


class Decoder:
    """Opens envelopes; keeps no state between them."""

    def __init__(self, _: Options) -> None:
        pass

    @of_json
    def decode(self, topic: str, message: Any, payload: bytes) -> Iterable[Measurement | Reject | Remark | Uplink]:  # noqa: ANN401 -- any JSON
        """See `gateway.contract.MessageDecoder`."""
        del topic
        names = [name for name in message if name.startswith("DevEUI_")] if type(message) is dict else []
        if len(names) != 1:
            return [refuse("noise", payload, "no envelope of ThingPark's")]
        if names != ["DevEUI_uplink"]:
            return [refuse("unsupported", payload, f"no uplink but {names[0][:64]}")]
        try:
            return _open(message["DevEUI_uplink"])
        except Impossible as error:
            return [refuse("range", payload, str(error))]


def _open(uplink: Any) -> list[Uplink | Remark]:  # noqa: ANN401 -- JSON may hold anything
    if type(uplink) is not dict:
        raise Impossible("DevEUI_uplink is no object")
    fields, remarks = frame_counter(uplink, "FCntUp")
    for name, theirs in (("rssi", "LrrRSSI"), ("snr", "LrrSNR")):
        level = _level(uplink.get(theirs))
        if level is not None:
            fields[name] = level
    try:
        data = bytes.fromhex(uplink.get("payload_hex", ""))
    except (TypeError, ValueError):
        raise Impossible("payload_hex is no text of hex digits") from None
    port = whole(uplink, "FPort", 255) if data or uplink.get("FPort") else None
    time = nanoseconds(uplink.get("Time"))
    key = None if time is None or remarks else f"{fields['frame_counter']}@{time}"
    return [Uplink(eui(uplink.get("DevEUI")), port, data, None, time, key, fields), *remarks]


def _level(value: object) -> float | None:
    """Return a level in dBm or dB; None for none, as a gateway's level does not decide about a reading."""
    try:
        level = float(value) if isinstance(value, str | int | float) else math.nan
    except (ValueError, OverflowError):
        return None
    return level if math.isfinite(level) else None


DRIVER = Driver(
    name="actility",
    title="Actility ThingPark (LoRaWAN)",
    link=MqttLink(("mqtt/things/+/uplink",)),
    fields=(field("rssi"), field("snr"), field("frame_counter")),
    max_frame=MAX_MESSAGE,
    decoder=Decoder,
)
