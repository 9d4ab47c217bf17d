"""A city of simulated devices: byte-exact, repeatable by seed, with faults on demand and a ledger of the truth.

Nothing here shares code with the gateway or its drivers. Each twin is written from the maker's data sheet alone, so
that a sheet misread by a driver shows as a difference instead of cancelling out.

The cast:

======================  ==============================================================================
`truth`                 what every device took and handed over: the ledger that a database is held to
`twins`                 what a twin is: sans I/O, with the time given to it
`devices`               the twins, one device a file
`node`                  a LoRaWAN end device around a sensor that makes payloads
`exhibits`              one of every device there is, found in their modules
`line`, `bus`           a serial line: a twin, or several, behind a pseudo terminal that can be unplugged
`publisher`             MQTT, counting what the broker acknowledged
`stage`                 lines and stations at work
`city`, `fair`          all of it together: many of a few kinds, and one of every kind
`compare`, `points`     what was measured against what was stored: lost, duplicated, changed
======================  ==============================================================================
"""
