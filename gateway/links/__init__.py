"""Where bytes come from: serial lines, MQTT brokers, HTTP. No parsing, no retry loops: `gateway.supervise` has them."""
