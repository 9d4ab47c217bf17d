"""Winsen MH-Z19B and MH-Z19C: CO2 by infrared absorption.

UART, 9600 8N1, 3.3 V. Nine bytes; c CO2 in ppm, t the temperature inside plus 40, s status (40 while it settles), u
unknown, 15000 while older ones boot; sum makes all behind FF add up to 0 modulo 256. Only c is in the manual::

    FF 01 86 00 00 00 00 00 79      question
    FF 86 cc cc tt ss uu uu sum     answer

    FF 86 02 7C 42 00 00 00 BA      027C = 636 ppm, 42 hex = 66: 26 degrees

Commands: 79 with A0 or 00 switches the automatic calibration (ABC) on or off, 99 sets the range, its ppm in the last
two bytes; both are answered by FF, command, 01. ABC takes the lowest value of a day for fresh air: switch it off in
garages and tunnels, which never see any. 87 (one bit from a read) and 88 calibrate at once, and are never sent.

Ranges 2000, 5000 and 10000 ppm. It heats up for 3 minutes, and does not tell when it was powered: what comes soon
after the line opened is marked. Quirks: 400 or 410 exactly at first; then 3554 to 3557 with status 40, at 1420 ppm.
Answers to commands look like readings unless the second byte is checked. Ask no more often than every 5 s (from
memory, unchecked).

Sources: MH-Z19B manual v1.6 (Winsen); the unprinted bytes as others recorded them.
"""

from collections.abc import Iterable
from typing import Literal

from drivers.common.agenda import Agenda
from drivers.common.winsen import LENGTH, READ, Frame, command, frames
from gateway.contract import Driver, Duration, Measurement, Options, Quality, Reject, SerialLink, field

ABC, ZERO, SPAN, RANGE = 0x79, 0x87, 0x88, 0x99
DONE = 1
SETTLING, BOOTING = 0x40, 15000
LEAST = 250
"""ppm: no air has less than 400, and no sensor that works measures as little as this."""


class MhZ19Options(Options):
    """How it is set; what is left out stays as it is.

    ``abc``      the automatic calibration, true or false
    ``range``    2000, 5000 or 10000 ppm
    ``warm_up``  how long after the line opened values are marked doubtful
    """

    abc: bool | None = None
    range: Literal[2000, 5000, 10000] | None = None
    warm_up: Duration = 180.0


def understand(frame: Frame) -> Measurement | Reject:
    """Return the reading of an answer to `READ`."""
    co2, temperature, status = frame.number(0), frame.data[2], frame.data[3]
    if co2 < LEAST:
        return Reject("range", frame.raw, f"{co2} ppm, less than any air has")
    fields = {"co2": float(co2)}
    if temperature:  # zero where the firmware leaves it out
        fields["device_temperature"] = temperature - 40.0
    settles = status & SETTLING or frame.number(4) == BOOTING
    return Measurement("air_quality", fields, quality=Quality.WARM_UP if settles else Quality.GOOD)


class Decoder:
    """Asks one sensor."""

    def __init__(self, options: MhZ19Options) -> None:
        self._frames = frames((READ, ABC, RANGE))
        wishes = {}
        if options.abc is not None:
            wishes[ABC] = command(ABC, 0xA0 if options.abc else 0)
        if options.range is not None:
            wishes[RANGE] = command(RANGE, 0, 0, 0, *options.range.to_bytes(2, "big"))
        self._agenda = Agenda(command(READ), wishes)
        self._warm_up = int(options.warm_up * 1e9)
        self._warm_at: int | None = None

    def start(self) -> Iterable[bytes]:
        """Send nothing: a first question follows at once."""
        return ()

    def poll(self) -> bytes:
        """Ask for a reading, or send a setting that was not confirmed."""
        return self._agenda.question()

    def feed(self, data: bytes, now: int) -> Iterable[Measurement | Reject]:
        """See `gateway.contract.SerialDecoder`."""
        if self._warm_at is None:
            self._warm_at = now + self._warm_up
        quality = Quality.WARM_UP if now < self._warm_at else Quality.GOOD
        said: list[Measurement | Reject] = []
        for found in self._frames.feed(data):
            one = understand(found) if isinstance(found, Frame) and found.code == READ else found
            if isinstance(one, Frame):
                if one.data[0] == DONE:
                    self._agenda.granted(one.code)
            else:
                said.append(one._replace(quality=one.quality | quality) if isinstance(one, Measurement) else one)
        return said

    def finish(self) -> Iterable[Reject]:
        """Return what is left of an unfinished frame."""
        return [found for found in self._frames.finish() if isinstance(found, Reject)]


DRIVER = Driver(
    name="mhz19",
    title="Winsen MH-Z19B, MH-Z19C",
    link=SerialLink(baudrate=9600, interval=10.0, harmless="poll"),
    fields=(field("co2", 250, 10000), field("device_temperature")),
    max_frame=LENGTH,
    decoder=Decoder,
    options=MhZ19Options,
    kinds=("air_quality",),
)
