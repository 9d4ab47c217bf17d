"""Winsen ZH03B and ZH06: PM1, PM2.5 and PM10 by laser scattering, asked.

UART, 9600 8N1, nine bytes, the sum as in all Winsen modules; big endian, ug/m3, in an order of its own::

    FF 01 86 00 00 00 00 00 79      question
    FF 86 PM25. PM10. PM1.. sum     answer

    FF 86 00 85 00 96 00 65 FA      PM2.5 133, PM10 150, PM1 101

Commands: 78 with 41 waits to be asked, with 40 uploads; A7 with 01 sleeps, with 00 wakes; all are answered by FF,
command, 01. As delivered it uploads, once a second, the 24 bytes of a PMS3003: to listen to that, use the driver
`pms3003`; this one makes it wait to be asked.

Range 0 to 1000 ug/m3. The fan needs half a minute after waking; asleep it does not answer. The laser wears out: with
a working period of 5 min it runs an eighth of the time. It does not tell whether it sleeps: where it does not answer
it is woken, and set to be asked. PM10 below PM2.5 is kept and marked; a PM10 of 0 with other particles is no reading.

Sources: ZH03B manual (Winsen); the order in the answer as others found it.
"""

from collections.abc import Iterable

from drivers.common.duty_cycle import Sleeping
from drivers.common.winsen import ASKED, LENGTH, READ, SWITCH, Frame, command, frames
from gateway.contract import Driver, Measurement, Quality, Reject, SerialLink, field

SLEEP, ASLEEP, AWAKE = 0xA7, 1, 0
INSIST = 3
"""Number of commands to sleep before its silence is taken for sleep."""
HIGHEST = 1000


def understand(frame: Frame) -> Measurement | Reject:
    """Return the reading of an answer to `READ`."""
    pm25, pm10, pm1 = (frame.number(at) for at in (0, 2, 4))
    if max(pm25, pm10, pm1) > HIGHEST or (pm10 == 0 and pm25 + pm1 > 0):
        return Reject("range", frame.raw, f"PM1 {pm1}, PM2.5 {pm25}, PM10 {pm10}")
    quality = Quality.GOOD if pm1 <= pm25 <= pm10 else Quality.INCONSISTENT
    return Measurement("air_quality", {"pm1": float(pm1), "pm25": float(pm25), "pm10": float(pm10)}, quality=quality)


class Decoder:
    """Asks one sensor, and lets it sleep between readings if so wished."""

    def __init__(self, options: Sleeping) -> None:
        self._frames = frames((READ, SWITCH, SLEEP))
        self._warm_up = int(options.warm_up * 1e9)
        self._rest = int((options.working_period - options.warm_up) * 1e9) if options.working_period else 0
        self._now = 0
        self._wake_at = 0
        self._warm_at: int | None = None
        self._resting = False
        self._told = 0  # how often it was told to sleep
        self._missing = 0  # questions since its last answer

    def start(self) -> Iterable[bytes]:
        """Wake it, and make it wait to be asked."""
        return command(SLEEP, AWAKE), command(SWITCH, ASKED)

    def poll(self) -> bytes:
        """Ask it; where it does not answer, wake it, set its mode, and ask again; or put it to sleep."""
        if self._now < self._wake_at:
            self._resting = True
            self._told += 1
            return command(SLEEP, ASLEEP) if self._told <= INSIST else b""
        if self._resting:
            self._resting = False
            self._told = 0
            self._missing = 1
            self._warm_at = self._now + self._warm_up
        turn = self._missing % 3
        self._missing += 1
        return (command(READ), command(SLEEP, AWAKE), command(SWITCH, ASKED))[turn]

    def feed(self, data: bytes, now: int) -> Iterable[Measurement | Reject]:
        """See `gateway.contract.SerialDecoder`."""
        self._now = now
        if self._warm_at is None:
            self._warm_at = now + self._warm_up
        doubt = Quality.WARM_UP if now < self._warm_at else Quality.GOOD
        said: list[Measurement | Reject] = []
        for found in self._frames.feed(data):
            one = understand(found) if isinstance(found, Frame) and found.code == READ else found
            if isinstance(one, Measurement):
                self._missing = 0
                if self._rest and not doubt:
                    self._wake_at = now + self._rest
                said.append(one._replace(quality=one.quality | doubt))
            elif isinstance(one, Reject):
                said.append(one)
            elif one.code == SLEEP and self._resting:
                self._told = INSIST  # it has confirmed
        return said

    def finish(self) -> Iterable[Reject]:
        """Return what is left of an unfinished frame."""
        return [found for found in self._frames.finish() if isinstance(found, Reject)]


DRIVER = Driver(
    name="winsen_zh",
    title="Winsen ZH03B, ZH06",
    link=SerialLink(baudrate=9600, interval=10.0, harmless="poll"),
    fields=(field("pm1", 0, HIGHEST), field("pm25", 0, HIGHEST), field("pm10", 0, HIGHEST)),
    max_frame=LENGTH,
    decoder=Decoder,
    options=Sleeping,
    kinds=("air_quality",),
    experimental=True,
)
