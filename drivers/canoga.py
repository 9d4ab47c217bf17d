"""Canoga C922, C924 (GTT, formerly 3M): a card for loops in the road, each vehicle by itself.

RS-232 or RS-485, 9600 8N1::

    < ll a p .. p xx >      text: l length of the whole in hex, a address (a byte: 0 to 15 place in the rack, 128 to
                            254 as set, 255 any), p its letter and what belongs to it, x XOR of all before it, hex

    ddd ssss c t  four times, and x      answer to the text ``*``, 37 bytes, big endian: d duration in ms, s its start
                            in ms since the card's reset, c count from 0 to 255 and on, t state, x XOR of all before

    3C 30 38 FF 2A 45 31 3E              <08.*E1> to any card: the last vehicles?

Asked with ``*``, the card gives the last vehicle at each of its four loops. It is asked every second, and what passed
is added up: a reading for each loop (tag ``lane``) every ``interval``. Of two vehicles between two questions the
first is only counted; ``sample_count`` is how many are known better. The letters ``a`` and ``B`` ask for serial
number and firmware.

Two loops behind each other measure speed: the distance of their fronts over the mean of the times from front to
front and from back to back, where both durations are the same to a tenth::

    pairs = [{ upstream = 1, downstream = 2, apart = 4.5 }]

    500 ms at 10000 ms, then 510 ms at 10300 ms: 4.5 m in 305 ms are 53.11 km/h

Quirks: the 37 bytes have neither header nor address, and one byte of XOR. So they are taken only behind a question,
what is left of them at the next one is thrown away, and an answer that contradicts the one before, or has more
vehicles than there was time for, counts only when the next one agrees with it. For the same reason cards cannot share
a line here: a late answer could be another's. Unasked for four minutes, the count may go round unnoticed. All zero,
or a start that goes back other than round after 50 days: the card was reset (event "reset"). A vehicle that stood on
a loop for more than an hour makes answers unreadable until the next one there.

Sources: the protocol as in the Minnesota DOT's IRIS (tms.server.comm.canoga); C924 installation manual, page 68.
"""

from collections.abc import Iterable, Iterator
from functools import reduce
from operator import xor
from struct import iter_unpack
from typing import Annotated, NamedTuple

from pydantic import Field

from drivers.common.agenda import Agenda
from drivers.common.framing import Frames
from drivers.common.lanes import Lanes, Vehicle
from drivers.common.loops import LOOPS, Event, Pair, Watch, was_reset
from gateway.contract import Driver, Duration, Measurement, Options, Reject, SerialLink, field

EVENTS = 37
"""Bytes of the answer with the last vehicles."""
LONGEST = 40
TEXT = ord("<")
AROUND = 8
"""Bytes of a text around its payload."""
ABOUT = {b"a": "serial_number", b"B": "firmware_version"}


class Text(NamedTuple):
    """One sound text."""

    address: int
    letter: bytes
    said: bytes


def check(data: bytes) -> int:
    """Return the XOR of all bytes."""
    return reduce(xor, data, 0)


def text(address: int, payload: bytes) -> bytes:
    """Return a text as it goes over the line; the payload begins with its letter."""
    head = b"<%02X" % (len(payload) + AROUND - 1) + bytes((address,)) + payload
    return head + b"%02X>" % check(head)


def text_length(head: bytes) -> int:
    """Return how long the text is that begins like this, 0 for "wait", -1 where none does."""
    if len(head) < 3:
        return 0
    digits = head[1:3].decode("latin-1")
    size = int(digits, 16) if all(digit in "0123456789ABCDEF" for digit in digits) else -1
    return size if AROUND <= size <= LONGEST else -1


def parse_text(frame: bytes) -> Text | Reject:
    """Parse one whole text."""
    if frame[-1:] != b">":
        return Reject("length", frame, "no > at its end")
    if b"%02X" % check(frame[:-3]) != frame[-3:-1]:
        return Reject("checksum", frame, f"XOR {check(frame[:-3]):02X}")
    return Text(frame[3], frame[4:5], frame[5:-3])


def parse_events(frame: bytes) -> tuple[Event, ...] | None:
    """Return the last vehicle at each loop; None where the check is wrong."""
    if check(frame):
        return None
    return tuple(Event(int.from_bytes(long, "big"), *rest) for long, *rest in iter_unpack(">3sIBB", frame[:-1]))


class CanogaOptions(Options):
    """The card's own address, how often it gives readings of which loops, and which of these are pairs."""

    address: int = Field(default=255, ge=0, le=255)
    interval: Annotated[Duration, Field(ge=1, le=86400)] = 60.0
    loops: tuple[Annotated[int, Field(ge=1, le=LOOPS)], ...] = (1, 2, 3, 4)
    pairs: tuple[Pair, ...] = ()


class Decoder:
    """Asks one card."""

    def __init__(self, options: CanogaOptions) -> None:
        self._options = options
        self._frames: Frames[Text | tuple[Event, ...]] = Frames((b"",), LONGEST, self._length, self._parse)
        wishes = {letter: text(options.address, letter) for letter in ABOUT}
        self._question = text(options.address, b"*")
        self._agenda = Agenda(self._question, wishes)
        self._lanes = Lanes(options.interval)
        self._left: list[Reject] = []
        self._asked = False
        self._answer = b""
        self._watch = Watch()

    def start(self) -> Iterable[bytes]:
        """Send nothing: it needs no setting."""
        return ()

    def poll(self) -> bytes:
        """Ask for the last vehicles, and now and then for serial number and firmware until they are known."""
        self._left += (found for found in self._frames.finish() if isinstance(found, Reject))
        question = self._agenda.question()
        self._asked = question == self._question
        return question

    def feed(self, data: bytes, now: int) -> Iterable[Measurement | Reject]:
        """See `gateway.contract.SerialDecoder`."""
        said: list[Measurement | Reject] = [*self._left, *self._lanes.advance(now)]
        self._left = []
        for found in self._frames.feed(data):
            said += [found] if isinstance(found, Reject) else self._understand(found)
        return said

    def finish(self) -> Iterable[Measurement | Reject]:
        """Return the open interval with its real length."""
        left = (found for found in self._frames.finish() if isinstance(found, Reject))
        return [*self._left, *left, *self._lanes.finish()]

    def _length(self, head: bytes) -> int:
        if head[0] == TEXT:
            return text_length(head)
        # No duration is longer than an hour, so nearly all bytes that are no answer are refused at once.
        return EVENTS if self._asked and max(head[:EVENTS:9][:LOOPS]) < TEXT else -1

    def _parse(self, frame: bytes) -> Text | tuple[Event, ...] | Reject:
        if frame[0] == TEXT:
            return parse_text(frame)
        found = parse_events(frame)
        self._asked = self._asked and found is None
        self._answer = frame
        return Reject("noise", frame) if found is None else found

    def _understand(self, said: Text | tuple[Event, ...]) -> Iterable[Measurement | Reject]:
        self._lanes.alive = True
        if not isinstance(said, Text):
            return self._take(said)
        self._agenda.granted(said.letter)
        name, value = ABOUT.get(said.letter, ""), said.said.decode("ascii", "replace").strip()
        return [Measurement("traffic", {name: value})] if name and value else []

    def _take(self, events: tuple[Event, ...]) -> Iterator[Measurement | Reject]:
        counts = self._watch.look(events)
        if counts is None:
            yield Reject("range", self._answer, "it contradicts the answer before")
            return
        if any(was_reset(*both) for both in zip(self._watch.before, events, strict=True)):
            yield Measurement("traffic", {"event": "reset"})
        for number, (event, count) in enumerate(zip(events, counts, strict=True), 1):
            if not event.none and number in self._options.loops:
                tally = self._lanes.lane(number)
                if count:
                    tally.lose(count - 1)
                    tally.add(Vehicle(self._speed(number, events), None, None, event.duration / 1000))

    def _speed(self, number: int, events: tuple[Event, ...]) -> float | None:
        """Return the speed of the last vehicle at a loop, where that ends a pair and the vehicle is known there."""
        pairs = [pair for pair in self._options.pairs if pair.downstream == number]
        seen = [(pair, known[pair.upstream - 1]) for pair in pairs for known in (events, self._watch.before)]
        return next((kmh for pair, event in seen if (kmh := pair.speed(event, events[number - 1]))), None)


DRIVER = Driver(
    name="canoga",
    title="Canoga C922/C924 loop detector card (GTT, 3M)",
    link=SerialLink(baudrate=9600, interval=1.0, timeout=0.5),
    fields=(
        field("intensity"),
        field("average_vehicle_speed", 0, 200),
        field("max_vehicle_speed", 0, 200),
        field("occupancy"),
        field("period"),
        field("sample_count"),
        field("serial_number"),
        field("firmware_version"),
        field("event"),
    ),
    max_frame=LONGEST,
    decoder=Decoder,
    options=CanogaOptions,
    kinds=("traffic",),
    experimental=True,
)
