"""Where readings go: encodings and connections, without retry loops; `gateway.forward` does the trying again."""
