"""AirGradient ONE and Open Air: the monitor's own MQTT messages.

JSON, topic ``airgradient/readings/{serial}``, every minute; the same comes by HTTP from ``/measures/current``::

    {"wifi": -46, "serialno": "ecda3b1eaaaf", "rco2": 447, "pm01": 3, "pm02": 7, "pm10": 8, "pm003Count": 442,
     "atmp": 25.87, "atmpCompensated": 24.47, "rhum": 43, "rhumCompensated": 49, "tvocIndex": 100, "noxIndex": 1,
     "boot": 6, "firmware": "3.1.3", "model": "I-9PSL", ...}

Worked: PM1, PM2.5 and PM10 of 3, 7 and 8 ug/m3, 4.42 particles above 0.3 um in 1 cm3, 447 ppm of CO2, 24.47 degrees,
49 %, sensor ``ecda3b1eaaaf``.

Quirks: pm02 is PM2.5. Counts are of 0.1 litre. What a monitor has no sensor for is absent. It is warmer inside than
outside: by default its compensated temperature and humidity are taken, where it says them. pm02Compensated is
corrected for the aerosol of the United States (EPA, 2021) and is taken only on demand. No time is said.

Source: AirGradient's description of the local server in the firmware's documentation.
"""

from collections.abc import Iterable

from drivers.common.flat_json import PER_DECILITRE, PERCENT, Term, declared, report
from drivers.common.json_messages import MAX_MESSAGE, parse, refuse
from gateway.contract import Driver, Measurement, MqttLink, Options, Reject

PLAIN = {
    "pm01": Term("pm1"),
    "pm02": Term("pm25"),
    "pm10": Term("pm10"),
    "pm003Count": Term("particles_above_03", PER_DECILITRE),
    "rco2": Term("co2"),
    "atmp": Term("temperature"),
    "rhum": Term("relative_humidity", PERCENT),
    "tvocIndex": Term("tvoc_index"),
    "noxIndex": Term("nox_index"),
    "wifi": Term("rssi"),
    "firmware": Term("firmware_version"),
    "serialno": Term("serial_number"),
}
CLIMATE = {"atmpCompensated": Term("temperature"), "rhumCompensated": Term("relative_humidity", PERCENT)}
DUST = {"pm02Compensated": Term("pm25")}


class AirGradientOptions(Options):
    """Which value is taken where the monitor sends a raw and a compensated one."""

    compensated_climate: bool = True
    """Temperature and humidity as they are outside the case."""
    compensated_dust: bool = False
    """PM2.5 as the EPA of the United States corrects it."""


class Decoder:
    """Reads the messages of monitors; keeps no state."""

    def __init__(self, options: AirGradientOptions) -> None:
        first = {**(CLIMATE if options.compensated_climate else {}), **(DUST if options.compensated_dust else {})}
        self._first = tuple(first)
        self._table = {**first, **PLAIN}

    def decode(self, topic: str, payload: bytes) -> Iterable[Measurement | Reject]:
        """See `gateway.contract.MessageDecoder`."""
        del topic
        message = parse(payload)
        if isinstance(message, Reject):
            return [message]
        if type(message) is not dict or "serialno" not in message:
            return [refuse("noise", payload, "no message of an AirGradient monitor")]
        preferred = [(name, message[name]) for name in self._first if name in message]
        return [report([*preferred, *message.items()], self._table, message["serialno"], payload)]


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
