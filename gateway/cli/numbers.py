"""Numbers on a command line: what argparse makes of them, and refuses in words."""

import argparse
from collections.abc import Callable
from math import nan


def between(low: float, high: float) -> Callable[[str], float]:
    """Return a type for argparse: a number within these bounds, wrong use beyond them."""

    def take(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = nan
        if not low <= number <= high:
            raise argparse.ArgumentTypeError(f"{text!r}: write a number from {low:,} to {high:,}")
        return number

    return take


def whole(low: int, high: int) -> Callable[[str], int]:
    """Return a type for argparse: a whole number within these bounds, wrong use beyond them."""

    def take(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = low - 1
        if not low <= number <= high:
            raise argparse.ArgumentTypeError(f"{text!r}: write a whole number from {low:,} to {high:,}")
        return number

    return take


seconds = between(0.1, 10_000_000)
"""How long something runs."""
