"""Publishes JSON readings with QoS 1, all at once or at a steady rate; ends when the broker has all of them.

Arguments: port, first level of the topic, number of the first reading, how many, how many a second (0: all at once).
Equal arguments give equal readings; no two numbers share a time.
"""

import json
import random
import sys
import time

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

SENSORS = 50
NEW_YEAR_MS = 1_767_225_600_000  # 1 January 2026


def payload(number: int) -> bytes:
    """Return one reading of nine values and a time; they vary as real ones do, since they will be compressed."""
    vary = random.Random(number).gauss  # noqa: S311 -- seeded on purpose
    said = {
        "ts": NEW_YEAR_MS + number,
        "pm1": round(abs(vary(8, 2)), 1),
        "pm25": round(abs(vary(14, 3)), 1),
        "pm10": round(abs(vary(22, 5)), 1),
        "no2": round(abs(vary(25, 6)), 1),
        "o3": round(abs(vary(60, 10)), 1),
        "temperature": round(vary(14, 3), 1),
        "humidity": round(min(1.0, abs(vary(0.6, 0.1))), 2),
        "pressure": round(vary(1013, 2), 1),
        "battery": round(vary(3.6, 0.02), 2),
    }
    return json.dumps(said, separators=(",", ":")).encode()


def main(port: int, level: str, first: int, count: int, rate: float) -> None:
    """Publish and wait for the last acknowledgement: Mosquitto acknowledges in order."""
    messages = [(f"{level}/s{number % SENSORS}/air", payload(number)) for number in range(first, first + count)]
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"publisher-{level}")
    client.max_inflight_messages_set(500)
    client.connect("127.0.0.1", port)
    client.loop_start()
    began = time.monotonic()
    for index, (topic, text) in enumerate(messages):
        if rate:
            time.sleep(max(0.0, began + index / rate - time.monotonic()))
        published = client.publish(topic, text, qos=1)
    published.wait_for_publish()
    client.disconnect()
    client.loop_stop()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5]))
