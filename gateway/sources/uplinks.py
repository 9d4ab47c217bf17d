"""From a LoRaWAN uplink to measurements: the configured codec, or what the network server decoded."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from gateway.contract import Codec, Measurement, Options, Reject, Remark, Uplink


def measurements_of(uplink: Uplink, codec: tuple[Codec, Options] | None) -> Iterator[Measurement | Reject | Remark]:
    """Return what an uplink says, with its sensor, time, key and radio fields added to every measurement.

    With a codec the payload is decoded by it, or, where the server sends no payload, the server's object read by it.
    Without one the server's own readings are taken, and its object is read by its names
    (`gateway.sources.server_objects`); where neither says a thing, a `Reject` says which setting is missing.
    """
    for result in _decoded(uplink, codec):
        if isinstance(result, Reject):
            yield result if result.raw else result._replace(raw=uplink.payload)
        elif isinstance(result, Remark):
            yield result
        else:
            # As `_replace` would, which takes three times as long.
            kind, fields, _, time, _, quality, tags = result
            yield Measurement(
                kind,
                {**uplink.fields, **fields},
                uplink.sensor,
                uplink.time if time is None else time,
                uplink.key,
                quality,
                tags,
            )


def _decoded(uplink: Uplink, codec: tuple[Codec, Options] | None) -> Iterable[Measurement | Reject | Remark]:
    if codec is not None:
        known, options = codec
        if uplink.payload:
            return known.decode(uplink.port or 0, uplink.payload, options)
        if uplink.object and known.from_object is not None:
            return known.from_object(uplink.object, options)
        if uplink.port is None and uplink.fields:
            # The network's own word about the device (its battery), without a payload.
            return [Measurement(known.kinds[0], {})]
        return [Reject("unsupported", b"", f"{known.name}: the event holds neither a payload nor a known object")]
    if uplink.readings or uplink.object:
        return _of_the_server(uplink) if uplink.readings else _by_name()(uplink.object or {})
    return [Reject("unsupported", uplink.payload, f'no codec: set codec = "..." under [sensors."{uplink.sensor}"]')]


@cache
def _by_name() -> Callable[[Mapping[str, Any]], list[Measurement | Reject | Remark]]:
    from gateway.sources.server_objects import by_name  # noqa: PLC0415 -- a board without LoRaWAN does not pay for it

    return by_name


def _of_the_server(uplink: Uplink) -> Iterator[Measurement | Reject | Remark]:
    """Return the server's readings, the first of a kind with what its object says by known names besides.

    What these names leave out is not remarked on where there are readings: it is what they say in other words.
    """
    named = _by_name()(uplink.object) if uplink.object else []
    if any(isinstance(one, Measurement) for one in uplink.readings):
        named = [one for one in named if isinstance(one, Measurement)]
    for reading in uplink.readings:
        fitting = next((one for one in named if _completes(one, reading)), None)
        if isinstance(fitting, Measurement) and isinstance(reading, Measurement):
            named.remove(fitting)
            yield reading._replace(fields={**fitting.fields, **reading.fields})
        else:
            yield reading
    yield from named


def _completes(named: Measurement | Reject | Remark, reading: Measurement | Remark) -> bool:
    """Tell whether what an object's names say belongs to a reading of the server's."""
    if not isinstance(named, Measurement) or not isinstance(reading, Measurement):
        return False
    return named.kind == reading.kind and reading.time is None
