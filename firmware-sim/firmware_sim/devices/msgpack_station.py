"""Twin of a station that publishes MessagePack maps, its numbers in as few bytes as hold them.

Written from the specification of MessagePack alone. Humidity is in percent; the message names the station.
"""

import struct
from functools import partial
from random import Random

from firmware_sim.parts.station import Meant, Reporter, Spoken
from firmware_sim.truth.points import Value

DRIVER = "msgpack"
SOURCE = {
    "topics": ["msgpack/air"],
    "options": {
        "kind": "air_quality",
        "sensor": "id",
        "fields": {"temperature": "t", "relative_humidity": {"path": "h", "unit": "%"}, "co2": "co2"},
    },
}


def speak(name: str, random: Random, time: int) -> Spoken:
    """Return one map."""
    del time
    percent, co2 = random.randint(1, 99), random.randint(300, 3000)
    temperature = random.choice([random.randint(-32, 60), random.randint(-150, 350) / 10])
    fields: dict[str, Value] = {
        "temperature": float(temperature),
        "relative_humidity": percent / 100,
        "co2": float(co2),
    }
    number = (
        struct.pack("b", temperature) if isinstance(temperature, int) else b"\xcb" + struct.pack(">d", temperature)
    )
    pairs = (
        _text("id") + _text(name),
        _text("t") + number,
        _text("h") + bytes((percent,)),
        _text("co2") + b"\xcd" + struct.pack(">H", co2),
    )
    payload = bytes((0x80 + len(pairs),)) + b"".join(pairs)
    return Spoken("msgpack/air", payload, (Meant("air_quality", fields),))


def _text(text: str) -> bytes:
    data = text.encode()
    return (bytes((0xA0 + len(data),)) if len(data) < 32 else bytes((0xD9, len(data)))) + data


TWIN = partial(Reporter, speak)
