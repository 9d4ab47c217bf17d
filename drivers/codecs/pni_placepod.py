"""PNI PlacePod: parking and vehicle counting by magnetometer, in or on the ground.

LoRaWAN, any port; entries of channel, type and value, big endian::

    02 67 tt tt   temperature, 0.1 C            01 01 rr   recalibration, 1 done
    03 02 vv vv   battery, 0.01 V               1C 01 rr   deactivation, 1 done
    15 66 oo      status, 1 occupied            3F 01 rr   reboot, 1 done
    37 66 oo      keep-alive with the status    21 00 nn   count of vehicles
    05 00 .., 06 00 ..   internal, one byte     37 00 nn   keep-alive with the count

    02 67 00 C3  37 66 01       19.5 C; still occupied

Quirks: a count of 80 and above says that the device was rebooted or recalibrated, 80 itself included. The count is
given as ``total_count`` of `traffic`, and begins again after 7F. One uplink may hold two states: the last one holds.
A negative temperature is written in two's complement by one description and as a sign with a magnitude by another;
the two do not overlap for temperatures that occur, so both are read: FF 9C and 80 64 are -10.0 C.

Sources: PlacePod Sensor Communications Protocol (PNI); sjkp/PNI.PlacePod; ZennerIoT/element-parsers.
"""

from collections.abc import Iterable

from drivers.codecs.common.entries import Fixed, Output, Part, Table, unread
from drivers.codecs.common.entries import decode as decode_entries
from gateway.contract import Codec, Options, field

RESTARTED = 0x80


def celsius(raw: int) -> float:
    """Return degrees for the 16 bits of an entry, whichever way a negative one is written."""
    if raw >= 0xC000:
        return (raw - 0x10000) / 10
    return -(raw & 0x7FFF) / 10 if raw & 0x8000 else raw / 10


def _state(event: str) -> Fixed:
    return 1, lambda value: (Part({"occupied": value[0] == 1, "event": event}),)


def _answer(what: str) -> Fixed:
    return 1, lambda value: (Part({"event": what if value[0] & 1 else f"{what} failed"}),)


def _count(event: str) -> Fixed:
    def read(value: bytes) -> Iterable[Part]:
        if value[0] >= RESTARTED:
            parts = [Part({"event": word}, "traffic") for word in (event, "reboot or recalibration")]
            return parts if event == "keepalive" else parts[1:]
        return (Part({"total_count": value[0], "event": event}, "traffic"),)

    return 1, read


CHANNELS: Table = {
    0x0101: _answer("recalibration"),
    0x0267: (2, lambda value: (Part({"temperature": celsius(int.from_bytes(value, "big"))}),)),
    0x0302: (2, lambda value: (Part({"battery_voltage": int.from_bytes(value, "big") / 100}),)),
    0x0500: unread(1),
    0x0600: unread(1),
    0x1566: _state("status"),
    0x1C01: _answer("deactivation"),
    0x2100: _count("count"),
    0x3700: _count("keepalive"),
    0x3766: _state("keepalive"),
    0x3F01: _answer("reboot"),
}


def decode(_: int, payload: bytes, __: Options) -> Iterable[Output]:
    """See `gateway.contract.Codec`."""
    return decode_entries(payload, CHANNELS, "parking")


CODEC = Codec(
    name="pni_placepod",
    title="PNI PlacePod parking and vehicle counting sensor",
    fields=(
        field("occupied"),
        field("total_count", 0, 127),
        field("temperature"),
        field("battery_voltage", 0, 5),
        field("event"),
    ),
    decode=decode,
    kinds=("parking", "traffic"),
)
