"""PurpleAir sensors: what they send to a data processor of one's own, and what their page ``/json`` says.

JSON, every 120 s (``/json?live=false`` is the same mean, ``?live=true`` the last ten seconds)::

    {"SensorId": "84:f3:eb:28:d:ec", "DateTime": "2025/05/12T22:59:13z", "Geo": "PurpleAir-dec", "place": "outside",
     "version": "7.02", "rssi": -70, "hardwarediscovered": "2.0+BME280+PMSX003-B+PMSX003-A", "current_temp_f": 70,
     "current_humidity": 41, "current_dewpoint_f": 45, "pressure": 1013.25, "pm2.5_aqi": 13, "pm2_5_cf_1": 3.00,
     "pm1_0_atm": 1.50, "pm2_5_atm": 3.00, "pm10_0_atm": 3.40, "p_0_3_um": 450.00, "p_0_5_um": 120.00, ...,
     "pm2_5_atm_b": 3.50, "p_0_3_um_b": 460.00, ...}

Worked: of the sensor ``84:f3:eb:28:d:ec`` at 2025-05-12T22:59:13Z PM1 1.5, PM2.5 3.0 and PM10 3.4 ug/m3, 4.5
particles above 0.3 um in 1 cm3, 1013.25 hPa, 21.11 degrees and 41 % in its case; and PM2.5 3.5 with the tag
``channel = "b"``.

Quirks: an outdoor model has two lasers; the second one's names end in ``_b`` and make a reading of their own. Where
they differ by more than 5 ug/m3 and 70 %, both are marked: one of them is dirty or has failed. ``atm`` is the maker's
estimate for the open air, ``cf_1`` that for his factory's kind of dust; they agree below some 25 ug/m3. Counts are of
0.1 litre. Thermometer and hygrometer are in the case, warmer and dryer than the air: they are ``device_..``, unless
``climate`` asks for the air's, for which PurpleAir takes 8 degrees Fahrenheit off and adds 4 %. The indices (``aqi``)
are old breakpoints of the United States and not taken, nor is what a second BME680 says (``_680``). The time is UTC.

Source: PurpleAir's community pages (custom data processor, 2022), and messages of firmware 6.03 to 7.04 in public
projects.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from drivers.common.flat_json import PER_DECILITRE, PERCENT, Term, declared, in_unit, left_out, report
from drivers.common.json_messages import MAX_MESSAGE, of_json, refuse
from drivers.common.times import nanoseconds
from gateway.contract import Driver, Measurement, MqttLink, Options, Quality, Reject, Remark

CLOCK_SET = 946_684_800_000_000_000
"""The year 2000: a clock that says less was never set."""
MASSES = {"pm1_0": "pm1", "pm2_5": "pm25", "pm10_0": "pm10"}
SIZES = {"0_3": "03", "0_5": "05", "1_0": "1", "2_5": "25", "5_0": "5", "10_0": "10"}
COUNTS = {f"p_{theirs}_um": Term(f"particles_above_{ours}", PER_DECILITRE, least=0) for theirs, ours in SIZES.items()}
ABOUT = {
    "pressure": Term("atmospheric_pressure", least=1),
    "rssi": Term("rssi"),
    "version": Term("firmware_version"),
}
INSIDE = {
    "current_temp_f": in_unit("device_temperature", "degF"),
    "current_humidity": Term("device_humidity", PERCENT, least=0),
}
OUTSIDE = {
    "current_temp_f": Term("temperature", 1 / 1.8, -40 / 1.8),
    "current_humidity": Term("relative_humidity", PERCENT, 0.04, least=0),
}
FAR, SHARE = 5.0, 0.7
"""Lasers that differ by more than so many ug/m3, and by more than this share of their mean, contradict each other."""


class PurpleAirOptions(Options):
    """What is taken where the sensor says it twice, or not of the air."""

    factor: Literal["atm", "cf_1"] = "atm"
    """Which of the maker's two estimates of mass."""
    climate: Literal["case", "air"] = "case"
    """Temperature and humidity of its case, or those of the air as PurpleAir corrects them."""


class Decoder:
    """Reads what sensors say; keeps no state."""

    def __init__(self, options: PurpleAirOptions) -> None:
        masses = {f"{size}_{options.factor}": Term(name, least=0) for size, name in MASSES.items()}
        self._laser = {**masses, **COUNTS}
        self._second = {f"{name}_b": term for name, term in self._laser.items()}
        self._whole = {**self._laser, **(INSIDE if options.climate == "case" else OUTSIDE), **ABOUT}

    @of_json
    def decode(self, topic: str, message: Any, payload: bytes) -> Iterable[Measurement | Reject | Remark]:  # noqa: ANN401 -- any JSON
        """See `gateway.contract.MessageDecoder`."""
        del topic
        if type(message) is not dict or not {"SensorId", "hardwarediscovered"} <= message.keys():
            return [refuse("noise", payload, "no message of a PurpleAir sensor")]
        return self._read(message, payload)

    def _read(self, message: Mapping[str, Any], payload: bytes) -> list[Measurement | Reject | Remark]:
        stamp = message.get("DateTime")
        time = nanoseconds(stamp.replace("/", "-")) if type(stamp) is str else None
        unset = time is None or time < CLOCK_SET
        time = None if unset else time
        sensor = message["SensorId"]
        first = report(message.items(), self._whole, sensor, payload, time)
        second = self._second.keys() & message.keys()
        other = report(message.items(), self._second, sensor, payload, time, tags={"channel": "b"}) if second else []
        readings = _doubted([one for one in (*first, *other) if isinstance(one, Measurement)])
        remarks = [one for one in (*first, *other) if isinstance(one, Remark)]
        if not readings:
            return [one for one in first if isinstance(one, Reject)]
        remarks += [left_out("one laser", one.detail) for one in (*first, *other) if isinstance(one, Reject)]
        if unset and "DateTime" in message:
            remarks.append(left_out("DateTime", f"{str(stamp)[:64]!r} is no time of now"))
        return [*readings, *remarks]


def _doubted(readings: list[Measurement]) -> list[Measurement]:
    """Mark two lasers that contradict each other."""
    dust = [one.fields["pm25"] for one in readings if "pm25" in one.fields]
    if len(dust) < 2:
        return readings
    a, b = (float(value) for value in dust)
    if abs(a - b) <= FAR or abs(a - b) <= SHARE * (a + b) / 2:
        return readings
    return [one._replace(quality=one.quality | Quality.INCONSISTENT) for one in readings]


DRIVER = Driver(
    name="purpleair",
    title="PurpleAir",
    link=MqttLink(("purpleair/#",)),
    fields=declared({name: Term(name) for name in MASSES.values()}, COUNTS, INSIDE, OUTSIDE, ABOUT),
    max_frame=MAX_MESSAGE,
    decoder=Decoder,
    options=PurpleAirOptions,
    kinds=("air_quality",),
)
