"""Payloads of entries: read one by one, and joined where kind, tags and time are the same."""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from gateway.contract import FieldValue, Measurement, Reject, Remark

EARLIEST = 1_577_836_800
"""Seconds, 2020-01-01 UTC: a device that gives an earlier time does not know it."""


class Part(NamedTuple):
    """The fields of one entry.

    ``kind`` and ``tags`` name what it is about, "" the codec's own kind; ``time`` is that of a reading which the
    device kept, nanoseconds UTC, None for what it measured just now.
    """

    fields: Mapping[str, FieldValue]
    kind: str = ""
    tags: Mapping[str, str] = {}
    time: int | None = None


Said = Part | Reject | Remark
Output = Measurement | Reject | Remark
Reader = Callable[[bytes], Iterable[Said]]
Fixed = tuple[int, Reader]
"""Number of bytes of a value, and what they mean."""
Entry = tuple[int | Callable[[bytes], int], Reader]
"""The same, where the length may be a function of the bytes that follow."""
Table = Mapping[int, Entry]
"""Channel and type as one number of 16 bits -> their entry."""


def unread(size: int) -> Fixed:
    """Return the entry of something that is no reading."""
    return size, lambda _: ()


def kept(
    seconds: int, fields: Mapping[str, FieldValue], kind: str = "", tags: Mapping[str, str] | None = None
) -> Part | Reject:
    """Return a reading that the device kept since ``seconds`` (Unix time); a `Reject` where its clock was not set."""
    if seconds < EARLIEST:
        return Reject("range", seconds.to_bytes(4, "big"), f"a reading was kept at {seconds}: the clock was not set")
    return Part(fields, kind, tags or {}, seconds * 1_000_000_000)


def decode(payload: bytes, table: Table, kind: str) -> list[Output]:
    """Return what a payload of channel, type and value says; nothing of it where it is cut.

    The length of an unknown entry is not known: reading ends there; what came before it holds, and a `Remark` names
    the rest. A payload that begins with such an entry has no reading, which is a `Reject`.
    """
    parts: list[Said] = []
    at, end = 0, len(payload)
    while at < end:
        start = at + 2
        if start > end:
            return [Reject("length", payload, "the last entry has no type")]
        code = payload[at] << 8 | payload[at + 1]
        entry = table.get(code)
        if entry is None:
            name = f"channel {code >> 8:02X} of type {code & 0xFF:02X}"
            return with_rest(joined(parts, kind), payload[at:], f"{name} is not known of this device")
        size, read = entry
        at = start + (size(payload[start:]) if callable(size) else size)
        if at > end:
            return [Reject("length", payload, f"an entry of {at - start} bytes is cut after {end - start}")]
        parts += read(payload[start:at])
    return or_refused(joined(parts, kind), payload)


def or_refused(said: list[Output], payload: bytes) -> list[Output]:
    """Return what was read, with a `Reject` where that is no reading: a remark alone would keep nothing."""
    if has_reading(said) or any(isinstance(one, Reject) for one in said):
        return said
    return [*said, Reject("unsupported" if payload else "length", payload, "no reading in it")]


def has_reading(said: list[Output]) -> bool:
    """Tell whether there is a measurement in what `joined` returns: they come first."""
    return bool(said) and isinstance(said[0], Measurement)


def with_rest(said: list[Output], rest: bytes, why: str) -> list[Output]:
    """Return what was read before a rest that cannot be: with a `Remark`, or a `Reject` where nothing was read."""
    if has_reading(said):
        return [*said, Remark("left out", why, f"from {rest.hex(' ').upper()}")]
    return [*said, Reject("unsupported", rest, why)]


def joined(parts: Iterable[Said], kind: str) -> list[Output]:
    """Return a measurement for all parts of one kind, tags and time, in the order in which they began.

    A later value wins over an earlier one; events are listed. Rejects and remarks come last.
    """
    known: dict[tuple[str, tuple[tuple[str, str], ...], int | None], dict[str, FieldValue]] = {}
    others: list[Output] = []
    for part in parts:
        if not isinstance(part, Part):
            others.append(part)
            continue
        said, of, tags, time = part
        if not said:
            continue
        key = (of or kind, tuple(tags.items()) if tags else (), time)
        fields = known.get(key)
        if fields is None:
            known[key] = dict(said)
            continue
        events = (fields["event"], said["event"]) if "event" in fields and "event" in said else ()
        fields.update(said)
        if events:
            fields["event"] = _listed(*events)
    measured: list[Output] = [
        Measurement(of, fields, time=time, tags=dict(tags)) for (of, tags, time), fields in known.items()
    ]
    return measured + others if others else measured


def _listed(before: FieldValue, after: FieldValue) -> str:
    """Return both of two events, and one where they are the same."""
    return f"{before}, {after}" if str(before) != str(after) else str(after)
