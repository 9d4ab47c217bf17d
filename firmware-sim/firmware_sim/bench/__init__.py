"""Where simulated devices are set up: ptys, publishers, a city of them, one of each."""
