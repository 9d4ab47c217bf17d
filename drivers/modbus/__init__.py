"""Any device that answers Modbus, RTU or TCP: loop detectors and counters, weather stations, meters, as configured.

`common.modbus_rtu` draws the frames; with ``port = "modbus://HOST"`` they go by Modbus TCP. A register of an LD120
loop detector (9600 8N1, id 254 as delivered, at most 8 registers a question), whose manual calls the count 40010 and
40011, high word first, and the fault bit 30002.0::

    driver = "modbus"
    address = 254
    options = { kind = "traffic", registers = [
      { field = "intensity", at = 9, type = "uint32", counter = true, most = 5000 },
      { field = "device_error", table = "input", at = 1 },
    ] }

    FE 03 00 09 00 02 00 06                 question: holding registers 9 and 10
    FE 03 04 00 00 04 D2 77 A1              000004D2 = 1234

``at`` counts from 0, as the line does: what a manual calls 40010 is the holding register 9, 30002 the input register
1, 10001 the discrete input 0. ``table`` is "holding", "input", "coil" or "discrete"; ``type`` is uint16, int16,
uint32, int32, uint64, int64, float32, float64, or "string" of ``length`` registers. Numbers come high word and high
byte first, ``order = "ABCD"``; other makers send "CDAB" (also ``low_word_first``), "BADC" or "DCBA". A ``bit`` is one
of a word. The field is ``number * scale + offset``; ``missing`` are numbers, before that, by which the device says
that it has none.

Registers side by side are asked for together, ``longest`` at a time, and over a ``gap`` where that is set; what lies
apart takes turns, one question at each interval. Fields with the same ``tags`` (a lane) are one reading. A float that
nobody ever measured (2.4e-41) is refused, with the order that would make sense of it.

A ``counter`` gives what was counted since the last answer, and traffic the period; the first answer gives nothing.
It begins again behind ``highest``, or behind what its words hold. A step of more than ``most`` (half of that, if not
set) means that it was reset: what it shows then is kept, and marked as too low.

Sources: as in `drivers.common.modbus_rtu`; LD120 manual (PROCON, PCE), pages 9 and 10.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from dataclasses import field as dataclass_field

from pydantic import Field, model_validator

from drivers.common.modbus_rtu import Answer, Exchange, question
from drivers.modbus.blocks import Block, blocks
from drivers.modbus.registers import Counter, Register
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
    Remark,
    SerialLink,
)

LONGEST = 125


class ModbusOptions(Options):
    """Which registers there are; see the module.

    ``address``    where it is
    ``kind``       what it measures
    ``registers``  a table for each field, as in the module's example
    ``longest``    how many registers it gives at a time, at most
    ``gap``        how many that no field needs may lie between two that are asked for together
    """

    address: int = Field(ge=0, le=255, examples=[254])
    kind: Kind = Field(examples=["traffic"])
    registers: tuple[Register, ...] = Field(examples=[[{"field": "intensity", "at": 0, "counter": True}]])
    longest: int = Field(default=LONGEST, ge=1, le=LONGEST)
    gap: int = Field(default=0, ge=0, le=LONGEST)

    @model_validator(mode="after")
    def _fields_are_of_this_kind_and_named_once(self) -> "ModbusOptions":
        if not self.registers:
            raise ValueError("name at least one register")
        named = set()
        for one in self.registers:
            if one.size > self.longest:
                raise ValueError(f"{one.field!r} takes {one.size} registers, and longest is {self.longest}")
            if self.vocabulary.find(self.kind, one.field) is None:
                raise ValueError(f"{one.field!r} is no field of {self.kind!r}")
            if (name := (one.field, *sorted(one.tags.items()))) in named:
                raise ValueError(f"{one.field!r} comes twice with the same tags")
            named.add(name)
        return self


@dataclass(slots=True)
class Reading:
    """What the registers with the same tags say together."""

    fields: dict[str, FieldValue] = dataclass_field(default_factory=dict)
    quality: Quality = Quality.GOOD


class Decoder:
    """Asks one device for its blocks, one after the other."""

    def __init__(self, options: ModbusOptions) -> None:
        self._options = options
        self._blocks = list(blocks(options.registers, options.longest, options.gap))
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

    def feed(self, data: bytes, now: int) -> Iterable[Measurement | Reject | Remark]:
        """See `gateway.contract.SerialDecoder`."""
        said: list[Measurement | Reject | Remark] = []
        for found in self._exchange.feed(data):
            said += self._said(found, now) if isinstance(found, Answer) else [self._told(found)]
        return said

    def finish(self) -> Iterable[Reject]:
        """Return what is left of an unfinished answer."""
        return list(self._exchange.finish())

    def _told(self, refused: Reject) -> Reject:
        """Name what was asked for, where the device refused it."""
        if refused.reason != "unsupported":
            return refused
        return refused._replace(detail=f"{refused.detail}; asked for {self._asked.name}")

    def _said(self, answer: Answer, now: int) -> Iterator[Measurement | Reject | Remark]:
        block = self._block_of(answer)
        if block is None:
            yield Reject("unsupported", answer.frame, "an answer to one of several questions, not to the last one")
            return
        readings: dict[tuple[tuple[str, str], ...], Reading] = {}
        for one in block.registers:
            raw = one.raw(answer.data, block.first)
            if one.means_nothing(raw):
                yield Remark("left out", one.field, f"{raw!r} means that there is none")
                continue
            if words := one.implausible(raw):
                yield Reject("range", answer.frame, f"{one.field}: {words}")
                continue
            reading = readings.get(key := tuple(sorted(one.tags.items()))) or Reading()
            if one.counter and not isinstance(raw, str):
                counted = self._counted(one, int(raw), now, reading)
                if isinstance(counted, Reject):
                    yield counted._replace(raw=answer.frame)
                if not isinstance(counted, int):
                    continue
                raw = counted
            if (value := one.value(raw)) is None:
                yield Reject("range", answer.frame, f"{one.field}: no number")
                continue
            reading.fields[one.field] = value
            readings[key] = reading
        for tags, found in readings.items():
            yield Measurement(self._options.kind, found.fields, quality=found.quality, tags=dict(tags))

    def _counted(self, register: Register, shown: int, now: int, reading: Reading) -> int | Reject | None:
        """Return what a counter counted since the last answer; None where that cannot be told yet."""
        counted, seconds, anew = self._counters[id(register)].step(shown, now)
        if counted is None:
            return Reject("range", b"", f"{register.field}: the counter jumped to {shown}") if anew else None
        if anew:
            reading.quality |= Quality.INCONSISTENT
        if self._options.kind == "traffic":
            reading.fields["period"] = seconds
        return counted

    def _block_of(self, answer: Answer) -> Block | None:
        """Return what was answered: the last question where the form fits it, else the only one that it fits."""
        fitting = [block for block in (self._asked, *self._blocks) if block.answered_by(answer)]
        return fitting[0] if fitting and (fitting[0] is self._asked or len(fitting) == 1) else None


DRIVER = Driver(
    name="modbus",
    title="Modbus devices, RTU and TCP: loop detectors, counters, meters",
    link=SerialLink(baudrate=9600, interval=60.0, bus=True, harmless="poll", modbus=True),
    fields=tuple(one for one in VOCABULARY.values() if one.type != "str"),
    max_frame=255,
    decoder=Decoder,
    options=ModbusOptions,
    kinds=DEVICE_KINDS,
)
