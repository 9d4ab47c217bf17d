"""TERA NextPM over Modbus RTU: PM1, PM2.5 and PM10 by laser scattering.

UART or RS-485, 115200 8E1; address 1 as delivered. Function 3; what has 32 bits comes with its low word first, in
thousandths. Registers: 1 firmware; 19 state; 50, 62 and 74 the beginning of the means over 10 s, 60 s and 15 min, of
twelve registers each: particles up to 1, 2.5, 10 um a litre, then PM1, PM2.5, PM10 in ug/m3::

    01 03 00 3E 00 0C 24 03                       question for the means over 60 s, 62 to 73
    01 03 18 (nnnn NNNN) x 3 (mmmm MMMM) x 3 crc  answer: low n, m and high N, M words of particles n and masses m

    01 03 18 995C0013 994D0013 994D0013 00EC0000 01820000 03A80000 A015     PM 0.236, 0.386, 0.936

State bits: 0 asleep, 1 degraded, 2 not ready (the first 15 s), 3 heater (on in damp air, no error), 4 temperature and
humidity, 5 fan, 6 memory, 7 laser. The state is asked for more rarely than the values, which are marked by the last
one known. An answer takes more than 350 ms. Asleep, it is woken by its own protocol only: see `nextpm`.

Source: NextPM User Guide v3.4 (TERA Sensor).
"""

from collections.abc import Iterable

from pydantic import Field

from drivers.common.agenda import Agenda
from drivers.common.modbus_rtu import HOLDING, Answer, Exchange, longest, question
from drivers.common.nextpm import ASLEEP, ERRORS, FIELDS, NOT_READY, Average, reading
from drivers.common.zeros import Zeros
from gateway.contract import Driver, Measurement, Options, Reject, SerialLink, field

FIRMWARE, STATE, MEANS = 1, 19, {"10s": 50, "60s": 62, "15min": 74}
STATE_SIZE, FIRMWARE_SIZE, MEAN_SIZE, ALL_SIZE = 2, 20, 24, 72
"""Bytes of the answers. The firmware is asked for with the registers behind it: each has a size of its own."""
FULL: dict[Average, float] = {"10s": 30.0, "60s": 75.0, "15min": 915.0}
"""Seconds from its start until a mean is of so long a time: zeros that go on are clean air."""
SIZES = {HOLDING: (STATE_SIZE, FIRMWARE_SIZE, MEAN_SIZE, ALL_SIZE)}


class NextPmModbusOptions(Options):
    """Where it is, and how it measures.

    ``address``  as set; 1 as delivered
    ``average``  over how long its values are means
    """

    address: int = Field(default=1, ge=1, le=247)
    average: Average = "60s"


def means(answer: Answer) -> list[tuple[float, ...]]:
    """Return for each mean in the answer three numbers of particles a litre and three masses in ug/m3."""
    pairs = range(0, len(answer.data) // 2, 2)
    values = [(answer.word(at) + answer.word(at + 1) * 65536) / 1000 for at in pairs]
    return [tuple(values[at : at + 6]) for at in range(0, len(values), 6)]


class Decoder:
    """Asks one sensor."""

    def __init__(self, options: NextPmModbusOptions) -> None:
        address = options.address
        self._which = list(MEANS).index(options.average)
        self._exchange = Exchange(address, SIZES)
        mean = question(address, HOLDING, MEANS[options.average], MEAN_SIZE // 2)
        state = question(address, HOLDING, STATE, STATE_SIZE // 2)
        about = question(address, HOLDING, FIRMWARE, FIRMWARE_SIZE // 2)
        self._agenda = Agenda(mean, {STATE_SIZE: state, FIRMWARE_SIZE: about})
        self._state = 0
        self._zeros = Zeros(FULL[options.average])
        self._ready = False  # by its own word since the zeros began
        self._now = 0

    def start(self) -> Iterable[bytes]:
        """Send nothing: on a bus each question has its turn."""
        return ()

    def poll(self) -> bytes:
        """Ask for a mean; now and then for the state."""
        return self._exchange.asking(self._agenda.question())

    def feed(self, data: bytes, now: int) -> Iterable[Measurement | Reject]:
        """See `gateway.contract.SerialDecoder`."""
        self._now = now
        return [self._said(found) if isinstance(found, Answer) else found for found in self._exchange.feed(data)]

    def finish(self) -> Iterable[Reject]:
        """Return what is left of an unfinished answer."""
        return list(self._exchange.finish())

    def _said(self, answer: Answer) -> Measurement | Reject:
        size = len(answer.data)
        if size == STATE_SIZE:
            self._state = answer.word(0) & 0xFF
            self._ready = not self._state & (ASLEEP | NOT_READY)
            return Measurement("air_quality", {"device_error": self._state & ERRORS})
        if size == FIRMWARE_SIZE:
            self._agenda.granted(FIRMWARE_SIZE)
            return Measurement("air_quality", {"firmware_version": str(answer.word(0))})
        found = means(answer)
        mean = found[self._which if size == ALL_SIZE else 0]
        if any(mean):
            self._ready = False
            self._zeros.since = None
        elif self._zeros.starting(self._now) or not self._ready:
            why = "it is asleep or starting" if self._state & (ASLEEP | NOT_READY) else "it has no data"
            return Reject("unsupported", answer.frame, f"all values are zero: {why}")
        return reading(mean[:3], mean[3:], self._state)


DRIVER = Driver(
    name="nextpm_modbus",
    title="TERA NextPM (Modbus)",
    link=SerialLink(baudrate=115200, parity="E", interval=60.0, bus=True, harmless="poll", modbus=True),
    fields=(*FIELDS, field("firmware_version")),
    max_frame=longest(SIZES),
    decoder=Decoder,
    options=NextPmModbusOptions,
    kinds=("air_quality",),
    experimental=True,
)
