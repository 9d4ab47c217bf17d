"""Ruuvi Gateway: what RuuviTag and Ruuvi Air broadcast, relayed by MQTT or HTTP as it came over the air.

MQTT, topic ``ruuvi/{gateway}/{address}``, and HTTP, which has several sensors in one message::

    {"gw_mac": "C8:25:2D:0A:0B:0C", "rssi": -68, "aoa": [], "gwts": "1653668027", "ts": "1653668027", "coords": "",
     "data": "0201061BFF99040512FC5394C37C0004FFFC040CAC364200CDCBB8334C884F"}
    {"data": {"timestamp": "..", "gw_mac": "..",
              "tags": {"C6:A5:..": {"rssi": -71, "timestamp": "1653633986", "data": "0201.."}, ...}}}

``data`` is the advertisement in hex: length, type, and what they tell of, again and again; in the part of type FF,
after the maker's 99 04, numbers are big endian, and temperature is signed::

    05 tttt hhhh pppp ax ay az vvvv mm ssss address                          RuuviTag
    06 tttt hhhh pppp 25 CC vo no li -- ss ff address                        Ruuvi Air, for old receivers
    E1 tttt hhhh pppp 11 25 44 10 CC vo no lllllll ------ ssssss ff -- address    Ruuvi Air

Worked: 05 12FC 5394 C37C .. AC36: 24.3 degrees (t / 200), 53.49 % (h / 400), 1000.44 hPa (p + 50000 Pa), a battery of
2.977 V (the upper eleven bits of v, mV above 1.6 V), at 2022-05-27T16:13:47Z, sensor ``{address}``.

Quirks: a value that is not available has all bits set, a temperature 8000. Dust is in tenths (PM1, 2.5, 4, 10), CO2
in ppm, light in hundredths of lx or, in 06, in 254 steps of a logarithm; the indices of VOC and NOx have their lowest
bits in the flags (6 and 7). Flag 0: it calibrates itself, and its values are marked. ``ts`` is the gateway's clock in
seconds. Several gateways that hear one sensor say it several times. Format 3 and the encrypted 8 are refused.

Source: Ruuvi's documentation (data formats 5, 6 and E1, gateway data formats), November 2025.
"""

from collections.abc import Iterable, Iterator, Mapping
from math import exp, log
from struct import unpack_from
from typing import Any

from drivers.common.flat_json import left_out, number
from drivers.common.json_messages import MAX_MESSAGE, find, of_json, refuse
from drivers.common.times import moment
from gateway.contract import Driver, FieldValue, Measurement, MqttLink, Options, Quality, Reject, Remark, field

MAKER = b"\x99\x04"
MANUFACTURER_DATA = 0xFF
NOT_AVAILABLE = 0xFFFF
NO_TEMPERATURE = -0x8000
NO_INDEX = 0x1FF
LENGTHS = {0x05: 18, 0x06: 17, 0xE1: 29}
"""Data format -> bytes without the address, which is told beside."""
FLAGS = {0x06: 16, 0xE1: 28}
CLOCK_SET = 946_684_800_000_000_000
"""The year 2000: a clock that says less was never set."""
Fields = dict[str, FieldValue]


class Unread(ValueError):
    """The message says nothing that is read here; the words say why."""


class Decoder:
    """Reads relayed advertisements; keeps no state."""

    def __init__(self, _: Options) -> None:
        pass

    @of_json
    def decode(self, topic: str, message: Any, payload: bytes) -> Iterable[Measurement | Reject | Remark]:  # noqa: ANN401 -- any JSON
        """See `gateway.contract.MessageDecoder`."""
        tags = find(message, ("data", "tags"))
        if type(tags) is dict:
            heard = {address: one for address, one in tags.items() if type(one) is dict}
        elif type(message) is dict and {"gw_mac", "data"} <= message.keys():
            heard = {topic.rpartition("/")[2]: {"timestamp": message.get("ts"), **message}}
        else:
            return [refuse("noise", payload, "no message of a Ruuvi Gateway")]
        readings: list[Measurement | Reject | Remark] = []
        remarks: list[Remark] = []
        for address, one in heard.items():
            try:
                readings.append(_reading(address, one))
            except Unread as why:
                remarks.append(left_out(address or "a sensor", why))
        if not readings:
            return [refuse("unsupported", payload, "; ".join(one.detail for one in remarks)[:200] or "no sensors")]
        return [*readings, *remarks]


def _reading(address: str, one: Mapping[str, Any]) -> Measurement:
    if not (0 < len(address) <= 128 and address.isprintable()):
        raise Unread("no address of a sensor")
    fields, quality = _fields(_broadcast(one.get("data")))
    level = number(one.get("rssi"))
    if level is not None:
        fields["rssi"] = level
    stamp = number(one.get("timestamp"))
    time = None if stamp is None else moment(int(stamp) if stamp.is_integer() else stamp, "s")
    time = time if time is not None and time >= CLOCK_SET else None
    return Measurement("air_quality", fields, address, time, quality=quality)


def _broadcast(data: object) -> bytes:
    """Return the maker's part of an advertisement."""
    try:
        rest = bytes.fromhex(data) if isinstance(data, str) else b""
    except ValueError:
        raise Unread("data is no text of hex digits") from None
    while len(rest) > 1 and rest[0]:
        part, rest = rest[1 : 1 + rest[0]], rest[1 + rest[0] :]
        if part[0] == MANUFACTURER_DATA and part[1:3] == MAKER:
            return part[3:]
    raise Unread("no advertisement of Ruuvi's")


def _fields(said: bytes) -> tuple[Fields, Quality]:
    form = said[0] if said else 0
    if form not in LENGTHS:
        raise Unread(f"data format {form:02X} is not read")
    if len(said) < LENGTHS[form]:
        raise Unread(f"data format {form:02X} in {len(said)} bytes, {LENGTHS[form]} needed")
    found = dict(_climate(said) if form == 0x05 else _air(said, form))
    if not found:
        raise Unread("no value is available")
    flags = said[FLAGS[form]] if form in FLAGS else 0
    return found, Quality.WARM_UP if flags & 1 else Quality.GOOD


def _climate(said: bytes) -> Iterator[tuple[str, FieldValue]]:
    celsius, humidity, pressure = unpack_from(">hHH", said, 1)
    if celsius != NO_TEMPERATURE:
        yield "temperature", celsius / 200
    if humidity != NOT_AVAILABLE:
        yield "relative_humidity", humidity / 40000
    if pressure != NOT_AVAILABLE:
        yield "atmospheric_pressure", (pressure + 50000) / 100
    if said[0] == 0x05 and (power := unpack_from(">H", said, 13)[0]) >> 5 != 0x7FF:
        yield "battery_voltage", ((power >> 5) + 1600) / 1000


def _air(said: bytes, form: int) -> Iterator[tuple[str, FieldValue]]:
    yield from _climate(said)
    sizes = ("pm1", "pm25", "pm4", "pm10") if form == 0xE1 else ("pm25",)
    *dust, co2, voc, nox = unpack_from(f">{len(sizes)}HHBB", said, 7)
    flags, light = said[FLAGS[form]], said[19:22] if form == 0xE1 else said[13:14]
    for name, tenths in zip(sizes, dust, strict=True):
        if tenths != NOT_AVAILABLE:
            yield name, tenths / 10
    if co2 != NOT_AVAILABLE:
        yield "co2", float(co2)
    for name, upper, lowest in (("tvoc_index", voc, flags >> 6 & 1), ("nox_index", nox, flags >> 7 & 1)):
        if (index := upper << 1 | lowest) != NO_INDEX:
            yield name, float(index)
    if light != b"\xff" * len(light):
        code = int.from_bytes(light, "big")
        yield "illuminance", code / 100 if form == 0xE1 else round(exp(code * log(65536) / 254) - 1, 2)


FIELDS = (
    *("temperature", "relative_humidity", "atmospheric_pressure", "battery_voltage", "rssi"),
    *("pm1", "pm25", "pm4", "pm10", "co2", "tvoc_index", "nox_index", "illuminance"),
)
DRIVER = Driver(
    name="ruuvi",
    title="Ruuvi Gateway (RuuviTag, Ruuvi Air)",
    link=MqttLink(("ruuvi/+/+",)),
    fields=tuple(map(field, FIELDS)),
    max_frame=MAX_MESSAGE,
    decoder=Decoder,
    kinds=("air_quality",),
)
