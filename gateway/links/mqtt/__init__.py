"""A connection to an MQTT broker with manual acknowledgement: paho, driven by the event loop."""
