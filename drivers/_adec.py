"""What ADEC's detectors say of vehicles and of themselves; `drivers.adec_tdc` asks for it.

Data of an answer, numbers big endian: ``ee [nn nn nn nn, then one to four vehicles, the oldest first]``; vehicles
have 6, 7 or 11 bytes, and the size of the answer tells which::

    vv kk oo oo gg gg [ll] [.. tt tt ..]    v km/h, k class and lane (its layout is not public), o time over it and
                                            g gap in front of it, in 10 ms, l length in dm, t for synchronization
    e status: bits 7 hardware, 6 synchronization, 5 queue, 4 wrong way, 3 ultrasound, 2 and 1 infrared, 0 radar
    n vehicles in the detector's life, up to the last one said

A speed, a length or a gap of 0 is none. In a TDC1-PIR the bits 2, 1 and 0 are low voltage, thermal and infrared.

Source: ADEC's protocol as in the Minnesota DOT's IRIS (tms.server.comm.adectdc).
"""

from struct import unpack_from

from drivers.common.lanes import Vehicle
from gateway.contract import FieldValue

FAULTS, QUEUE, WRONG_WAY = 0b11001111, 0b00100000, 0b00010000
SIZES = {count * size: size for size in (6, 7, 11) for count in (1, 2, 3, 4)}
"""Bytes of vehicles -> bytes of one of them; no number stands for two."""
HEAD = 5
MOST_DATA = HEAD + max(SIZES)


def vehicles(data: bytes) -> list[Vehicle] | None:
    """Return the vehicles of an answer, which may be none; None where its size is no answer's."""
    records = data[HEAD:]
    if len(data) == 1:
        return []
    if len(records) not in SIZES:
        return None
    found = []
    for at in range(0, len(records), SIZES[len(records)]):
        speed, _, occupied, gap = unpack_from(">BBHH", records, at)
        length = records[at + 6] if SIZES[len(records)] > 6 else 0
        found.append(Vehicle(float(speed) or None, length / 10 or None, gap / 100 or None, occupied / 100))
    return found


def state(status: int) -> dict[str, FieldValue]:
    """Return what the status byte says."""
    event = "wrong_way" if status & WRONG_WAY else "queue" if status & QUEUE else ""
    return {"device_error": status & FAULTS, **({"event": event} if event else {})}
