"""Whole readings again, out of a database that stores each field as a metric of its own."""

from collections import Counter, defaultdict
from collections.abc import Iterable

from firmware_sim.servers.readback import read_points
from firmware_sim.servers.servers import Database, VictoriaMetrics
from firmware_sim.truth.points import StoredPoint, Value

KINDS = ("air_quality", "gateway", "parking", "position", "traffic")
"""What a metric's name begins with."""


async def read_readings(database: Database) -> list[StoredPoint]:
    """Return every stored reading, whichever database it is; see `gather` for VictoriaMetrics."""
    points = await read_points(database)
    return gather(points) if isinstance(database, VictoriaMetrics) else points


def gather(metrics: Iterable[StoredPoint]) -> list[StoredPoint]:
    """Put samples with the same tags and time together; what was stored twice gives two readings.

    ``metrics`` are named ``measurement_field`` and have the one field ``value``: see `read_victoria_metrics`.
    """
    copies: Counter[tuple[str, str, int]] = Counter()
    readings: dict[tuple[str, str, int, int], StoredPoint] = {}
    fields: defaultdict[tuple[str, str, int, int], dict[str, Value]] = defaultdict(dict)
    for metric in metrics:
        kind = next((kind for kind in KINDS if metric.measurement.startswith(f"{kind}_")), None)
        if kind is None:
            continue
        tags = repr(sorted(metric.tags.items()))
        name = metric.measurement.removeprefix(f"{kind}_")
        sample = (metric.measurement, tags, metric.time)
        place = (kind, tags, metric.time, copies[sample])
        copies[sample] += 1
        fields[place][name] = metric.fields["value"]
        readings[place] = StoredPoint(kind, metric.tags, fields[place], metric.time)
    return list(readings.values())
