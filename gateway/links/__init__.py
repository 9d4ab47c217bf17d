"""Where bytes come from: serial lines and MQTT brokers. No parsing, no retry loops: `gateway.supervise` has those."""
