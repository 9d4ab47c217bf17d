"""AirGradient ONE and Open Air: the monitor's own MQTT messages.

JSON, topic ``airgradient/readings/{serial}``, every minute; the same comes by HTTP from ``/measures/current``::

    {"wifi": -46, "serialno": "ecda3b1eaaaf", "rco2": 447, "pm01": 3, "pm02": 7, "pm10": 8, "pm003Count": 442,
     "atmp": 25.87, "atmpCompensated": 24.47, "rhum": 43, "rhumCompensated": 49, "tvocIndex": 100, "noxIndex": 1,
     "boot": 6, "firmware": "3.1.3", "model": "I-9PSL", ...}

Worked: PM1, PM2.5 and PM10 of 3, 7 and 8 ug/m3, 4.42 particles above 0.3 um in 1 cm3, 447 ppm of CO2, 24.47 degrees,
49 %, sensor ``ecda3b1eaaaf``.

Quirks: pm02 is PM2.5. Counts are of 0.1 litre, those above 0.5 um since firmware 3.1.9. What a monitor has no sensor
for is absent; numbers below zero (-1, -2, the temperature -1000) are error codes of old firmware. It is warmer inside
than outside: by default its compensated temperature and humidity are taken. Firmware before 3.1 has none, and the
plain ones are taken and said; those of a monitor that compensated once are never taken in their place.
pm02Compensated is corrected for the aerosol of the United States (EPA, 2021) and is taken only on demand; in replies
without it, about one in five of firmware 3.7.0, PM2.5 is left out then. The first firmware for kits has no serialno,
but one in the topic. No time is said.

Sources: AirGradient's description of the local server, firmware 3.1 to 3.7; messages of kits, as others show them.
"""

from collections.abc import Iterable
from typing import Any

from drivers.common.flat_json import PER_DECILITRE, PERCENT, Term, declared, left_out, report
from drivers.common.json_messages import MAX_MESSAGE, of_json, refuse
from gateway.contract import Driver, Measurement, MqttLink, Options, Reject, Remark

COUNTS = {"pm003": "03", "pm005": "05", "pm01": "1", "pm02": "25", "pm50": "5", "pm10": "10"}
PLAIN = {
    "pm01": Term("pm1", least=0),
    "pm02": Term("pm25", least=0),
    "pm10": Term("pm10", least=0),
    **{f"{name}Count": Term(f"particles_above_{size}", PER_DECILITRE, least=0) for name, size in COUNTS.items()},
    "rco2": Term("co2", least=0),
    "atmp": Term("temperature"),
    "rhum": Term("relative_humidity", PERCENT, least=0),
    "tvocIndex": Term("tvoc_index", least=0),
    "noxIndex": Term("nox_index", least=0),
    "wifi": Term("rssi"),
    "firmware": Term("firmware_version"),
    "serialno": Term("serial_number"),
}
CLIMATE = {"atmpCompensated": Term("temperature"), "rhumCompensated": Term("relative_humidity", PERCENT, least=0)}
DUST = {"pm02Compensated": Term("pm25", least=0)}
RAW = {"atmpCompensated": "atmp", "rhumCompensated": "rhum", "pm02Compensated": "pm02"}
"""The compensated value -> the plain one."""
OWN = frozenset({"rco2", "pm02", "atmp", "pm01"})
"""Names of which a message without serialno has one beside ``wifi``."""
REMEMBERED = 1024


class AirGradientOptions(Options):
    """Which value is taken where the monitor sends a raw and a compensated one."""

    compensated_climate: bool = True
    """Temperature and humidity as they are outside the case."""
    compensated_dust: bool = False
    """PM2.5 as the EPA of the United States corrects it."""


class Decoder:
    """Reads the messages of monitors; remembers which of them compensate."""

    def __init__(self, options: AirGradientOptions) -> None:
        first = {**(CLIMATE if options.compensated_climate else {}), **(DUST if options.compensated_dust else {})}
        self._first = tuple(first)
        self._table = {**first, **PLAIN}
        self._compensating: dict[object, None] = {}

    @of_json
    def decode(self, topic: str, message: Any, payload: bytes) -> Iterable[Measurement | Reject | Remark]:  # noqa: ANN401 -- any JSON
        """See `gateway.contract.MessageDecoder`."""
        if type(message) is not dict or not ("serialno" in message or ("wifi" in message and OWN & message.keys())):
            return [refuse("noise", payload, "no message of an AirGradient monitor")]
        number = message.get("serialno")
        sensor = topic.rpartition("/")[2] if number in (None, "") else number
        said, remarks = self._chosen(sensor, message)
        return [*report(said, self._table, sensor, payload), *remarks]

    def _chosen(self, sensor: object, message: dict[str, Any]) -> tuple[list[tuple[str, object]], list[Remark]]:
        """Return names and values, the compensated ones first; without a plain one that would stand in for one."""
        chosen = [(name, message[name]) for name in self._first if name in message]
        remarks: list[Remark] = []
        plain = dict(message)
        for name in self._first:
            raw = RAW[name]
            if name in message:
                if name in CLIMATE and isinstance(sensor, str):
                    self._remember(sensor)
            elif raw in message and (name in DUST or (isinstance(sensor, str) and sensor in self._compensating)):
                del plain[raw]
                remarks.append(left_out(raw, f"without {name}"))
            elif raw in message:
                remarks.append(
                    Remark("doubtful", raw, "as it is inside the case: this firmware does not compensate it")
                )
        return [*chosen, *plain.items()], remarks

    def _remember(self, sensor: str) -> None:
        self._compensating[sensor] = None
        if len(self._compensating) > REMEMBERED:
            del self._compensating[next(iter(self._compensating))]


DRIVER = Driver(
    name="airgradient",
    title="AirGradient ONE and Open Air",
    link=MqttLink(("airgradient/readings/+",)),
    fields=declared(PLAIN),
    max_frame=MAX_MESSAGE,
    decoder=Decoder,
    options=AirGradientOptions,
    kinds=("air_quality",),
)
