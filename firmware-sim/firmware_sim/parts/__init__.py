"""What simulated devices are made of: the twin's interface, radio nodes, buses, wire faults, roads and streets."""
