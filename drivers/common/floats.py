"""Numbers of 32 bits with a fraction, as the decimals that were meant."""

import struct

_LARGEST = 3.4e38


def shortest(value: float) -> float:
    """Return the shortest decimal that is this number of 32 bits: 21.7, not 21.700000762939453."""
    for digits in range(6, 9):
        decimal = float(f"{value:.{digits}g}")
        if abs(decimal) < _LARGEST and struct.pack("<f", decimal) == struct.pack("<f", value):
            return decimal
    return value
