"""Plantower PMS5003ST and PMS5003S: dust by laser scattering, and formaldehyde; the ST adds temperature and humidity.

UART 9600 8N1, 3.3 V levels, 5 V supply. A report every 2.3 s, more often while values change. Big endian, ``ss`` the
sum of all bytes before it; 40 bytes (ST) or 32 (S)::

    42 4D 00 24  ff ff FF FF Ff Ff  aa aa AA AA Aa Aa  n0 n0 .. n5 n5  cc cc  tt tt hh hh  00 00  vv ee  ss ss
    42 4D 00 1C  ff ff FF FF Ff Ff  aa aa AA AA Aa Aa  n0 n0 .. n5 n5  cc cc  ss ss
                 f PM1, PM2.5, PM10 by the factory's calibration ("CF=1"), a the same outdoors, ug/m3
                 n particles larger than 0.3, 0.5, 1, 2.5, 5, 10 um in 0.1 l; c formaldehyde, ug/m3
                 t temperature, signed, 0.1 degrees Celsius; h relative humidity, 0.1 %; v version, e error code

    42 4D 00 24  0005 0008 000A  0005 0008 000A  0672 01E1 0052 0006 0002 0000  000C  00D5 01C9  0000  97 00  04D7
                 outdoors PM1 5, PM2.5 8, PM10 10; formaldehyde 12 ug/m3; 21.3 degrees, 45.7 %

The masses outdoors are taken. Commands: see `drivers.common.plantower`.
Quirks: as the PMS5003, whose reports are as long as those of the S and hold version and error in place of c: that
would be tens of mg/m3, and is refused. The first reports of an ST after a start say 0 % humidity: refused as well.

Sources: PMS5003ST data manual V1.0, PMS5003S V2.3 (Plantower). No capture of either was found.
"""

from functools import partial

from drivers.common.duty_cycle import Sleeping
from drivers.common.plantower import MASSES, PARTICLES, Decoder, Reply, Report, unpack_words
from gateway.contract import Driver, Reject, SerialLink, field

FRAME, FRAME_S = 40, 32
MOST_FORMALDEHYDE = 4095
"""The sensor ends at 2000 ug/m3, and a version in this place begins at 4096."""


def parse(frame: bytes) -> Report | Reply | Reject:
    """Parse one frame, sound or damaged."""
    words = unpack_words(frame)
    if not isinstance(words, list):
        return words
    masses, outdoors, particles, formaldehyde = words[:3], words[3:6], words[6:12], words[12]
    if len(frame) == FRAME_S:
        return Report(masses, outdoors, particles=particles, formaldehyde=formaldehyde)
    version, error = divmod(words[16], 256)
    temperature = int.from_bytes(frame[30:32], "big", signed=True) / 10
    return Report(masses, outdoors, version, error, particles, temperature, words[14] / 1000, formaldehyde)


def _own(frame: bytes) -> Report | Reply | Reject:
    found = parse(frame)
    if isinstance(found, Report) and (found.formaldehyde or 0) > MOST_FORMALDEHYDE:
        return Reject("unsupported", frame, f"formaldehyde {found.formaldehyde} ug/m3: a PMS5003?")
    return found


DRIVER = Driver(
    name="pms5003st",
    title="Plantower PMS5003ST, PMS5003S",
    link=SerialLink(baudrate=9600, interval=2.0),
    fields=(
        *(field(name, 0, 1000) for name in MASSES),
        *(field(name, 0, 656) for name in PARTICLES),
        field("ch2o", 0, 2000),
        field("temperature", -40, 85),
        field("relative_humidity"),
        field("device_error"),
        field("firmware_version"),
    ),
    max_frame=FRAME,
    decoder=partial(Decoder, lengths=(FRAME, FRAME_S), parse=_own),
    options=Sleeping,
    kinds=("air_quality",),
    experimental=True,
)
