"""What the drivers read in vectors that others wrote, in the vectors' own names: a file for each family of devices.

`DEVICES` has what reads a vector of each device. `LEFT_OUT` has the names of what a device says and its driver leaves
out on purpose: known, and not compared.
"""

from tests.drivers.vectors import asked, distance, dust, messages, milesight, parking, payloads, traffic
from tests.drivers.vectors.common import Reader

DEVICES: dict[str, Reader] = {
    **asked.DEVICES,
    **distance.DEVICES,
    **dust.DEVICES,
    **messages.DEVICES,
    **milesight.DEVICES,
    **parking.DEVICES,
    **payloads.DEVICES,
    **traffic.DEVICES,
}

LEFT_OUT: dict[str, frozenset[str]] = {
    **messages.LEFT_OUT,
    **milesight.LEFT_OUT,
    **parking.LEFT_OUT,
    **payloads.LEFT_OUT,
}
