"""Torture: a street with every fault at once, and at its end a count of what was lost and what is there twice.

Real parts: Mosquitto, InfluxDB, pseudo terminals, and the gateway as a process of its own, given as a command line.
A seed draws the faults. Between the gateway and its servers lie wires that can be cut, slowed and made deaf.

==========  =================================================================================
`wire`      a TCP line with faults
`numbers`   a steady QoS 1 stream of numbered messages that knows which of them a broker took
`diary`     the ledger of the city, with the moment of each entry: what a kill may have cost
`site`      everything together, and what is known of its health
`faults`    the faults: how each begins, how it ends, and when it is got over
`run`       draws them, lets it all heal, and compares
`outcome`   what came of it, as one line of JSON or a table
==========  =================================================================================
"""
