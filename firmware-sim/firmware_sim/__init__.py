"""A city of simulated devices: byte-exact, repeatable by seed, with faults on demand and a ledger of the truth.

Nothing here shares code with the gateway or its drivers. Each twin is written from the maker's data sheet alone, so
that a sheet misread by a driver shows as a difference instead of cancelling out.

The rooms:

======================  ==============================================================================
`devices`               the twins, one device a file: sans I/O, with the time given to them
`parts`                 what twins are made of: their interface, radio nodes, buses, wire faults, roads and streets
`registry`              every twin there is, discovered in the modules of `devices`
`bench`                 twins at work on pseudo terminals and a broker: a city, or one of each kind
`truth`                 the ledger of what every device measured and handed over, and its comparison with a database
`servers`               brokers and databases as child processes, and how a database is read back
`torture`               servers, devices and a gateway under every fault at once
======================  ==============================================================================
"""
