"""Plantower PMS5003T: dust by laser scattering, with temperature and humidity.

UART 9600 8N1, 3.3 V levels, 5 V supply. A report every 2.3 s, more often while values change. 32 bytes, big endian,
``ss`` the sum of all bytes before it::

    42 4D 00 1C  ff ff FF FF Ff Ff  aa aa AA AA Aa Aa  n0 n0 n1 n1 n2 n2 n3 n3  tt tt hh hh  vv ee  ss ss
                 f PM1, PM2.5, PM10 by the factory's calibration ("CF=1"), a the same outdoors, ug/m3
                 n particles larger than 0.3, 0.5, 1, 2.5 um in 0.1 l
                 t temperature, signed, 0.1 degrees Celsius; h relative humidity, 0.1 %; v version, e error code

    42 4D 00 1C  0017 0027 0029  0016 0023 0029  1008 04A9 0116 000C  00D4 00E0  9A 00  04AA
                 outdoors PM1 22, PM2.5 35, PM10 41; 21.2 degrees, 22.4 %; version 9A

The masses outdoors are taken. Good up to 500 ug/m3, defined up to 1000. Commands: see `drivers.common.plantower`.
Quirks: as the PMS5003, whose reports have the same length and no other mark: there t and h are particles above 5 and
10 um, so that the humidity would be next to nothing; below 3 % a report is refused. The same keeps out the first
reports after a start, which say zero. Inside its housing the air is warmer and drier than outdoors.

Source: PMS5003T data manual V2.0 (Plantower).
"""

from functools import partial

from drivers.common.duty_cycle import Sleeping
from drivers.common.plantower import MASSES, PARTICLES, Decoder, Reply, Report, unpack_words
from gateway.contract import Driver, Reject, SerialLink, field

FRAME = 32


def parse(frame: bytes) -> Report | Reply | Reject:
    """Parse one frame, sound or damaged."""
    words = unpack_words(frame)
    if not isinstance(words, list):
        return words
    version, error = divmod(words[12], 256)
    temperature = int.from_bytes(frame[24:26], "big", signed=True) / 10
    return Report(words[:3], words[3:6], version, error, words[6:10], temperature, words[11] / 1000)


DRIVER = Driver(
    name="pms5003t",
    title="Plantower PMS5003T",
    link=SerialLink(baudrate=9600, interval=2.0),
    fields=(
        *(field(name, 0, 1000) for name in MASSES),
        *(field(name, 0, 656) for name in PARTICLES[:4]),
        field("temperature", -40, 85),
        field("relative_humidity"),
        field("device_error"),
        field("firmware_version"),
    ),
    max_frame=FRAME,
    decoder=partial(Decoder, lengths=(FRAME,), parse=parse),
    options=Sleeping,
    kinds=("air_quality",),
)
