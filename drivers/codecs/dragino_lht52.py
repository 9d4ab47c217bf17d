"""Dragino LHT52: temperature and humidity, with a clock and a memory.

LoRaWAN, big endian; a reading has eleven bytes::

    tt tt hh hh pp pp xx uu uu uu uu     t int16, 0.01 C; h humidity, 0.1 %; p probe, int16, 0.01 C; x its kind;
                                         u Unix time
    port 2  a reading      port 3  readings kept while the network was away, one after the other
    port 5  device information, see `drivers.codecs.common.dragino`

    0A 64  02 0F  7F FF  01  65 E0 AA 4E      26.60 C, 52.7 %, no probe, 2024-02-29 16:01:18 UTC

Quirks: 7FFF, 327.67 C, says that no probe answers. A reading of just now gets the network's time, which is nearer to
the truth than the device's; one that was kept has its own. Port 2 also carries short status messages.

Sources: LHT52 user manual; the vendor's codec in The Things Network's device repository.
"""

from collections.abc import Iterable
from struct import unpack
from typing import NamedTuple

from drivers.codecs.common import dragino
from drivers.codecs.common.dragino import NO_PROBE, RECORD
from drivers.codecs.common.entries import Output, Said, kept
from gateway.contract import Codec, FieldValue, Measurement, Options, Reject, field

READING, KEPT, INFORMATION = 2, 3, 5


class Reading(NamedTuple):
    """Eleven bytes; degrees Celsius, per cent, Unix time in seconds."""

    temperature: float
    humidity: float
    probe: int
    probe_kind: int
    time: int


def parse(record: bytes) -> Reading:
    """Parse one record."""
    hundredths, tenths, probe, kind, time = unpack(">hHhBI", record)
    return Reading(hundredths / 100, tenths / 10, probe, kind, time)


def _fields(said: Reading) -> dict[str, FieldValue]:
    fields: dict[str, FieldValue] = {"temperature": said.temperature, "relative_humidity": said.humidity / 100}
    if said.probe != NO_PROBE:
        fields["external_temperature"] = said.probe / 100
    return fields


def _kept(record: bytes) -> Iterable[Said]:
    said = parse(record)
    return (kept(said.time, _fields(said)),)


def decode(port: int, payload: bytes, _: Options) -> Iterable[Output]:
    """See `gateway.contract.Codec`."""
    if port == INFORMATION:
        return [dragino.information(payload, "air_quality")]
    if port not in (READING, KEPT):
        return [Reject("unsupported", payload, f"port {port} carries no reading")]
    if port == READING:
        if len(payload) != RECORD:
            return [Reject("length", payload, f"{len(payload)} bytes on port {port}")]
        return [Measurement("air_quality", _fields(parse(payload)))]
    return dragino.records(payload, port, "air_quality", _kept)


CODEC = Codec(
    name="dragino_lht52",
    title="Dragino LHT52 temperature and humidity sensor",
    fields=(
        field("temperature", -40, 85),
        field("relative_humidity"),
        field("external_temperature"),
        field("battery_voltage"),
        field("firmware_version"),
        field("event"),
    ),
    decode=decode,
    kinds=("air_quality",),
)
