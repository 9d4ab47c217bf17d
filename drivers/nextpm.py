"""TERA NextPM in its own protocol: PM1, PM2.5 and PM10 by laser scattering.

UART, 115200 8E1, 3.3 V. All bytes of a frame add up to 0 modulo 256. The command byte of the ANSWER tells its length;
s state, N particles a litre and M tenths of ug/m3, each for PM1, PM2.5, PM10, big endian::

    81 cc sum                                             question
    81 cc ss NN NN NN NN NN NN MM MM MM MM MM MM sum      11, 12, 13: means over 10 s, 60 s, 15 min
    81 14 ss tt tt hh hh sum                              inside: hundredths of a degree and of a per cent
    81 15 ss sum                                          TOGGLES between asleep and awake
    81 16 ss sum                                          state, and the answer to anything while there is no data
    81 17 ss vv vv sum                                    firmware

    81 12 00 32E7 32F5 32F8 006A 0072 0085 A2             PM1 10.6, PM2.5 11.4, PM10 13.3

State bits: 0 asleep, 1 degraded, 2 not ready, 3 heater (on in damp air, no error), 4 temperature and humidity, 5 fan,
6 memory, 7 laser. First data 15 s after waking; an answer takes more than 350 ms. Because 15 toggles, it is sent only
to a sensor that has just said that it is in the wrong state, and then not again before it has said so anew: a retry
would undo it. The answer to the toggle itself, and a late answer right behind it, are not used.

This protocol has no addresses. Given one, the driver speaks Modbus RTU instead, as several on a line need.

Source: NextPM User Guide v3.4 (TERA Sensor).
"""

from collections.abc import Iterable
from typing import NamedTuple

from pydantic import Field, model_validator

from drivers import nextpm_modbus
from drivers.common.agenda import Agenda
from drivers.common.duty_cycle import Sleeping
from drivers.common.framing import Frames
from drivers.common.nextpm import ASLEEP, ERRORS, FIELDS, Average, reading
from gateway.contract import Driver, Measurement, Quality, Reject, SerialLink, field

MEANS = {"10s": 0x11, "60s": 0x12, "15min": 0x13}
INSIDE, TOGGLE, STATE, FIRMWARE = 0x14, 0x15, 0x16, 0x17
LENGTHS = {0x11: 16, 0x12: 16, 0x13: 16, INSIDE: 8, TOGGLE: 4, STATE: 4, FIRMWARE: 6, 0x21: 4, 0x22: 4}


class NextPmOptions(Sleeping):
    """How it measures, when it sleeps, and its Modbus address."""

    address: int | None = Field(default=None, ge=1, le=247)
    """Of one that is asked over Modbus; without it, it is asked in its own protocol."""
    average: Average = "60s"
    """Over how long its values are means."""

    @model_validator(mode="after")
    def _awake_on_modbus(self) -> "NextPmOptions":
        if self.address is not None and self.working_period:
            raise ValueError("by its address, over Modbus, it cannot be put to sleep: leave out working_period")
        return self


class Answer(NamedTuple):
    """One sound frame; ``data`` stands between state and sum."""

    command: int
    state: int
    data: bytes
    frame: bytes

    def numbers(self) -> list[int]:
        """Return the two-byte values."""
        return [int.from_bytes(self.data[at : at + 2], "big") for at in range(0, len(self.data), 2)]


def with_sum(body: bytes) -> bytes:
    """Return ``body`` as it goes over the line."""
    return body + bytes((-sum(body) & 0xFF,))


def question(command: int) -> bytes:
    """Return the frame that asks."""
    return with_sum(bytes((0x81, command)))


def parse(frame: bytes) -> Answer | Reject:
    """Parse one whole frame."""
    if sum(frame) & 0xFF:
        return Reject("checksum", frame, f"all bytes add up to {sum(frame) & 0xFF:02X}")
    if frame[:1] != b"\x81" or LENGTHS.get(frame[1]) != len(frame):
        return Reject("length", frame, "no frame of this length")
    return Answer(frame[1], frame[2], frame[3:-1], frame)


class Decoder:
    """Asks one sensor, and lets it sleep between readings if so wished."""

    def __init__(self, options: NextPmOptions) -> None:
        headers = tuple(bytes((0x81, command)) for command in LENGTHS)
        self._frames: Frames[Answer] = Frames(headers, 16, lambda head: LENGTHS[head[1]], parse)
        wishes = {FIRMWARE: question(FIRMWARE), INSIDE: question(INSIDE)}
        self._agenda = Agenda(question(MEANS[options.average]), wishes)
        self._warm_up = int(options.warm_up * 1e9)
        self._rest = int((options.working_period - options.warm_up) * 1e9) if options.working_period else 0
        self._awake: bool | None = None  # as it said since the last toggle
        self._toggled = False  # in this turn
        self._waking = False
        self._answered = True
        self._now = 0
        self._warm_at = 0
        self._wake_at = 0

    def start(self) -> Iterable[bytes]:
        """Send nothing: the answer to the first question shows whether it is awake."""
        return ()

    def poll(self) -> bytes:
        """Ask for a mean, or for the state where the last question had no answer; or wake it, or put it to sleep."""
        to_be_awake = self._now >= self._wake_at
        self._toggled = self._awake is not None and self._awake != to_be_awake
        if self._toggled:
            self._awake = None
            self._waking = to_be_awake
            return question(TOGGLE)
        if self._awake is False:
            return b""
        answered, self._answered = self._answered, False
        return self._agenda.question() if answered else question(STATE)

    def feed(self, data: bytes, now: int) -> Iterable[Measurement | Reject]:
        """See `gateway.contract.SerialDecoder`."""
        self._now = now
        found = self._frames.feed(data)
        return [one if isinstance(one, Reject) else self._said(one) for one in found]

    def finish(self) -> Iterable[Reject]:
        """Return what is left of an unfinished answer."""
        return [found for found in self._frames.finish() if isinstance(found, Reject)]

    def _said(self, answer: Answer) -> Measurement | Reject:
        self._answered = True
        if not self._toggled:
            self._awake = not answer.state & ASLEEP
            if self._awake and self._waking:
                self._waking = False
                self._warm_at = self._now + self._warm_up
        if answer.command in MEANS.values():
            particles, tenths = answer.numbers()[:3], answer.numbers()[3:]
            masses = [number / 10 for number in tenths]
            said = reading(particles, masses, answer.state, warm=self._now >= self._warm_at)
            if self._rest and not said.quality & Quality.WARM_UP:
                self._wake_at = self._now + self._rest
            return said
        if answer.command == INSIDE:
            degrees = int.from_bytes(answer.data[:2], "big", signed=True) / 100
            fields = {"device_temperature": degrees, "device_humidity": answer.numbers()[1] / 10000}
            return Measurement("air_quality", fields)
        if answer.command == FIRMWARE:
            self._agenda.granted(FIRMWARE)
            return Measurement("air_quality", {"firmware_version": str(answer.numbers()[0])})
        if answer.command in (STATE, TOGGLE):
            return Measurement("air_quality", {"device_error": answer.state & ERRORS})
        return Reject("unsupported", answer.frame, f"command {answer.command:02X}, which was not sent")


def _decoder(options: NextPmOptions) -> Decoder | nextpm_modbus.Decoder:
    if options.address is None:
        return Decoder(options)
    return nextpm_modbus.Decoder(nextpm_modbus.NextPmModbusOptions(address=options.address, average=options.average))


DRIVER = Driver(
    name="nextpm",
    title="TERA NextPM",
    link=SerialLink(baudrate=115200, parity="E", interval=10.0, bus=True, harmless="poll"),
    fields=(*FIELDS, field("device_temperature"), field("device_humidity"), field("firmware_version")),
    max_frame=nextpm_modbus.DRIVER.max_frame,
    decoder=_decoder,
    options=NextPmOptions,
    kinds=("air_quality",),
    experimental=True,
)
