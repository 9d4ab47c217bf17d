"""Plantower PMS5003, PMS7003 and PMSA003: dust by laser scattering, PM1, PM2.5, PM10 and particle counts.

UART 9600 8N1, 3.3 V levels, 5 V supply. A report every 2.3 s, more often while values change. 32 bytes, big endian,
``ss`` the sum of all bytes before it::

    42 4D 00 1C  ff ff FF FF Ff Ff  aa aa AA AA Aa Aa  n0 n0 n1 n1 n2 n2 n3 n3 n4 n4 n5 n5  vv ee  ss ss
                 f PM1, PM2.5, PM10 by the factory's calibration ("CF=1"), a the same outdoors, ug/m3
                 n particles larger than 0.3, 0.5, 1, 2.5, 5, 10 um in 0.1 l; v version, e error code

    42 4D 00 1C  0000 0008 0008  0000 0008 0008  00D2 0046 002D 001E 0000 0000  97 00  02C5
                 outdoors PM1 0, PM2.5 8, PM10 8; 210 particles above 0.3 um in 0.1 l, so 2.1 in a cm3

The masses outdoors are taken. Good up to 500 ug/m3, defined up to 1000. Commands: see `drivers.common.plantower`.
Quirks: in clean air a report ends in 01 42, and the next begins with 42 4D: the search goes on one byte later.
The first reports after a start hold mass and no particles, values are stable after 30 s, and asleep it hears only
the wake-up. The PMS5003T sends the same length with temperature and humidity in place of n4 and n5, which then
exceed n3 (the version is no sign: both send 97); the PMS5003S has formaldehyde in place of v and e, which makes v
zero. Both are refused. Early units have zero in place of both v and e, as has an S without formaldehyde: all before
them means the same in either, and is taken. Some newer PMS7003 ignore the pins SET and RESET: sleep is by command.

Sources: PMS5003 data manual V2.3 and V2.5, PMS7003 V2.5 (Plantower); a clean-air stall seen on two PMS7003.
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
    if words[12] == 0:
        return Report(words[:3], words[3:6], particles=words[6:12])
    if version == 0:
        return Reject("unsupported", frame, "no version: a PMS5003S?")
    return Report(words[:3], words[3:6], version, error, particles=words[6:12])


DRIVER = Driver(
    name="pms5003",
    title="Plantower PMS5003, PMS7003, PMSA003",
    link=SerialLink(baudrate=9600, interval=2.0),
    fields=(
        *(field(name, 0, 1000) for name in MASSES),
        *(field(name, 0, 656) for name in PARTICLES),
        field("device_error"),
        field("firmware_version"),
    ),
    max_frame=FRAME,
    decoder=partial(Decoder, lengths=(FRAME,), parse=parse),
    options=Sleeping,
    kinds=("air_quality",),
)
