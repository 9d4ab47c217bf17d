"""Where bytes come from: serial lines, MQTT brokers, HTTP. No parsing, no retries: `gateway.supervise` has them."""
