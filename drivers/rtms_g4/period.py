"""Statistics message of an RTMS G4 for one period; `drivers.rtms_g4.framing` draws its frames.

    80 header   nn pp pp ff tt*7 zz cc rr rr vv hh 00*5
                n number, p page, f flags (bit 0: speeds in mph), t time in BCD (second, minute, hour, weekday,
                day, month, year), z zones in the low four bits, c composition, r period in s, v tenths of a volt,
                h health (10: good)
    10 to 1F    two bytes a zone; above the bound, the zone has no value:
                10 vehicles (FE00); 14 to 18 those of the classes 1 to 5 (FE00); 11 occupancy in 0.1 % (1000);
                12 speed, 1F the speed that 85 % keep to (200); 13 gap, 1E headway in 0.1 s (36000)
    81 footer   nn

Composition: bits 7 gap, 6 headway, 2 85 % speed; 5 4 3 1 0 the classes: 3 alone two, 5 4 3 four, all five six. The
shortest class, 0, is not counted: it is the rest. The sum does not cover a frame's code: of a table that comes twice,
or that the composition does not have, the code is damaged, and which of two is right is not known.

Source: the RTMS G4 protocol as in the Minnesota DOT's IRIS (tms.server.comm.g4).
"""

from collections.abc import Iterable
from struct import unpack_from
from zlib import crc32

from drivers.rtms_g4.framing import MOST_ZONES, MPH, Frame
from gateway.contract import FieldValue, Measurement

HEADER_SIZE, FOOTER_SIZE, HEALTHY = 22, 1, 0x10
VEHICLES, CLASS_1, CLASS_5 = 0x10, 0x14, 0x18
CLASSES = {0x08: 2, 0x38: 4, 0x3B: 6}
SCALED = {
    0x11: ("occupancy", 1000, 0.001),
    0x12: ("average_vehicle_speed", 200, 1.0),
    0x13: ("average_gap_time", 36000, 0.1),
    0x1E: ("average_headway_time", 36000, 0.1),
    0x1F: ("speed_85th_percentile", 200, 1.0),
}
"""Code: field, the highest value that is one, and what a step is worth."""
SPEEDS = {0x12, 0x1F}
ALWAYS = {VEHICLES, 0x11, 0x12}
OPTIONAL = {0x13: 0x80, 0x1E: 0x40, 0x1F: 0x04}
"""Code: the bit of the composition without which there is no such table."""
TABLES = {VEHICLES, *range(CLASS_1, CLASS_5 + 1), *SCALED}
MOST_VEHICLES = 0xFE00


class Period:
    """The message of one period, frame by frame from its header on."""

    def __init__(self, header: Frame) -> None:
        data = header.data
        self.number = data[0]
        self._mph = bool(data[3] & 1)
        self._zones = min(data[11] & 0x0F, MOST_ZONES)
        self._composition = data[12]
        self._longer = CLASSES.get(data[12] & 0x3B, 0) - 1
        self._period, self._volts, self._health = unpack_from(">HBB", data, 13)
        self._tables: dict[int, tuple[int, ...]] = {}
        self._twice: set[int] = set()
        self.key = f"{self.number}-{crc32(data):08x}"
        """Identifies the period: its number, and a check of its header, time included."""
        self.damaged = False
        """Whether something came in between that is none of it, or is damaged."""

    def end(self, footer: Frame) -> str:
        """Return what is wrong with the message now that it has ended, or ""."""
        if footer.data[0] != self.number:
            return f"the end of message {footer.data[0]}, not {self.number}"
        there = ALWAYS | {code for code, bit in OPTIONAL.items() if self._composition & bit}
        whole = there <= self._tables.keys() and len(self._classes()) == self._longer
        return "its message is damaged" if self.damaged and not whole else ""

    def take(self, table: Frame) -> str:
        """Add a table; return what is wrong with it, or ""."""
        if len(table.data) != 2 * self._zones:
            self.damaged = True
            return f"{len(table.data)} bytes for {self._zones} zones"
        if table.code in self._twice or table.code in self._tables:
            self._tables.pop(table.code, None)
            self._twice.add(table.code)
            self.damaged = True
            return f"table {table.code:02X} twice"
        if table.code in OPTIONAL and not self._composition & OPTIONAL[table.code]:
            self.damaged = True
            return f"no table {table.code:02X} belongs to it"
        self._tables[table.code] = unpack_from(f">{self._zones}H", table.data)
        return ""

    def readings(self) -> Iterable[Measurement]:
        """Return the sensor's own state, and a reading for each zone."""
        error = 0 if self._health == HEALTHY else self._health
        yield Measurement("traffic", {"battery_voltage": self._volts / 10, "device_error": error}, key=self.key)
        for zone in range(self._zones):
            if fields := self._zone(zone):
                fields["period"] = float(self._period)
                yield Measurement("traffic", fields, key=self.key, tags={"lane": str(zone + 1)})

    def _zone(self, zone: int) -> dict[str, FieldValue]:
        fields: dict[str, FieldValue] = {}
        for code, (name, highest, step) in SCALED.items():
            if code in self._tables and (value := self._tables[code][zone]) <= highest:
                factor = step * (MPH if self._mph and code in SPEEDS else 1.0)
                fields[name] = round(value * factor, 3)
        if VEHICLES in self._tables and (count := self._tables[VEHICLES][zone]) <= MOST_VEHICLES:
            fields["intensity"] = count
            if not count:
                fields.pop("average_vehicle_speed", None)
                fields.pop("speed_85th_percentile", None)
            fields |= self._by_class(zone, count)
        return fields

    def _by_class(self, zone: int, count: int) -> dict[str, FieldValue]:
        """Return the counts of the classes, where each class that there is has one."""
        longer = {code: self._tables[code][zone] for code in self._classes()}
        if len(longer) != self._longer or (rest := count - sum(longer.values())) < 0:
            return {}
        named = {f"intensity_class_{code - CLASS_1 + 1}": number for code, number in longer.items()}
        return {"intensity_class_0": rest, **named}

    def _classes(self) -> list[int]:
        return [code for code in range(CLASS_1, CLASS_5 + 1) if code in self._tables]
