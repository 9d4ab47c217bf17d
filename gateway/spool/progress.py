"""What a sink lacks below its front: readings that wait for a clock, while later ones went ahead.

A member whose times are since boot cannot be sent before that boot's offset is known, and that may take a week. What
has a time of its own must not wait for it. So a sink has everything below its ``front`` but, of each boot in
``held``, the members of that boot from ``from`` to ``to``. Both stand in its cursor; ``next`` there is the lowest
number that it lacks, and so whoever knows only ``next`` sends again or keeps what is not needed, and loses nothing::

    {"next": 100, "front": 900, "held": [{"boot": "00ab..", "from": 100, "to": 640, "count": 270, "sending": 0}], ...}
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.spool.member import Header


@dataclass(slots=True)
class Waiting:
    """One boot's members from ``first`` to ``end``: ``count`` readings. Below ``sending`` they may have been sent."""

    boot: bytes
    first: int
    end: int
    count: int = 0
    sending: int = 0


class Progress:
    """The front of one sink and the boots that wait behind it, oldest first."""

    def __init__(self, state: Mapping[str, Any]) -> None:
        """Take a cursor's ``state``. Where its parts do not fit together, all that is not surely there is lacking."""
        self.front = int(state.get("next", 0))
        self.boots: list[Waiting] = []
        try:
            boots = [
                Waiting(bytes.fromhex(one["boot"]), *(int(one[key]) for key in ("from", "to", "count", "sending")))
                for one in state.get("held", [])
            ]
            front = int(state.get("front", 0))
        except (KeyError, TypeError, ValueError):
            return
        if boots and self.front == min(one.first for one in boots) and front >= max(one.end for one in boots):
            self.front, self.boots = front, boots

    @property
    def lowest(self) -> int:
        """The lowest number that the sink lacks."""
        return min([self.front, *(one.first for one in self.boots)])

    @property
    def count(self) -> int:
        """How many readings wait behind the front."""
        return sum(one.count for one in self.boots)

    def lacks(self, header: Header) -> bool:
        """Tell whether the sink lacks a member, or some of it."""
        if header.end > self.front:
            return True
        return any(one.boot == header.boot and one.first < header.end <= one.end for one in self.boots)

    def doubt(self) -> None:
        """Take all that waits for perhaps sent already: a power cut left an older cursor than there was."""
        for one in self.boots:
            one.sending = one.end

    def hold(self, header: Header, *, unsure: bool) -> None:
        """Let a member at the front wait; the caller moves the front on. ``unsure``: it may have been sent before."""
        assert header.boot is not None
        one = next((one for one in self.boots if one.boot == header.boot), None)
        if one is None:
            one = Waiting(header.boot, header.first, header.end)
            self.boots.append(one)
        one.end = header.end
        one.count += header.count
        if unsure:
            one.sending = header.end

    def sent(self, waiting: Waiting, to: int, count: int) -> None:
        """Note that a boot's members below ``to``, ``count`` readings, wait no more."""
        waiting.first = to
        waiting.count -= count
        if to >= waiting.end:
            self.boots.remove(waiting)

    def state(self) -> dict[str, Any]:
        """Return what goes into the cursor beside ``next``, which is `lowest`."""
        held = [
            {"boot": one.boot.hex(), "from": one.first, "to": one.end, "count": one.count, "sending": one.sending}
            for one in self.boots
        ]
        return {"front": self.front, "held": held}
