"""The Things Stack v3 in miniature: LoRaWAN payloads in, its JSON messages out; see `parts.lorawan_node.Network`.

What is 0 or empty is left out (``f_cnt`` of the first frame after a join); ``frm_payload`` is base64. Each gateway
that heard it is in ``rx_metadata``, now and then one of another network, which says only ``channel_rssi``.
"""

import base64
import json
from datetime import UTC, datetime
from random import Random

from firmware_sim.parts.twin import Heard, Message

DRIVER = "ttn"
_UP_TO_THE_APPLICATION = 225_000_000
"""Nanoseconds from the network's reception to the application's."""


class TheThingsStack:
    """One application of one tenant; repeatable by seed."""

    def __init__(self, seed: str, application: str = "city@prehod") -> None:
        self.application = application
        self._random = Random(f"{seed}/ttn")
        self._session = base64.b64encode(self._random.randbytes(16)).decode("ascii")

    def uplink(
        self, eui: str, *, name: str, port: int, payload: bytes, frame_counter: int, time: int, heard: Heard
    ) -> Message:
        """Wrap one uplink of device ``eui`` (16 hex digits), received at ``time`` (nanoseconds UTC)."""
        message = {
            "session_key_id": self._session,
            "f_port": port,
            "f_cnt": frame_counter,
            "frm_payload": base64.b64encode(payload).decode("ascii"),
            "rx_metadata": [self._reception(station) for station in range(self._random.randint(1, 3))],
            "settings": {
                "data_rate": {"lora": {"bandwidth": 125000, "spreading_factor": 7}},
                "frequency": "868300000",
            },
            "received_at": _rfc3339(time - _UP_TO_THE_APPLICATION),
            "consumed_airtime": "0.056576s",
        }
        said = {
            "end_device_ids": {
                "device_id": name,
                "application_ids": {"application_id": self.application.partition("@")[0]},
                "dev_eui": eui.upper(),
                "dev_addr": f"26{eui[-6:].upper()}",
            },
            "received_at": _rfc3339(time),
            "uplink_message": {key: value for key, value in message.items() if value},
        }
        topic = f"v3/{self.application}/devices/{name}/up"
        return Message(topic, json.dumps(said, separators=(",", ":")).encode(), heard)

    def _reception(self, station: int) -> dict[str, object]:
        level = self._random.randint(-118, -70)
        reception = {"gateway_ids": {"gateway_id": f"gtw{station}"}, "rssi": level, "channel_rssi": level}
        if self._random.random() < 0.1:
            del reception["rssi"]
        return reception | {"snr": self._random.randint(-20, 40) / 4, "uplink_token": "ChIKEA=="}


def _rfc3339(time: int) -> str:
    seconds, nanoseconds = divmod(time, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{nanoseconds:09}Z"


NETWORK = TheThingsStack
