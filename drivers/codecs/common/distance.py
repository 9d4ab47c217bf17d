"""Distance meters above a bay: a plain threshold without hysteresis, because a codec keeps no state."""

from pydantic import Field

from gateway.contract import FieldValue, Options


class DistanceOptions(Options):
    """What the distance stands for.

    ``threshold_mm``  a surface nearer than this is a parked vehicle, and ``occupied`` says so; where it is left out
                      the device gives the distance alone
    """

    threshold_mm: float | None = Field(default=None, gt=0)


def surface(millimetres: float, options: DistanceOptions) -> dict[str, FieldValue]:
    """Return the fields that a distance gives."""
    if options.threshold_mm is None:
        return {"distance": float(millimetres)}
    return {"distance": float(millimetres), "occupied": millimetres < options.threshold_mm}
