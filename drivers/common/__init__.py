"""Shared parts of the drivers: framing, checksums, envelopes, times and traffic counts. No devices."""
