"""Wavetronix SmartSensor HD (model 125): vehicles in up to ten lanes, by radar from beside the road.

RS-485 or RS-232, often 9600 8N1. It answers when asked. Big endian; each c is a CRC-8, polynomial 1C, of its part::

    5A 31  00 dddd  00 ssss  q n  c    m u t .. c    d to, s from (the host is 0), q number, n size of the rest, m
                                                     message, u sub id, t 0 read, 1 write, 2 refused with a code
    71  iii  time(8)  vvv nnn oo  kkk kkk kkk kkk  eee  hhh ggg  l a    an interval, one packet a lane, u its number:
        i number, time of its end, v speed, n vehicles, o 1/256 %, k of each class of length, e 85 % speed,
        h headway and g gap, taken for ms, l lanes, a approaches: sums of lanes, which come last, and are not taken
    67  time(8)  l rr ddd vvv k ee        a vehicle where u is 1: lane from 0, range, ms, speed, class, length

    67 01 00  000FC192 059182CE 00 4D08 0000FE 005123 02 1850 BC       2016-12-18 22:17:32.718, lane 0, 77.03 ft away,
                                                                       0.254 s, speed not known, class 2, 24.31 ft
r and e are n + n/256; v has bit 23 where it is valid, 15 bits signed, and 1/256 of the same sign. time is year<<9 |
month<<5 | day, then h<<22 | min<<16 | s<<10 | ms. An occupancy from 7FFF on is an error, and left out.

Units are the sensor's own: the general configuration (00) says which, and is asked for first. The tag ``lane`` counts
from 1. No capture of 71 backs its layout. The sensor's clock drifts until it is set: `common.intervals` says
whose time a reading has, and why the interval found first is passed over.

Sources: IRIS of the Minnesota DOT, comm/ss125, and the bodies from a sensor in the field in its tests.
"""

from collections.abc import Iterable, Iterator
from typing import Literal

from pydantic import Field

from drivers.common.agenda import Agenda
from drivers.common.intervals import FOUND_FIRST, Clock, Parts, Stamps
from drivers.wavetronix_ss125.bodies import Interval, interval, passage
from drivers.wavetronix_ss125.framing import DATA, EVENT, GENERAL, INTERVAL, LONGEST, VERSION, Body, frames, question
from gateway.contract import Driver, FieldValue, Measurement, Options, Quality, Reject, SerialLink, field

METRIC = {"ask": None, "metric": True, "imperial": False}


class WavetronixSs125Options(Options):
    """Which sensor, and what of it."""

    address: int = Field(default=1, ge=1, le=65535)
    """Its id on the line; 0 is the host."""
    data: Literal["intervals", "events"] = "intervals"
    """What it counts in its own intervals; or each vehicle, one a question: on a line of its own, asked every "0.2s".
    A lost answer is a lost vehicle. Until none waits any more, their times are marked as estimated."""
    clock: Clock = "gateway"
    """Whose time the readings have: the sensor's where its clock is kept right; then none is passed over."""
    units: Literal["ask", "metric", "imperial"] = "ask"
    """km/h and m, or mph and ft; needed only for one that does not tell."""


class Decoder:
    """Asks one sensor."""

    def __init__(self, options: WavetronixSs125Options) -> None:
        address = options.address
        self._frames = frames(address)
        # Settings may change: only the version is asked for once.
        wishes = {code: question(address, code) for code in (DATA, VERSION, GENERAL)}
        reading = question(address, EVENT) if options.data == "events" else question(address, INTERVAL, bytes(3))
        self._agenda = Agenda(reading, wishes)
        self._general = wishes[GENERAL]
        self._metric = METRIC[options.units]
        self._ask_units = self._metric is None
        self._period: dict[str, FieldValue] = {}
        self._stamps = Stamps(options.clock)
        self._waited = options.clock == "gateway"
        self._parts: Parts[Interval] = Parts()

    def start(self) -> Iterable[bytes]:
        """Send nothing: on a bus each question has its turn."""
        return ()

    def poll(self) -> bytes:
        """Ask for the units until they are known; then for readings, and now and then for the settings."""
        return self._general if self._metric is None else self._agenda.question()

    def feed(self, data: bytes, now: int) -> Iterable[Measurement | Reject]:  # noqa: ARG002 -- time decides nothing here
        """See `gateway.contract.SerialDecoder`."""
        said: list[Measurement | Reject] = []
        for found in self._frames.feed(data):
            said += [found] if isinstance(found, Reject) else self._understand(found)
        return said

    def finish(self) -> Iterable[Measurement | Reject]:
        """Return the lanes of an interval that is not complete, and what is left of an answer."""
        return [
            *self._lanes(self._parts.take()),
            *(found for found in self._frames.finish() if isinstance(found, Reject)),
        ]

    def _understand(self, body: Body) -> Iterator[Measurement | Reject]:
        data = body.data
        if body.message == INTERVAL:
            yield from self._interval(body)
        elif body.message == EVENT:
            yield from self._passage(body)
        elif body.message == DATA:
            self._period = {"period": float(int.from_bytes(data[:2], "big"))}
        elif body.message == VERSION:
            self._agenda.granted(VERSION)
            yield Measurement("traffic", {"firmware_version": data[:4].hex().lstrip("0")})
        elif data[-1] > 1:
            yield Reject("range", data, "neither metric nor not")
        else:
            self._metric = bool(data[-1]) if self._ask_units else self._metric
            yield Measurement("traffic", {"serial_number": data[66:82].decode("ascii", "replace").strip(" \0")})

    def _passage(self, body: Body) -> Iterator[Measurement | Reject]:
        vehicle = passage(body.sub, body.data)
        if vehicle is None:
            yield Reject("range", body.data, "a vehicle at no time")
        elif vehicle.is_event:
            tags = {"lane": str(vehicle.lane + 1), "vehicle_class": str(vehicle.vehicle_class)}
            said = self._stamps.measured(vehicle.fields(metric=self._metric), vehicle.stamp, **tags)
            yield said._replace(quality=Quality.ESTIMATED_TIME) if self._waited else said
        else:
            self._waited = False

    def _interval(self, body: Body) -> Iterator[Measurement | Reject]:
        one = interval(body.sub, body.data)
        if one is None or one.packet >= one.packets:
            yield Reject("range", body.data, "an interval at no time, or of no lane")
        elif self._stamps.ended_just_now(one.stamp):
            yield from self._lanes(self._parts.add(one.stamp, one.packet, one.packets, one))
        elif one.packet == one.packets - 1:
            yield Reject("unsupported", body.data, FOUND_FIRST)

    def _lanes(self, parts: Iterable[Interval]) -> Iterator[Measurement]:
        for one in parts:
            if one.packet < one.lanes:
                fields = one.fields(metric=self._metric) | self._period
                yield self._stamps.measured(fields, one.stamp, lane=str(one.packet + 1))


DRIVER = Driver(
    name="wavetronix_ss125",
    title="Wavetronix SmartSensor HD",
    link=SerialLink(baudrate=9600, interval=5.0, timeout=1.5, bus=True),
    fields=(
        *map(field, ("intensity", *(f"intensity_class_{number}" for number in range(4)), "occupancy", "period")),
        *map(field, ("average_vehicle_speed", "speed_85th_percentile", "average_vehicle_length", "presence_time")),
        *map(field, ("average_headway_time", "average_gap_time", "firmware_version", "serial_number")),
    ),
    max_frame=LONGEST,
    decoder=Decoder,
    options=WavetronixSs125Options,
    kinds=("traffic",),
    experimental=True,
)
