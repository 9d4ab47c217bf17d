"""Twin of a station that publishes CBOR maps: temperature as a number of 16 bits where that has it, else of 32.

Written from RFC 8949 alone. Humidity is in percent, a whole number; the name of the station is in the message.
"""

import struct
from functools import partial
from random import Random

from firmware_sim.parts.station import Meant, Reporter, Spoken
from firmware_sim.truth.points import Value

DRIVER = "cbor"
SOURCE = {
    "topics": ["cbor/air"],
    "options": {
        "kind": "air_quality",
        "sensor": "id",
        "fields": {"temperature": "t", "relative_humidity": {"path": "h", "unit": "%"}, "battery_low": "low"},
    },
}


def speak(name: str, random: Random, time: int) -> Spoken:
    """Return one map, now and then of no length given in advance."""
    del time
    low, percent = random.random() < 0.3, random.randint(1, 99)
    temperature = random.choice([random.randint(-40, 80) / 2, random.randint(-150, 350) / 10])
    half = struct.pack(">e", temperature)
    exact = struct.unpack(">e", half)[0] == temperature
    number = b"\xf9" + half if exact else b"\xfa" + struct.pack(">f", temperature)
    pairs = (
        _text("id") + _text(name),
        _text("t") + number,
        _text("h") + (bytes((percent,)) if percent < 24 else bytes((24, percent))),
        _text("low") + (b"\xf5" if low else b"\xf4"),
    )
    body = b"".join(pairs)
    payload = b"\xbf" + body + b"\xff" if random.random() < 0.3 else bytes((0xA0 + len(pairs),)) + body
    fields: dict[str, Value] = {"temperature": temperature, "relative_humidity": percent / 100, "battery_low": low}
    return Spoken("cbor/air", payload, (Meant("air_quality", fields),))


def _text(text: str) -> bytes:
    data = text.encode()
    return (bytes((0x60 + len(data),)) if len(data) < 24 else bytes((0x78, len(data)))) + data


TWIN = partial(Reporter, speak)
