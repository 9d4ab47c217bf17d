"""ChirpStack v4, and v3: the envelope in which a LoRaWAN network server publishes what its devices send.

MQTT, JSON, topic ``application/{id}/device/{devEui}/event/{event}``::

    {"deduplicationId": "3ac7e3c4-...", "time": "2022-07-18T09:34:15.775023242+00:00",
     "deviceInfo": {"devEui": "0101010101010101", ...}, "fCnt": 471, "fPort": 1, "data": "qg==",
     "object": {...}, "rxInfo": [{"gatewayId": "0016c001f153a14c", "rssi": -36, "snr": 10.5}, ...]}

    up      -> Uplink: port 1, payload AA, key 3ac7e3c4-..., radio fields of the gateway that heard it loudest
    status  -> Uplink without port, payload and object: battery_level alone
    join, ack, txack, log, location, integration -> unsupported: sound, but no reading

Quirks: what is zero is left out, so a missing fPort, fCnt, snr or batteryLevel is 0. The codec's numbers are all
floats. ``object`` is there only where the server has a codec for the device. v3 has no ``deviceInfo`` and no
``deduplicationId``; it writes devEUI in base64 (its older JSON in hex), loRaSNR, objectJSON as text, publishedAt.

Source: ChirpStack documentation, Event types (v4), and the v3 integration.proto.
"""

import re
from binascii import a2b_base64
from collections.abc import Iterable
from typing import Any

import orjson

from drivers.common.json_messages import MAX_MESSAGE, SHOWN, of_json, refuse
from drivers.common.lorawan import Impossible, frame_counter, loudest, whole
from drivers.common.times import nanoseconds
from gateway.contract import Driver, FieldValue, Measurement, MqttLink, Options, Reject, Remark, Uplink, field

_EUI = re.compile("[0-9a-fA-F]{16}")
_EUI_V3 = re.compile("[0-9a-zA-Z+/]{11}=")  # eight bytes in base64
_WITHOUT_READING = frozenset({"join", "ack", "txack", "log", "error", "location", "integration"})
_LOG_PARTS = ("level", "code", "type", "description", "error")  # v3 writes type and error


class Decoder:
    """Opens envelopes; keeps no state between them."""

    def __init__(self, _: Options) -> None:
        pass

    @of_json
    def decode(self, topic: str, message: Any, payload: bytes) -> Iterable[Measurement | Reject | Remark | Uplink]:  # noqa: ANN401 -- any JSON
        """See `gateway.contract.MessageDecoder`."""
        try:
            return _open(topic.rpartition("/")[2], message, payload)
        except Impossible as error:
            return [refuse("range", payload, str(error))]


def _open(event: str, message: Any, payload: bytes) -> list[Uplink | Remark | Reject]:  # noqa: ANN401 -- JSON may hold anything
    if type(message) is not dict or not ("deviceInfo" in message or "devEUI" in message):
        return [refuse("noise", payload, "no envelope of ChirpStack's")]
    if event == "up":
        return _uplink(message)
    if event == "status":
        return [_status(message, payload)]
    if event in _WITHOUT_READING:
        words = [word[:SHOWN] for name in _LOG_PARTS if type(word := message.get(name)) is str]
        return [refuse("unsupported", payload, " ".join([event, *words]))]
    return [refuse("unsupported", payload, f"no event is known as {event!r}")]


def _uplink(message: dict[str, Any]) -> list[Uplink | Remark | Reject]:
    fields, remarks = frame_counter(message, "fCnt")
    if receptions := message.get("rxInfo"):
        fields |= loudest(receptions)
    try:
        data = a2b_base64(message.get("data") or b"", strict_mode=True)
    except (TypeError, ValueError) as error:
        raise Impossible(f"data: {error}") from None
    port = whole(message, "fPort", 255)
    decoded = None
    try:
        decoded = _object(message)
    except Impossible as error:
        if not data:
            raise
        remarks.append(Remark("left out", "object", str(error)))
    return [Uplink(_device(message), port, data, decoded, _time(message), _key(message), fields), *remarks]


def _status(message: dict[str, Any], payload: bytes) -> Uplink | Reject:
    if message.get("externalPowerSource") or message.get("batteryLevelUnavailable"):
        return refuse("unsupported", payload, "status without a battery level")
    level = message.get("batteryLevel", 0)
    if type(level) not in (int, float):
        raise Impossible("batteryLevel is no number")
    fields: dict[str, FieldValue] = {"battery_level": level / 100}
    return Uplink(_device(message), None, b"", None, _time(message), _key(message), fields)


def _device(message: dict[str, Any]) -> str:
    info = message.get("deviceInfo", message)
    eui = info.get("devEui", info.get("devEUI")) if type(info) is dict else None
    if type(eui) is str:
        if _EUI.fullmatch(eui):
            return eui.lower()
        if _EUI_V3.fullmatch(eui):
            return a2b_base64(eui).hex()
    raise Impossible("no device EUI of 16 hex digits")


def _object(message: dict[str, Any]) -> dict[str, Any] | None:
    value = message.get("object")
    if value is None and (text := message.get("objectJSON")):
        try:
            value = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise Impossible(f"objectJSON: {error}") from None
    if value is not None and type(value) is not dict:
        raise Impossible("object is no object")
    return value


def _time(message: dict[str, Any]) -> int | None:
    return nanoseconds(message.get("time") or message.get("publishedAt"))


def _key(message: dict[str, Any]) -> str | None:
    key = message.get("deduplicationId")
    return key if type(key) is str and key else None


DRIVER = Driver(
    name="chirpstack",
    title="ChirpStack v4 and v3 (LoRaWAN)",
    link=MqttLink(("application/+/device/+/event/up", "application/+/device/+/event/status")),
    fields=(field("rssi"), field("snr"), field("frame_counter"), field("battery_level")),
    max_frame=MAX_MESSAGE,
    decoder=Decoder,
)
