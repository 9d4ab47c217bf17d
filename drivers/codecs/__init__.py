"""LoRaWAN payload codecs: one device type a file, each exposing ``CODEC``; the table is `drivers.load_codec`."""
