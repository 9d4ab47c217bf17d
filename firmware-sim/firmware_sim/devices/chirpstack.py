"""A ChirpStack v4 network server in miniature: LoRaWAN payloads in, its JSON events out.

Source: the integration events of the ChirpStack documentation. What is 0, false or empty is left out (``fCnt`` of the
first frame after a join); ``data`` is base64; ``object`` is there only when the device profile has a codec.
"""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from random import Random
from uuid import UUID

from firmware_sim.parts.twin import Heard, Message
from firmware_sim.truth.points import Value

DRIVER = "chirpstack"

APPLICATION = "5b06bc92-0510-47c1-8f24-a807f48b94a9"


def rfc3339(time: int) -> str:
    """Write nanoseconds UTC as ChirpStack does: ``2022-07-18T09:34:15.775023242+00:00``."""
    seconds, nanoseconds = divmod(time, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{nanoseconds:09}+00:00"


class ChirpStack:
    """One application on one network; repeatable by seed."""

    def __init__(self, seed: str, application: str = APPLICATION, tags: Mapping[str, str] | None = None) -> None:
        self.application = application
        self._random = Random(f"{seed}/chirpstack")
        self._tags = dict(tags or {})

    def uplink(
        self,
        eui: str,
        *,
        name: str,
        port: int,
        payload: bytes,
        frame_counter: int,
        time: int,
        heard: Heard,
        decoded: Mapping[str, Value] | None = None,
    ) -> Message:
        """Wrap one uplink of device ``eui`` (16 hex digits), received at ``time`` (nanoseconds UTC)."""
        random = self._random
        spreading = random.choice((7, 8, 9, 10, 11, 12))
        event: dict[str, object] = {
            "deduplicationId": str(UUID(int=random.getrandbits(128), version=4)),
            "time": rfc3339(time),
            "deviceInfo": {
                "tenantId": "52f14cd4-c6f1-4fbd-8f87-4025e1d49242",
                "tenantName": "City",
                "applicationId": self.application,
                "applicationName": "parking",
                "deviceProfileId": "14855bf7-d10d-4aee-b618-ebfcb64dc7ad",
                "deviceProfileName": "Parking sensor",
                "deviceName": name,
                "devEui": eui,
                "tags": self._tags,
            },
            "devAddr": f"00{eui[-6:]}",
            "adr": True,
            "dr": 12 - spreading,
            "fCnt": frame_counter,
            "fPort": port,
            "confirmed": False,
            "data": base64.b64encode(payload).decode("ascii"),
            "object": {key: _as_protobuf_number(value) for key, value in (decoded or {}).items()},
            "rxInfo": [self._reception(station) for station in random.sample(range(4), random.randint(1, 3))],
            "txInfo": {
                "frequency": random.choice((867100000, 867300000, 868100000, 868300000)),
                "modulation": {
                    "lora": {"bandwidth": 125000, "spreadingFactor": spreading, "codeRate": "CR_4_5"},
                },
            },
        }
        said = {key: value for key, value in event.items() if value or key == "data"}
        topic = f"application/{self.application}/device/{eui}/event/up"
        return Message(topic, json.dumps(said, separators=(",", ":")).encode(), heard)

    def _reception(self, station: int) -> dict[str, object]:
        random = self._random
        return {
            "gatewayId": f"0016c001f153a1{station:02x}",
            "uplinkId": random.getrandbits(32),
            "rssi": random.randint(-118, -70),
            "snr": random.randint(-20, 40) / 4,
            "location": {},
            "context": base64.b64encode(random.randbytes(4)).decode("ascii"),
            "metadata": {"region_name": "eu868", "region_common_name": "EU868"},
        }


def _as_protobuf_number(value: Value) -> Value:
    """Return an integer as the float that a protobuf Struct makes of it."""
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


NETWORK = ChirpStack
