"""ModuleAir and NebuleAir stations (AirCarto, AtmoSud) of the newer firmware, which names values by ISO codes.

JSON, posted every two minutes to AirCarto's server or one's own, without a time::

    {"device_id": "moduleair-a1b2c3", "signal_quality": -61, "signal_quality_unit": "-61 dB", "version": 1,
     "version_major": 1, "version_minor": 4, "version_patch": 2, "ISO_68": 2.1, "ISO_68_unit": "2.1 ugm3",
     "ISO_39": 3.4, "ISO_24": 4.0, "ISO_54": 21.5, "ISO_55": 45.2, "ISO_53": 1013.2, "ISO_17": 582, "ISO_100": 12,
     "ISO_101": 450, "ISO_VB": 9.7, "error_flags": 0, "npm_status": 0, "device_status": 2}

Worked: of the sensor ``moduleair-a1b2c3`` PM1 2.1, PM2.5 3.4 and PM10 4.0 ug/m3, 21.5 degrees, 45.2 %, 1013.2 hPa,
582 ppm of CO2, 12 ppb of organic compounds, an equivalent of 450 ppm, 12.108 ug/m3 of formaldehyde, -61 dBm.

Codes: 68 PM1, 39 PM2.5, 24 PM10, 54 degrees, 55 percent, 53 hPa, 17 CO2, 100 and 101 a CCS811's compounds (ppb) and
CO2 worked out from them (ppm), VB formaldehyde (ppb). Names in ``_unit`` repeat a value with its unit. What a station
has no sensor for, or cannot read, is absent; ``error_flags`` says which (bit 2 climate, 3 dust, 7 CO2). A code that
is not known here (NebuleAir Pro has gas cells) is left out by name.

Quirks: older firmware speaks as Sensor.Community's stations do, with ``moduleairid`` or ``nebuleairid``: the driver
``sensor_community`` reads that, and newer firmware still sends it to AtmoSud. ``version`` alone is the format's.

Source: ModuleAir's firmware of 2026 as AirCarto publishes it; its description of the format is not public.
"""

from collections.abc import Iterable
from typing import Any

from drivers.common.flat_json import PERCENT, Term, declared, left_out, report
from drivers.common.gases import MOLAR_MASSES, MOLAR_VOLUME
from drivers.common.json_messages import MAX_MESSAGE, of_json, refuse
from gateway.contract import Driver, Measurement, MqttLink, Options, Reject, Remark

TABLE = {
    "ISO_68": Term("pm1", least=0),
    "ISO_39": Term("pm25", least=0),
    "ISO_24": Term("pm10", least=0),
    "ISO_54": Term("temperature", least=-100),
    "ISO_55": Term("relative_humidity", PERCENT, least=0),
    "ISO_53": Term("atmospheric_pressure", least=1),
    "ISO_17": Term("co2", least=1),
    "ISO_100": Term("tvoc", least=0),
    "ISO_101": Term("co2_equivalent", least=1),
    "ISO_VB": Term("ch2o", MOLAR_MASSES["ch2o"] / MOLAR_VOLUME, least=0),
    "signal_quality": Term("rssi"),
    "error_flags": Term("device_error"),
    "version": Term("firmware_version"),
}
VERSION = ("version_major", "version_minor", "version_patch")


class Decoder:
    """Reads posts; keeps no state."""

    def __init__(self, _: Options) -> None:
        pass

    @of_json
    def decode(self, topic: str, message: Any, payload: bytes) -> Iterable[Measurement | Reject | Remark]:  # noqa: ANN401 -- any JSON
        """See `gateway.contract.MessageDecoder`."""
        del topic
        if type(message) is not dict or "device_id" not in message or "signal_quality" not in message:
            return [refuse("noise", payload, "no post of a ModuleAir or NebuleAir")]
        said = [(name, value) for name, value in message.items() if name != "version"]
        numbers = [message.get(name) for name in VERSION]
        if all(type(number) is int for number in numbers):
            said.append(("version", ".".join(map(str, numbers))))
        unknown = [
            left_out(name, "a code that is not known")
            for name in message
            if name.startswith("ISO_") and not name.endswith("_unit") and name not in TABLE
        ]
        return [*report(said, TABLE, message["device_id"], payload), *unknown]


DRIVER = Driver(
    name="aircarto",
    title="ModuleAir, NebuleAir (AirCarto; ISO codes)",
    link=MqttLink(("aircarto/#",)),
    fields=declared(TABLE),
    max_frame=MAX_MESSAGE,
    decoder=Decoder,
    kinds=("air_quality",),
    experimental=True,
)
