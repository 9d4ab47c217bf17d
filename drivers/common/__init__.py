"""Parts that several drivers share: framing, checksums, envelopes, units of time and traffic. No devices."""
