"""LORIOT in miniature: LoRaWAN payloads in, its JSON messages out; see `parts.lorawan_node.Network`.

The payload is in hex, the time in milliseconds; a frame is told as ``gw``, with all the gateways that heard it, or as
``rx``, with the levels of one.
"""

import json
from random import Random

from firmware_sim.parts.twin import Heard, Message

DRIVER = "loriot"


class Loriot:
    """One application; repeatable by seed."""

    def __init__(self, seed: str) -> None:
        self._random = Random(f"{seed}/loriot")
        self._sequence = self._random.randint(0, 10**6)

    def uplink(
        self, eui: str, *, name: str, port: int, payload: bytes, frame_counter: int, time: int, heard: Heard
    ) -> Message:
        """Wrap one uplink of device ``eui`` (16 hex digits), received at ``time`` (nanoseconds UTC)."""
        del name
        random = self._random
        self._sequence += 1
        said: dict[str, object] = {
            "cmd": "rx",
            "seqno": self._sequence,
            "EUI": eui.upper(),
            "ts": time // 1_000_000,
            "fcnt": frame_counter,
            "port": port,
            "freq": 868300000,
            "toa": 61,
            "dr": "SF7 BW125 4/5",
            "ack": False,
            "bat": random.choice((0, 255)),
            "offline": False,
            "data": payload.hex(),
        }
        if random.random() < 0.6:
            said["cmd"] = "gw"
            said["gws"] = [
                {
                    "rssi": random.randint(-118, -70),
                    "snr": random.randint(-20, 40) / 4,
                    "gweui": f"647FDAFFFF007AF{n}",
                }
                for n in range(random.randint(1, 3))
            ]
        else:
            said |= {"rssi": random.randint(-118, -70), "snr": random.randint(-20, 40) / 4}
        return Message(f"loriot/{eui.upper()}", json.dumps(said, separators=(",", ":")).encode(), heard)


NETWORK = Loriot
