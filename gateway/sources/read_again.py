"""Kept messages read again, after a person has mended what they were refused for. Pure but for what it calls.

A message keeps the time at which it came. The decoders are new ones: old messages must not disturb what the present
ones know of their devices, and what a decoder wants sent is not sent.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from gateway.clock import Stored, Timekeeper
from gateway.contract import Measurement
from gateway.ingest.delivery import Arrival, Delivery
from gateway.ingest.intake import Intake
from gateway.refused import Kept, Refusal, Resolved, digest
from gateway.sources.messages import MessageReader
from gateway.sources.serial_device import SerialDevice

LATER = 10**15
"""The time (ns) that a serial decoder is told: late enough for whatever it waits for."""

SECOND = 10**9


class WhatCame(NamedTuple):
    """What came of reading a message again.

    ``state`` is "read": all of it is readings now, or was before; "partly": more of it than before; "refused": no
    more than before; "waits": not now. ``words`` say why.
    """

    state: str
    words: str = ""


class ReadAgain:
    """Reads kept messages by the readers of today's configuration; one for each time that a person asks.

    ``frames`` are the devices on serial lines, by source and sensor.
    """

    def __init__(
        self,
        messages: Mapping[str, MessageReader],
        frames: Mapping[tuple[str, str], SerialDevice],
        intake: Intake,
        timekeeper: Timekeeper,
    ) -> None:
        self._messages = messages
        self._frames = frames
        self._intake = intake
        self._timekeeper = timekeeper

    def read(self, kept: Kept, delivery: Delivery) -> WhatCame:
        """Add to ``delivery`` what a message says beyond what it gave before, and what becomes of it."""
        refusal = kept.refusal
        if not refusal.is_whole:
            return WhatCame("refused", f"only {len(refusal.raw)} of its {refusal.size} bytes are kept")
        arrival = self._arrival(refusal)
        if arrival is None:
            return WhatCame("waits", "what time it came is not known yet")
        delivery.arrival = arrival
        read = self._read_frame if refusal.device else self._read_message
        if missing := read(refusal, delivery):
            return WhatCame("refused", missing)
        return _settle(kept, delivery)

    def _arrival(self, refusal: Refusal) -> Arrival | None:
        """Return when it came; None while that cannot be told."""
        given = frozenset(refusal.digests)
        boot, time = refusal.boot, refusal.time
        if boot is None:
            return Arrival(time, given=given)
        offset = self._timekeeper.offset_of(boot)
        if offset is None and boot == self._timekeeper.clock.boot_id:
            return Arrival(time, deferred=True, given=given)
        if offset is None and self._timekeeper.known:
            offset = self._timekeeper.settle(boot, Stored(time, time, 0))
        return None if offset is None else Arrival(time + offset.offset, estimated=offset.estimated, given=given)

    def _read_message(self, refusal: Refusal, delivery: Delivery) -> str:
        """Read a message; return what is missing for that."""
        reader = self._messages.get(refusal.source)
        if reader is None:
            return f"no source of messages is called {refusal.source!r}"
        reader.read(refusal.topic, refusal.raw, delivery, retained=refusal.retained)
        return ""

    def _read_frame(self, refusal: Refusal, delivery: Delivery) -> str:
        """Read a frame of a serial line; return what is missing for that."""
        device = self._frames.get((refusal.source, refusal.device))
        if device is None:
            return f"no device {refusal.device!r} is on a line called {refusal.source!r}"
        decoder = device.make_decoder()
        decoder.feed(b"", 0)  # the line is silent before: what comes is whole
        found = [*decoder.feed(_frame(refusal.raw), SECOND), *decoder.feed(b"", LATER), *decoder.finish()]
        words = [one.detail for one in found if not isinstance(one, Measurement)]
        for one in found:
            if isinstance(one, Measurement):
                rejected = self._intake.accept(one, device.origin, delivery)
                words += [] if rejected is None else [rejected.detail]
        if not delivery.lines:
            delivery.refuse(replace(refusal, words="; ".join(words)))
        return ""


def _frame(raw: bytes) -> bytes:
    """Return a kept frame as it came: of a line of text the end is not kept."""
    try:
        is_text = raw.decode().isprintable()
    except UnicodeDecodeError:
        return raw
    return raw + b"\r\n" if is_text else raw


def _settle(kept: Kept, delivery: Delivery) -> WhatCame:
    """Say what becomes of the message, and have the store know it with the lines."""
    refusal = kept.refusal
    again = delivery.refusals[0] if delivery.refusals else None
    if not delivery.lines:
        delivery.refusals = ()
        if again is not None:
            return WhatCame("refused", again.words)
        if not refusal.digests:
            return WhatCame("refused", "it gives no reading")
        delivery.resolve(Resolved(kept.number, "read"))
        return WhatCame("read")
    delivery.resolve(Resolved(kept.number, "read"))
    if again is None:
        return WhatCame("read")
    given = {digest(line, own_time=own) for _, _, line in delivery.lines for own in (True, False)}
    digests = tuple(sorted(given.union(refusal.digests)))
    delivery.refusals = (replace(refusal, reason=again.reason, words=again.words, digests=digests),)
    return WhatCame("partly", again.words)
