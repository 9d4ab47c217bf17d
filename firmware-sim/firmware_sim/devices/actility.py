"""Actility ThingPark in miniature: LoRaWAN payloads in, its JSON messages out; see `parts.lorawan_node.Network`.

Every number is a text, the time has a local offset and three decimals, the payload is in hex.
"""

import json
from datetime import datetime, timedelta, timezone
from random import Random

from firmware_sim.parts.twin import Heard, Message

DRIVER = "actility"
_LOCAL = timezone(timedelta(hours=2))


class ThingPark:
    """One subscriber; repeatable by seed."""

    def __init__(self, seed: str) -> None:
        self._random = Random(f"{seed}/actility")

    def uplink(
        self, eui: str, *, name: str, port: int, payload: bytes, frame_counter: int, time: int, heard: Heard
    ) -> Message:
        """Wrap one uplink of device ``eui`` (16 hex digits), received at ``time`` (nanoseconds UTC)."""
        seconds, rest = divmod(time, 1_000_000_000)
        level, ratio = self._random.randint(-118, -70), self._random.randint(-20, 40) / 4
        said = {
            "Time": f"{datetime.fromtimestamp(seconds, _LOCAL):%Y-%m-%dT%H:%M:%S}.{rest // 1_000_000:03}+02:00",
            "DevEUI": eui.upper(),
            "FPort": str(port),
            "FCntUp": str(frame_counter),
            "MType": "2",
            "payload_hex": payload.hex(),
            "LrrRSSI": f"{level:.6f}",
            "LrrSNR": f"{ratio:.6f}",
            "SpFact": "7",
            "Lrrs": {"Lrr": [{"Lrrid": "10000026", "LrrRSSI": f"{level:.6f}", "LrrSNR": f"{ratio:.6f}"}]},
            "CustomerData": {"alr": {"pro": name, "ver": "1"}},
        }
        payload_said = json.dumps({"DevEUI_uplink": said}, separators=(",", ":")).encode()
        return Message(f"mqtt/things/{eui.upper()}/uplink", payload_said, heard)


NETWORK = ThingPark
