"""Sparkplug B payloads: from bytes to metrics. No state is kept; `drivers.sparkplug_b.values` reads the values.

::

    Payload  1 timestamp   2 metrics ...   3 seq    4 uuid    5 body
    Metric   1 name        2 alias         3 timestamp        4 datatype
             5 historical  6 transient     7 null             9 properties
             10 int   11 long   12 float   13 double   14 boolean   15 string   16 bytes   17 DataSet   18 Template

Encoders that know protobuf 3 alone leave a zero out: no seq is the number 0, and of a metric without a name no alias
is the alias 0. A property ``Quality`` other than 192 says that the metric has no value to go by.

Source: sparkplug_b.proto of Eclipse Tahu; the Sparkplug 3.0.0 specification, 6.4.
"""

from typing import NamedTuple

from drivers.common.protobuf import COUNTED, VARINT, Value, key, read, write_varint
from drivers.sparkplug_b.values import A_BOOLEAN, BOOLEAN, LEFT_OUT, WRITTEN, Refused

MAX_METRICS = 4096
"""Metrics that one message may hold."""
MAX_FIELDS = 16
"""Fields of a metric, or of a message beside its metrics; the schema has ten."""
GOOD = 192
COMPRESSED = b"SPBV1.0_COMPRESSED"
"""The uuid of a payload whose body is another, compressed: Tahu has that, the specification does not."""

_TIME, _METRIC, _SEQ, _UUID = key(1, VARINT), key(2, COUNTED), key(3, VARINT), key(4, COUNTED)
_NAME, _ALIAS, _AT, _DATATYPE = key(1, COUNTED), key(2, VARINT), key(3, VARINT), key(4, VARINT)
_HISTORICAL, _TRANSIENT, _NULL, _PROPERTIES = key(5, VARINT), key(6, VARINT), key(7, VARINT), key(9, COUNTED)
_QUALITY_NAME, _QUALITY, _QUALITY_VALUE = key(1, COUNTED), key(2, COUNTED), key(3, VARINT)


class Metric(NamedTuple):
    """A metric as it was sent; ``time`` in milliseconds UTC."""

    name: str | None
    alias: int | None
    time: int | None
    datatype: int | None
    historical: bool
    absent: bool  # null, or not of good quality, or transient, which asks not to be stored
    written: tuple[int, Value] | None  # the key under which it was written, and what


class Payload(NamedTuple):
    """A payload; ``time`` in milliseconds UTC, when it was sent."""

    time: int | None
    seq: int | None
    metrics: list[Metric]

    def with_zeros(self) -> "Payload":
        """Return this payload with a zero for each value that its encoder left out."""
        metrics = [one if one.written or one.absent else one._replace(written=(LEFT_OUT, 0)) for one in self.metrics]
        return self._replace(metrics=metrics)

    @property
    def bd_seq(self) -> int | None:
        """The number that a birth shares with its will."""
        written = next((metric.written for metric in self.metrics if metric.name == "bdSeq"), None)
        return written[1] if written is not None and isinstance(written[1], int) else None


def parse(data: bytes) -> Payload:
    """Read a payload; raises `drivers.common.protobuf.Malformed`, or `Refused`."""
    fields = read(data, MAX_METRICS + MAX_FIELDS)
    said = dict(fields)
    if said.get(_UUID) == COMPRESSED:
        raise Refused("unsupported", "a compressed payload: switch that off at the edge node")
    metrics = [value for name, value in fields if name == _METRIC and isinstance(value, bytes)]
    if len(metrics) > MAX_METRICS:
        raise Refused("length", f"{len(metrics)} metrics, {MAX_METRICS} allowed")
    return Payload(_number(said, _TIME), _number(said, _SEQ), [_metric(one) for one in metrics])


def rebirth(time: int | None) -> bytes:
    """Return the command for a rebirth; ``time`` in milliseconds UTC."""
    name = b"Node Control/Rebirth"
    metric = bytes([_NAME, len(name)]) + name + bytes([_DATATYPE, A_BOOLEAN, BOOLEAN, True])
    return bytes([_TIME]) + write_varint(time or 0) + bytes([_METRIC, len(metric)]) + metric


def _metric(data: bytes) -> Metric:
    fields = read(data, MAX_FIELDS)
    said = dict(fields)
    name, properties = said.get(_NAME), said.get(_PROPERTIES)
    alias = _number(said, _ALIAS)
    absent = bool(said.get(_NULL) or said.get(_TRANSIENT))
    return Metric(
        name.decode("utf-8", "replace") if isinstance(name, bytes) else None,
        0 if alias is None and name is None else alias,
        _number(said, _AT),
        _number(said, _DATATYPE),
        bool(said.get(_HISTORICAL)),
        absent or (isinstance(properties, bytes) and _quality(properties) != GOOD),
        _last_of(fields),
    )


def _last_of(fields: list[tuple[int, Value]]) -> tuple[int, Value] | None:
    for field in reversed(fields):
        if field[0] in WRITTEN:
            return field
    return None


def _quality(properties: bytes) -> int:
    """Return the property ``Quality``; where there is none, it is good."""
    fields = read(properties)
    names = [value for name, value in fields if name == _QUALITY_NAME]
    values = [value for name, value in fields if name == _QUALITY and isinstance(value, bytes)]
    said = dict(zip(names, values, strict=False)).get(b"Quality")
    return GOOD if said is None else _number(dict(read(said)), _QUALITY_VALUE) or 0


def _number(said: dict[int, Value], name: int) -> int | None:
    value = said.get(name)
    return value if isinstance(value, int) else None
