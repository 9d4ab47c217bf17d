"""What all MQTT clients of the gateway share, whichever library they are built on: brokers and their reasons."""
