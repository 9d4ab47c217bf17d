"""What the data of an SPS30's answers mean; the sheet is in `drivers.sps30`, frames are in `common.shdlc`."""

from struct import unpack

from gateway.contract import FieldValue

START, READ, WAKE_UP, CLEAN, SERIAL, VERSION, STATUS = 0x00, 0x03, 0x11, 0x56, 0xD0, 0xD1, 0xD2
VALUES = (
    *("pm1", "pm25", "pm4", "pm10"),
    *(f"particles_up_to_{size}" for size in ("05", "1", "25", "4", "10")),
    "typical_particle_size",
)
DIGITS = 6
"""A float of four bytes carries no more behind the point; what seems to follow is an artefact of its base."""


def values(data: bytes) -> list[float]:
    """Return a reading as `VALUES`, in vocabulary units; empty for data of another size, or that is no such ten."""
    if len(data) == 40:
        ten = [round(value, DIGITS) for value in unpack(">10f", data)]
    elif len(data) == 20:
        *nine, nanometres = unpack(">10H", data)
        ten = [*map(float, nine), nanometres / 1000]
    else:
        return []
    return ten if all(0 <= value < 1e6 for value in ten) else []  # NaN is within no bounds


def about(command: int, data: bytes) -> dict[str, FieldValue]:
    """Return what the sensor says of itself, in vocabulary names; nothing where it only obeyed."""
    match command:
        case 0xD0:
            return {"serial_number": data.rstrip(b"\0").decode("ascii", "replace")}
        case 0xD1:
            return {"firmware_version": ".".join(map(str, data[:2]))}
        case 0xD2:
            return {"device_error": int.from_bytes(data[:4], "big")}
    return {}
