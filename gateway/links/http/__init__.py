"""HTTP on aiohttp: a server whose endpoints answer once a message is safe, and a client for what is asked for."""
