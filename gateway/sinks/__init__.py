"""Where readings go: encodings and connections, without retry loops; `gateway.delivery` does the trying again."""
