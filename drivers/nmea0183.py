"""NMEA 0183: position, height and time from a satellite receiver.

9600 8N1, newer ones 38400 or 115200 baud. Text lines, hh the XOR of all between $ and *; once a second, from talkers
GP, GL, GA, GB or GN (which systems), RMC and GGA among others, with empty fields where nothing is known::

    $GPRMC,123519.00,A,4807.038,N,01131.000,E,,,230394,,*33     time; A valid, V not; place; knots; course; ddmmyy;
                                                                .. ; mode, since 2.3; status, since 4.1
    $GPGGA,184353.07,1929.045,S,02410.506,E,1,04,2.6,100.00,M,-33.9,M,,0000*6D
                                                                time; place; quality; satellites; dilution; height

    4807.038,N is 48 degrees and 7.038 minutes: 48.1173

A fix is RMC with A, mode A, D, F, P or R (or none: old), and status not V; or GGA with a quality of 1 to 5 or 9. The
mode may say N, no fix, although the status says A. Guesses by dead reckoning (mode E, quality 6), typed-in places and
simulators are none. Other sentences are sound, and say nothing that is wanted here.

Two-digit years: 80 to 99 are 19xx. An old receiver may be 1024 weeks behind: its time is given as a field, and is not
taken for the time of the reading. A leap second, :60, is given as the second after.

Sources: NMEA 0183 as u-blox's receiver descriptions give it; sentences of others' tests.
"""

from collections.abc import Iterable, Iterator

from drivers._nmea import fix, parse
from drivers.common.framing import Lines
from gateway.contract import Driver, Duration, Measurement, Options, Reject, SerialLink, field

MAX_LINE = 128
"""The standard has 82 bytes; receivers with many digits write more."""


class NmeaOptions(Options):
    """How often it is wanted."""

    interval: Duration = 60.0
    """The place and the height are given at most this often; "0s" for each the receiver gives."""


class Decoder:
    """Listens to one receiver."""

    def __init__(self, options: NmeaOptions) -> None:
        self._lines = Lines(MAX_LINE)
        self._interval = int(options.interval * 1e9)
        self._next = {"RMC": 0, "GGA": 0}

    def start(self) -> Iterable[bytes]:
        """Return nothing: it speaks by itself."""
        return ()

    def poll(self) -> bytes:
        """Return nothing: it speaks by itself."""
        return b""

    def feed(self, data: bytes, now: int) -> Iterable[Measurement | Reject]:
        """See `gateway.contract.SerialDecoder`."""
        said: list[Measurement | Reject] = []
        for line in self._lines.feed(data):
            if isinstance(line, Reject):
                said.append(line)
                continue
            before, dollar, rest = line.rpartition(b"$")  # a sentence is found behind noise, or behind a torn one
            if before:
                said.append(Reject("noise", before, "before the $ of a sentence"))
            said += self._hear(dollar + rest, now)
        return said

    def finish(self) -> Iterable[Reject]:
        """Return what is left of a line without an end."""
        return self._lines.finish()

    def _hear(self, line: bytes, now: int) -> Iterator[Measurement | Reject]:
        sentence = parse(line)
        found = sentence if isinstance(sentence, Reject) else fix(sentence)
        if isinstance(found, Reject):
            yield found
        elif found is not None and not isinstance(sentence, Reject) and now >= self._next[sentence.name]:
            self._next[sentence.name] = now + self._interval
            yield Measurement("position", found)


DRIVER = Driver(
    name="nmea0183",
    title="Satellite receivers with NMEA 0183",
    link=SerialLink(baudrate=9600),
    fields=tuple(
        map(field, ("latitude", "longitude", "altitude", "satellite_time", "satellites", "horizontal_dilution"))
    ),
    max_frame=MAX_LINE,
    decoder=Decoder,
    options=NmeaOptions,
    kinds=("position",),
)
