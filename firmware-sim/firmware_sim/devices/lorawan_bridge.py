"""Twin of a bridge that publishes the bare payloads of a LoRaWAN device in hex, the device and port in the topic.

No maker's sheet stands behind it: it is what small bridges do. The device is a Dragino LAQ4, which has no clock.
"""

from functools import partial
from random import Random

from firmware_sim.devices.dragino import Laq4
from firmware_sim.parts.station import Meant, Reporter, Spoken

DRIVER = "lorawan"
SOURCE = {"topics": ["lorawan/+/+"], "options": {"codec": "dragino_laq4"}}


def speak(name: str, random: Random, time: int) -> Spoken:
    """Return the payload of one uplink."""
    port, data, readings = Laq4().payload(random, time)
    meant = tuple(Meant(one.kind, one.fields, one.time, one.tags) for one in readings)
    return Spoken(f"lorawan/{name}/{port}", data.hex().encode(), meant)


TWIN = partial(Reporter, speak)
