"""The Things Stack v3: the envelope in which The Things Network publishes what its LoRaWAN devices send.

MQTT, JSON, topic ``v3/{application}@{tenant}/devices/{device}/up`` (the open-source edition has no ``@{tenant}``)::

    {"end_device_ids": {"device_id": "dev1", "dev_eui": "0004A30B001C0530", ...},
     "received_at": "2020-02-12T15:15:46.014773143Z",
     "uplink_message": {"session_key_id": "AXA50tHUGU...", "f_port": 2, "f_cnt": 1, "frm_payload": "gkHe",
                        "decoded_payload": {...}, "rx_metadata": [{"rssi": -35, "snr": 5, ...}, ...]}}

    up             -> Uplink: port 2, payload 82 41 DE, key AXA50tHUGU.../1, levels of the best gateway
    up/normalized  -> the same, of ``uplink_normalized``
    others         -> unsupported: a join, a downlink, a place, data of a service

``normalized_payload`` is what the server's formatter for the device makes of a payload, in names and units that are
the same for all (`drivers.common.normalized_payload`): these readings are taken where no codec is configured. They
are in ``up`` as well; ``up/normalized`` brings each in a message of its own, which is known for a repetition behind
its ``up``. Without that, two equal probes cannot be told apart: subscribe to ``up``.

Quirks: what is zero or empty is left out, so a missing f_cnt is 0, and so is a missing f_port where there is a
payload; with neither, the frame carried only the network's own commands, and what remains are the radio fields. The
counter begins again at 0 with each join, which gives a new session: both together are the key. Times of gateways
(``settings.time``) are right only with a satellite receiver: the server's is taken. A packet that came through
another network may have only ``channel_rssi``. A device that was activated by hand (ABP) may have no dev_eui: its
device_id names the sensor then. What the console simulates is refused. The server publishes with QoS 0 only: what
passes while no client is subscribed is in its Storage Integration.

Source: The Things Stack documentation, MQTT server and Data formats, v3.34.
"""

import re
from binascii import a2b_base64
from collections.abc import Iterable
from typing import Any
from zlib import crc32

from orjson import dumps

from drivers.common.json_messages import MAX_MESSAGE, of_json, refuse
from drivers.common.lorawan import Impossible, eui, frame_counter, loudest, whole
from drivers.common.normalized_payload import readings
from drivers.common.times import nanoseconds
from gateway.contract import Driver, Measurement, MqttLink, Options, Reject, Remark, Uplink, field

_ID = re.compile("[a-z0-9](?:-?[a-z0-9]){1,35}")
"""The ids of The Things Stack."""

REMEMBERED = 1024
"""Devices."""


class Decoder:
    """Opens envelopes; remembers of each device the last uplink whose readings the server made."""

    def __init__(self, _: Options) -> None:
        self._read: dict[str, Uplink] = {}

    @of_json
    def decode(self, topic: str, message: Any, payload: bytes) -> Iterable[Measurement | Reject | Remark | Uplink]:  # noqa: ANN401 -- any JSON
        """See `gateway.contract.MessageDecoder`."""
        if type(message) is not dict or type(message.get("end_device_ids")) is not dict:
            return [refuse("noise", payload, "no envelope of The Things Stack's")]
        is_part = "uplink_normalized" in message
        uplink = message.get("uplink_message", message["uplink_normalized"] if is_part else None)
        if type(uplink) is not dict:
            return [refuse("unsupported", payload, f"no uplink but {topic.rpartition('/')[2]!r}")]
        if message.get("simulated"):
            return [refuse("unsupported", payload, "simulated")]
        try:
            opened, remarks = _open(message, uplink, is_part=is_part)
        except Impossible as error:
            return [refuse("range", payload, str(error))]
        if is_part or opened.readings:
            opened = self._once(opened, is_part=is_part)
        return [opened, *remarks]

    def _once(self, uplink: Uplink, *, is_part: bool) -> Uplink:
        """Return the whole uplink again in place of a part of it, so that it is known for a repetition."""
        whole_uplink = self._read.get(uplink.sensor)
        if is_part and whole_uplink is not None and uplink.key is not None and whole_uplink.key is not None:
            return whole_uplink if uplink.key.startswith(f"{whole_uplink.key}/") else uplink
        if not is_part and uplink.readings:
            self._read.pop(uplink.sensor, None)
            self._read[uplink.sensor] = uplink
            if len(self._read) > REMEMBERED:
                del self._read[next(iter(self._read))]
        return uplink


def _open(message: dict[str, Any], uplink: dict[str, Any], *, is_part: bool) -> tuple[Uplink, list[Remark]]:
    fields, remarks = frame_counter(uplink, "f_cnt")
    fields |= loudest(_levels(uplink.get("rx_metadata")))
    try:
        data = a2b_base64(uplink.get("frm_payload") or b"", strict_mode=True)
    except (TypeError, ValueError) as error:
        raise Impossible(f"frm_payload: {error}") from None
    port = whole(uplink, "f_port", 255) if data or "f_port" in uplink else None
    decoded = uplink.get("decoded_payload")
    if decoded is not None and type(decoded) is not dict:
        if not data:
            raise Impossible("decoded_payload is no object")
        remarks.append(Remark("left out", "decoded_payload", "no object"))
        decoded = None
    session = uplink.get("session_key_id")
    named = type(session) is str and 0 < len(session) <= 128 and "frame_counter" in fields
    key = f"{session}/{fields['frame_counter']}" if named else None
    normalized = uplink.get("normalized_payload")
    if key and is_part:
        key = f"{key}/{crc32(dumps(normalized)):08x}"  # the server makes several such messages of one uplink
    time = nanoseconds(message.get("received_at")) or nanoseconds(uplink.get("received_at"))
    said = () if normalized is None else tuple(readings(normalized))
    return Uplink(_device(message["end_device_ids"]), port, data, decoded, time, key, fields, said), remarks


def _device(ids: dict[str, Any]) -> str:
    """Return the EUI of a device, or its id where it was activated by hand and has no EUI."""
    said = ids.get("dev_eui")
    if said is None or said == "":
        name = ids.get("device_id")
        if isinstance(name, str) and _ID.fullmatch(name):
            return name
    return eui(said)


def _levels(receptions: object) -> list[dict[str, Any]]:
    if type(receptions) is not list:
        return []
    return [
        one if "rssi" in one else {"rssi": one.get("channel_rssi"), **one} for one in receptions if type(one) is dict
    ]


DRIVER = Driver(
    name="ttn",
    title="The Things Stack v3 (LoRaWAN)",
    link=MqttLink(("v3/+/devices/+/up",)),
    fields=(field("rssi"), field("snr"), field("frame_counter")),
    max_frame=MAX_MESSAGE,
    decoder=Decoder,
)
