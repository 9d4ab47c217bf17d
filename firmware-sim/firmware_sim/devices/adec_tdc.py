"""Twin of the ADEC TDC3, a detector over one lane (radar, ultrasound, infrared), on an RS-485 line (here 9600 8N1).

Source: ADEC's protocol, as the Minnesota DOT's traffic software speaks it, after IEC 60870-5 FT1.2. Numbers are big
endian; the sum is that of control, address and data::

    10 ctrl adr sum 16                   question: ctrl 40 + 20 frame count bit + 10 that bit counts + function
    68 L L 68 ctrl adr data.. sum 16     answer, L bytes from ctrl to data
    E5                                   done; or nothing to report

Functions: 0 reset (of the frame count bit), 8 vehicles, 9 status. A question for vehicles whose frame count bit is
the other one than last time is a new question; the same bit again gives the same answer again.
Vehicles: ``08 adr status count(4)`` and 1 to 4 of ``speed class occupied(2) gap(2) length``: km/h, 10 ms, 10 ms, dm.
Without vehicles only the status is said, or, where that is 0, E5. The count is that of the detector's life, up to the
last vehicle said. Status: ``0B adr status``: bits 7 hardware, 6 synchronization, 5 queue, 4 wrong way, 3 ultrasound,
2 and 1 infrared, 0 radar. Here a hundred vehicles wait at most; the oldest go first.
"""

from functools import partial
from random import Random

from firmware_sim.parts.twin import Frame
from firmware_sim.parts.wire_faults import Wire
from firmware_sim.truth.ledger import Truth

DRIVER = "adec_tdc"
SOURCE = {"options": {"address": 1}}

RESET, VEHICLES, STATUS, STATUS_ANSWER = 0, 8, 9, 0x0B
REQUEST, COUNT_BIT, COUNT_VALID = 0x40, 0x20, 0x10
NOTHING = b"\xe5"

_QUESTION = 5
_AT_ONCE = 4
_WAITING = 100


def long_frame(ctrl: int, address: int, data: bytes) -> bytes:
    """Return an answer as it goes over the line."""
    body = bytes((ctrl, address)) + data
    return bytes((0x68, len(body), len(body), 0x68)) + body + bytes((sum(body) & 0xFF, 0x16))


class AdecTdc:
    """One detector; see `parts.twin.SerialTwin`.

    Its ledger holds each vehicle that was delivered, once, with its speed.
    """

    def __init__(self, name: str, truth: Truth, seed: str, address: int = 1) -> None:
        self.name = name
        self.address = address
        self.status = 0
        self.count = 0
        self.record_size = 7
        """6 without length, 7 with it, 11 with four bytes of synchronization behind it."""
        self.wire = Wire(seed)
        self.faults = self.wire.faults
        self._truth = truth
        self._random = Random(f"{seed}/street")
        self._next = self._random.uniform(1, 8)
        self._waiting: list[tuple[int, bytes]] = []
        """The number of each vehicle in the detector's life, and what is said of it."""
        self._last_bit: int | None = None
        self._answer = NOTHING
        self._said: list[bytes] = []
        self._received = bytearray()
        self._stopped = False

    def receive(self, data: bytes, now: float) -> list[Frame]:
        """Answer the questions in ``data`` that are for this address."""
        if self.faults.silent:
            return []
        self.tick(now)
        self._received += data
        frames: list[Frame] = []
        while len(self._received) >= _QUESTION:
            start, ctrl, address, total, end = self._received[:_QUESTION]
            if (start, end) == (0x10, 0x16) and total == (ctrl + address) & 0xFF:
                if address == self.address and ctrl & REQUEST:
                    frames += self._asked(ctrl)
                del self._received[:_QUESTION]
            else:
                del self._received[0]
        return frames

    def tick(self, now: float) -> list[Frame]:
        """Let vehicles pass; it says nothing by itself."""
        while self._next <= now:
            if not self._stopped:
                self._pass()
            self._next += self._random.uniform(1, 8)
        return []

    def due(self) -> float:
        """Return when the next vehicle comes."""
        return self._next

    def power_cycle(self, now: float) -> None:
        """Lose the vehicles that wait, and the frame count bit; the count of its life stays."""
        self.tick(now)
        self._waiting.clear()
        self._received.clear()
        self._last_bit, self._answer, self._said = None, NOTHING, []

    def stop(self) -> None:
        """Count no more."""
        self._stopped = True

    def quiet(self) -> bool:
        """Tell whether all that were counted have been asked for."""
        return self._stopped and not self._waiting

    def _pass(self) -> None:
        speed, length = self._random.randint(25, 70), self._random.randint(35, 120)
        occupied = round((length + 20) * 36 / speed)
        gap = self._random.randint(50, 700)
        one = (
            bytes((speed, 0x11)) + occupied.to_bytes(2, "big") + gap.to_bytes(2, "big") + bytes((length, 0, 0, 0, 0))
        )
        self.count = (self.count + 1) & 0xFFFFFFFF
        self._waiting = [*self._waiting, (self.count, one)][-_WAITING:]

    def _asked(self, ctrl: int) -> list[Frame]:
        function = ctrl & 0x0F
        if function == RESET:
            self._last_bit = None
            return self._single()
        if function == STATUS:
            return self.wire.send(long_frame(STATUS_ANSWER, self.address, bytes((self.status,))))
        if function != VEHICLES:
            return []
        bit = ctrl & COUNT_BIT
        if not ctrl & COUNT_VALID or bit != self._last_bit:
            self._last_bit = bit
            self._report()
        if self._answer == NOTHING:
            return self._single()
        return self.wire.send(self._answer, partial(self._heard, self._said))

    def _single(self) -> list[Frame]:
        """Return E5, which arrives or does not: there is nothing of it to be torn or damaged."""
        lost = self.faults.silent or self._random.random() < self.faults.corrupt + self.faults.torn
        return [] if lost else [Frame(NOTHING)]

    def _report(self) -> None:
        going, self._waiting = self._waiting[:_AT_ONCE], self._waiting[_AT_ONCE:]
        self._said = [one for _, one in going]
        data = bytes((self.status,))
        if going:
            data += going[-1][0].to_bytes(4, "big") + b"".join(one[: self.record_size] for one in self._said)
        self._answer = long_frame(VEHICLES, self.address, data) if going or self.status else NOTHING

    def _heard(self, vehicles: list[bytes], arrived: bool | None) -> None:
        if not arrived:
            return  # the same answer comes again
        for one in vehicles:
            self._truth.record(self.name, "traffic", {"peak_speed": float(one[0])})
        vehicles.clear()  # once


TWIN = AdecTdc
