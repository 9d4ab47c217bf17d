"""The floor: a paho client on the event loop that acknowledges every message and throws it away.

What any Python program on paho must do to take a message with QoS 1, in the ordinary way: a read callback a packet,
an acknowledgement each. Arguments: port, client id, topic, then totals. It prints "subscribed", and each total when
it has seen as many messages.
"""

import asyncio
import sys
from contextlib import suppress
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion


def tell(word: object) -> None:
    """Print at once."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


async def main(port: int, client_id: str, topic: str, totals: set[int]) -> None:
    """Receive until somebody ends us."""
    loop = asyncio.get_running_loop()
    seen = 0
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=False, manual_ack=True)

    def on_message(client: mqtt.Client, _: object, message: mqtt.MQTTMessage) -> None:
        nonlocal seen
        seen += 1
        client.ack(message.mid, message.qos)
        if seen in totals:
            tell(seen)

    def on_open(client: mqtt.Client, _: object, sock: Any) -> None:  # noqa: ANN401 -- as paho types it
        loop.add_reader(sock, client.loop_read)

    def on_close(_: mqtt.Client, __: object, sock: Any) -> None:  # noqa: ANN401 -- as paho types it
        loop.remove_reader(sock)

    def on_register_write(client: mqtt.Client, _: object, sock: Any) -> None:  # noqa: ANN401 -- as paho types it
        loop.add_writer(sock, client.loop_write)

    def on_unregister_write(_: mqtt.Client, __: object, sock: Any) -> None:  # noqa: ANN401 -- as paho types it
        loop.remove_writer(sock)

    client.on_message = on_message
    client.on_connect = lambda client, *_: client.subscribe(topic, 1)
    client.on_subscribe = lambda *_: tell("subscribed")
    client.on_socket_open = on_open
    client.on_socket_close = on_close
    client.on_socket_register_write = on_register_write
    client.on_socket_unregister_write = on_unregister_write
    client.connect("127.0.0.1", port)
    while client.loop_misc() == mqtt.MQTT_ERR_SUCCESS:  # noqa: ASYNC110 -- paho wants to be called, for its keep-alive
        await asyncio.sleep(1)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(main(int(sys.argv[1]), sys.argv[2], sys.argv[3], {int(total) for total in sys.argv[4:]}))
