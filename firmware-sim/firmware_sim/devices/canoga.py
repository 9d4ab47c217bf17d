"""Twin of a Canoga C924 (GTT, formerly 3M), a card for four loops in the road, on a serial line (9600 8N1).

Source: the protocol as the Minnesota DOT's traffic software speaks it; C924 installation manual (line). The host asks
``<``, the length of the whole in two hex digits, one byte of address, a letter, the XOR of all that in two hex
digits, ``>``. Addresses are 0 to 15 (the place in the rack), 128 to 254 (as set), and 255, anybody. The letters ``a``
(serial number, 12 characters) and ``B`` (firmware, 10) are answered alike, address and letter first. ``*`` is
answered with 37 bytes, big endian: for each loop its last vehicle, ``duration(3) start(4) count state``, and the XOR
of these 36. Times are milliseconds, the start since the card's reset; the count goes from 255 to 0. After a reset
all is zero.

Two loops, 1 and 2, lie behind each other in one lane, so many metres apart; 3 and 4 are by themselves.
"""

from functools import partial
from random import Random

from firmware_sim.parts.twin import Frame
from firmware_sim.parts.wire_faults import Wire
from firmware_sim.truth.ledger import Truth

DRIVER = "canoga"
ANYBODY = 255
APART = 4.5
"""Metres between the fronts of the loops 1 and 2."""
SOURCE = {"options": {"pairs": [{"upstream": 1, "downstream": 2, "apart": APART}]}}

_LOOPS = 4
_SERIAL_NUMBER, _FIRMWARE = b"C924-0012345", b"V1.5.20070"


def xor(data: bytes) -> int:
    """Return the check of ``data``."""
    check = 0
    for byte in data:
        check ^= byte
    return check


def text(address: int, payload: bytes) -> bytes:
    """Return a question or an answer in text; the payload begins with its letter."""
    head = b"<%02X" % (len(payload) + 7) + bytes((address,)) + payload
    return head + b"%02X>" % xor(head)


class Canoga:
    """One card; see `parts.twin.SerialTwin`. Its ledger holds each vehicle at each loop, tagged ``lane``."""

    def __init__(self, name: str, truth: Truth, seed: str, address: int = 0) -> None:
        self.name = name
        self.address = address
        self.lose_first = False
        """The next answer lacks its first byte."""
        self.speeds: list[float] = []
        """Of the vehicles over the pair of loops, km/h."""
        self.wire = Wire(seed)
        self.faults = self.wire.faults
        self._truth = truth
        self._random = Random(f"{seed}/street")
        self._reset_at = 0.0
        self._events = [bytes(9)] * _LOOPS
        self._over: list[tuple[float, int, bytes]] = []
        self._passed = (0,) * _LOOPS
        self._told: tuple[int, ...] | None = None
        """How many of these the host knows of; None until it was told for the first time."""
        self._next = [self._random.uniform(1, 9) for _ in range(_LOOPS)]
        self._received = bytearray()
        self._stopped = False

    def receive(self, data: bytes, now: float) -> list[Frame]:
        """Answer the questions in ``data`` that are for this card."""
        if self.faults.silent:
            return []
        self.tick(now)
        self._received += data
        frames: list[Frame] = []
        while (at := self._received.find(b"<")) >= 0:
            del self._received[:at]
            if len(self._received) < 8:
                return frames
            asked = bytes(self._received[:8])
            if asked[3] in (self.address, ANYBODY) and asked == text(asked[3], asked[4:5]):
                frames += self._asked(asked[3], asked[4:5])
                del self._received[:8]
            else:
                del self._received[0]
        self._received.clear()
        return frames

    def tick(self, now: float) -> list[Frame]:
        """Let vehicles pass; it says nothing by itself."""
        while min(self._next) <= now:
            loop = self._next.index(min(self._next))
            if not self._stopped:
                self._pass(loop, self._next[loop])
            # The loop 2 sees what the loop 1 saw.
            self._next[loop] += self._random.uniform(2.5, 9) if loop != 1 else float("inf")
        for left in sorted(one for one in self._over if one[0] <= now):
            self._over.remove(left)
            self._leave(left[1], left[2])
        return []

    def due(self) -> float:
        """Return when the next vehicle comes, or leaves."""
        return min([*self._next, *(one[0] for one in self._over)])

    def power_cycle(self, now: float) -> None:
        """Begin with nothing; what was not said is lost."""
        self.tick(now)
        self._received.clear()
        self._reset_at = now
        self._events, self._over = [bytes(9)] * _LOOPS, []
        self._told = self._told and self._passed

    def stop(self) -> None:
        """Count no more."""
        self._stopped = True

    def quiet(self) -> bool:
        """Tell whether no vehicle is over a loop, and all that were have been asked for."""
        return self._stopped and not self._over and self._told in (None, self._passed)

    def _pass(self, loop: int, at: float) -> None:
        """Let a vehicle come over a loop; over the pair, it comes to the second one too."""
        if loop == 1:
            return
        speed, length = self._random.uniform(25, 70), self._random.uniform(5, 12)
        duration = (length + 2) * 3.6 / speed
        self._enter(loop, at, duration)
        if loop == 0:
            self._enter(1, at + APART * 3.6 / speed, duration * self._random.uniform(0.97, 1.03))
            self.speeds.append(speed)

    def _enter(self, loop: int, at: float, duration: float) -> None:
        milliseconds, start = round(duration * 1000), round((at - self._reset_at) * 1000) & 0xFFFFFFFF
        self._over.append((at + duration, loop, milliseconds.to_bytes(3, "big") + start.to_bytes(4, "big")))

    def _leave(self, loop: int, about: bytes) -> None:
        count = (self._events[loop][7] + 1) & 0xFF
        self._events[loop] = about + bytes((count, 0))
        self._passed = tuple(number + (place == loop) for place, number in enumerate(self._passed))

    def _asked(self, address: int, letter: bytes) -> list[Frame]:
        if letter == b"*":
            said = b"".join(self._events)
            answer = said + bytes((xor(said),))
            if self.lose_first:
                self.lose_first = False
                return [Frame(answer[1:])]
            return self.wire.send(answer, partial(self._heard, self._passed))
        about = {b"a": _SERIAL_NUMBER, b"B": _FIRMWARE}.get(letter)
        return self.wire.send(text(address, letter + about)) if about else []

    def _heard(self, passed: tuple[int, ...], arrived: bool | None) -> None:
        if not arrived:
            return  # the next answer covers them
        told = self._told or passed
        for lane, (before, now) in enumerate(zip(told, passed, strict=True), 1):
            for _ in range(now - before):
                self._truth.record(self.name, "traffic", {"peak_speed": 0.0}, tags={"lane": str(lane)})
        self._told = tuple(map(max, told, passed))


TWIN = Canoga
