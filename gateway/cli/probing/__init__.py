"""Which device is on a serial port: the search, and what counts as evidence."""
