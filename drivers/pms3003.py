"""Plantower PMS3003: dust by laser scattering, PM1, PM2.5 and PM10.

UART 9600 8N1, 3.3 V levels, 5 V supply. A report every 2.3 s, more often while values change. 24 bytes, big endian,
``ss`` the sum of all bytes before it::

    42 4D 00 14  ff ff FF FF Ff Ff  aa aa AA AA Aa Aa  rr rr rr rr rr rr  ss ss
                 f PM1, PM2.5, PM10 by the factory's calibration ("CF=1"), a the same outdoors, ug/m3; r reserved

    42 4D 00 14  0003 0005 0009  0003 0005 0008  0000 0000 0051  0115
                 outdoors PM1 3, PM2.5 5, PM10 8

The masses outdoors are taken. Good up to 500 ug/m3. Commands: see `drivers.common.plantower`.
Quirks: it counts no particles, so nothing tells the first reports after a start from good ones: they are marked for
30 s, but for those of nothing but zeros, which are refused for as long; later they are clean air. What 0051 in the
last word means is not known (the Honeywell HPMA115 sends 51 there too): it is left alone.

Sources: PMS3003 data manual V2.0 (Plantower); one captured frame for the last word.
"""

from functools import partial

from drivers.common.duty_cycle import Sleeping
from drivers.common.plantower import MASSES, Decoder, Reply, Report, unpack_words
from gateway.contract import Driver, Reject, SerialLink, field

FRAME = 24


def parse(frame: bytes) -> Report | Reply | Reject:
    """Parse one frame, sound or damaged."""
    words = unpack_words(frame)
    if not isinstance(words, list):
        return words
    return Report(words[:3], words[3:6], empty=b"" if any(words) else frame)


DRIVER = Driver(
    name="pms3003",
    title="Plantower PMS3003",
    link=SerialLink(baudrate=9600, interval=2.0),
    fields=tuple(field(name, 0, 1000) for name in MASSES),
    max_frame=FRAME,
    decoder=partial(Decoder, lengths=(FRAME,), parse=parse),
    options=Sleeping,
    kinds=("air_quality",),
)
