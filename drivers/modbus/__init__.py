"""Any device that answers Modbus RTU: loop detectors and counters, weather stations, meters, as configured.

`common.modbus_rtu` draws the frames. A register of an LD120 loop detector (9600 8N1, id 254 as delivered, at most 8
registers a question), whose manual calls the count 40010 and 40011, high word first, and the fault bit 30002.0::

    driver = "modbus"
    address = 254
    options = { kind = "traffic", registers = [
      { field = "intensity", at = 9, type = "uint32", counter = true, most = 5000 },
      { field = "device_error", table = "input", at = 1 },
    ] }

    FE 03 00 09 00 02 00 06                 question: holding registers 9 and 10
    FE 03 04 00 00 04 D2 77 A1              000004D2 = 1234

``at`` counts from 0, as the line does: what a manual calls 40010 is the holding register 9, 30002 the input register
1, 10001 the discrete input 0. Two words come high word first, or ``low_word_first``. A ``bit`` is one of a word. The
field is ``number * scale + offset``. Registers side by side are asked for together, ``longest`` at a time; what lies
apart takes turns, one question at each interval. Fields with the same ``tags`` (a lane) are one reading.

A ``counter`` gives what was counted since the last answer, and traffic the period; the first answer gives nothing.
It begins again behind ``highest``, or behind what its words hold. A step of more than ``most`` (half of that, if not
set) means that it was reset: what it shows then is kept, and marked as too low.

Sources: as in `drivers.common.modbus_rtu`; LD120 manual (PROCON, PCE), pages 9 and 10.
"""

from collections.abc import Iterable, Iterator

from pydantic import Field, model_validator

from drivers.common.modbus_rtu import Answer, Exchange, question
from drivers.modbus.registers import Block, Counter, Register, blocks
from gateway.contract import (
    DEVICE_KINDS,
    VOCABULARY,
    Driver,
    FieldValue,
    Kind,
    Measurement,
    Options,
    Quality,
    Reject,
    SerialLink,
)

LONGEST = 125


class ModbusOptions(Options):
    """Which registers there are; see the module.

    ``address``    where it is
    ``kind``       what it measures
    ``registers``  a table for each field, as in the module's example
    ``longest``    how many registers it gives at a time, at most
    """

    address: int = Field(ge=1, le=254, examples=[254])
    kind: Kind = Field(examples=["traffic"])
    registers: tuple[Register, ...] = Field(examples=[[{"field": "intensity", "at": 0, "counter": True}]])
    longest: int = Field(default=LONGEST, ge=2, le=LONGEST)

    @model_validator(mode="after")
    def _fields_are_of_this_kind_and_named_once(self) -> "ModbusOptions":
        if not self.registers:
            raise ValueError("name at least one register")
        named = set()
        for one in self.registers:
            if self.vocabulary.find(self.kind, one.field) is None:
                raise ValueError(f"{one.field!r} is no field of {self.kind!r}")
            if (name := (one.field, *sorted(one.tags.items()))) in named:
                raise ValueError(f"{one.field!r} comes twice with the same tags")
            named.add(name)
        return self


class Decoder:
    """Asks one device for its blocks, one after the other."""

    def __init__(self, options: ModbusOptions) -> None:
        self._options = options
        self._blocks = list(blocks(options.registers, options.longest))
        sizes: dict[int, set[int]] = {}
        for block in self._blocks:
            sizes.setdefault(block.function, set()).add(block.size)
        self._exchange = Exchange(options.address, sizes)
        self._counters = {id(one): Counter(one) for one in options.registers if one.counter}
        self._turn = 0
        self._asked = self._blocks[0]

    def start(self) -> Iterable[bytes]:
        """Send nothing: on a bus each question has its turn."""
        return ()

    def poll(self) -> bytes:
        """Ask for the next block."""
        self._asked = block = self._blocks[self._turn % len(self._blocks)]
        self._turn += 1
        return self._exchange.asking(question(self._options.address, block.function, block.first, block.number))

    def feed(self, data: bytes, now: int) -> Iterable[Measurement | Reject]:
        """See `gateway.contract.SerialDecoder`."""
        said: list[Measurement | Reject] = []
        for found in self._exchange.feed(data):
            said += self._said(found, now) if isinstance(found, Answer) else [found]
        return said

    def finish(self) -> Iterable[Reject]:
        """Return what is left of an unfinished answer."""
        return list(self._exchange.finish())

    def _said(self, answer: Answer, now: int) -> Iterator[Measurement | Reject]:
        block = self._block_of(answer)
        if block is None:
            yield Reject("unsupported", answer.frame, "an answer to one of several questions, not to the last one")
            return
        readings: dict[tuple[tuple[str, str], ...], tuple[dict[str, FieldValue], Quality]] = {}
        for one in block.registers:
            raw = one.raw(answer.data, block.first)
            fields, quality = readings.get(key := tuple(sorted(one.tags.items())), ({}, Quality.GOOD))
            if counter := self._counters.get(id(one)):
                counted, seconds, anew = counter.step(int(raw), now)
                if counted is None:
                    if anew:
                        yield Reject("range", answer.frame, f"{one.field}: the counter jumped to {raw}")
                    continue
                raw = counted
                quality |= Quality.INCONSISTENT if anew else Quality.GOOD
                if self._options.kind == "traffic":
                    fields["period"] = seconds
            if (value := one.value(raw)) is None:
                yield Reject("range", answer.frame, f"{one.field}: no number")
                continue
            fields[one.field] = value
            readings[key] = fields, quality
        for tags, (fields, quality) in readings.items():
            yield Measurement(self._options.kind, fields, quality=quality, tags=dict(tags))

    def _block_of(self, answer: Answer) -> Block | None:
        """Return what was answered: the last question where the form fits it, else the only one that it fits."""
        fitting = [block for block in (self._asked, *self._blocks) if block.answered_by(answer)]
        return fitting[0] if fitting and (fitting[0] is self._asked or len(fitting) == 1) else None


DRIVER = Driver(
    name="modbus",
    title="Modbus RTU devices: loop detectors, counters, meters",
    link=SerialLink(baudrate=9600, interval=60.0, bus=True, harmless="poll"),
    fields=tuple(one for one in VOCABULARY.values() if one.type != "str"),
    max_frame=255,
    decoder=Decoder,
    options=ModbusOptions,
    kinds=DEVICE_KINDS,
)
