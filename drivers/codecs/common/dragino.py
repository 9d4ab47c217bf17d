"""Shared parts of Dragino's sensors: battery, probe, device information, options.

Port 5, in the -LB generation, is asked for and sent after a join::

    mm .f ff bb ss vv vv        model, firmware (each half byte a number), band, sub-band, battery in mV

Source: the user manuals, and the vendor's dragino-end-node-decoder.
"""

from collections.abc import Callable, Iterable
from typing import Literal

from drivers.codecs.common.distance import DistanceOptions
from drivers.codecs.common.entries import Output, Said, joined
from gateway.contract import FieldValue, Measurement, Reject

RECORD = 11
NO_PROBE = 0x7FFF
"""What is sent instead of a temperature where the probe does not answer: 327.67 C in hundredths."""
NO_PROBE_TENTHS = 0x0CCC
"""The same, 327.6 C, of firmware that turns it into tenths."""


class DraginoOptions(DistanceOptions):
    """What is connected, beside what a distance stands for.

    ``probe``  the scale of the DS18B20's temperature, where one is connected: "tenths" of a degree, or "hundredths"
               in some firmware; left out, nothing is connected, and what is sent in its place means nothing
    """

    probe: Literal["tenths", "hundredths"] | None = None


def number(payload: bytes, at: int, *, signed: bool = False) -> int:
    """Return the 16 bits at ``at``, big endian."""
    found = payload[at] << 8 | payload[at + 1]
    return found - 0x10000 if signed and found & 0x8000 else found


def battery(payload: bytes) -> dict[str, FieldValue]:
    """Return the voltage in the first two bytes, whose two upper bits are flags."""
    return {"battery_voltage": (number(payload, 0) & 0x3FFF) / 1000}


def probe(raw: int, options: DraginoOptions) -> dict[str, FieldValue]:
    """Return the probe's temperature, where one is connected and answers."""
    if options.probe == "tenths":
        return tenths(raw)
    return {} if options.probe is None or raw == NO_PROBE else {"external_temperature": raw / 100}


def tenths(raw: int) -> dict[str, FieldValue]:
    """Return the probe's temperature, which is in tenths of a degree, where it answers."""
    return {} if raw in (NO_PROBE, NO_PROBE_TENTHS) else {"external_temperature": raw / 10}


def records(payload: bytes, port: int, kind: str, read: Callable[[bytes], Iterable[Said]]) -> list[Output]:
    """Return the readings that a device kept, eleven bytes each, the last four their Unix time.

    Zeros alone are the answer to a question where nothing was kept.
    """
    if not payload or len(payload) % RECORD:
        return [Reject("length", payload, f"{len(payload)} bytes on port {port}")]
    if not any(payload):
        return [Reject("unsupported", payload, "nothing was kept")]
    ones = [payload[at : at + RECORD] for at in range(0, len(payload), RECORD)]
    return joined((said for one in ones for said in read(one)), kind)


def seconds(record: bytes) -> int:
    """Return the Unix time of a kept reading."""
    return int.from_bytes(record[7:], "big")


def information(payload: bytes, kind: str) -> Measurement | Reject:
    """Parse a payload of port 5."""
    if len(payload) != 7:
        return Reject("length", payload, f"{len(payload)} bytes on port 5")
    firmware = f"{payload[1] & 0x0F}.{payload[2] >> 4}.{payload[2] & 0x0F}"
    volts = number(payload, 5) / 1000
    return Measurement(kind, {"firmware_version": firmware, "battery_voltage": volts, "event": "information"})
