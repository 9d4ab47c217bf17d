"""Sensor.Community stations (airrohr firmware): their posts to a custom server, passed on to MQTT unchanged.

JSON, every 145 s, without a time; **every value is a text**::

    {"esp8266id": "1844542", "software_version": "NRZ-2017-099", "sensordatavalues": [
        {"value_type": "SDS_P1", "value": "4.37"}, {"value_type": "SDS_P2", "value": "2.23"},
        {"value_type": "BMP_pressure", "value": "102372"}, {"value_type": "signal", "value": "-73"}, ...]}

Worked: PM10 4.37 and PM2.5 2.23 ug/m3, 1023.72 hPa, a radio level of -73 dBm, sensor ``1844542``.

P0, P1, P2 and P4 are PM1, PM10, PM2.5 and PM4, bare or after the name of the part that measured: ``SDS_``, ``PMS_``,
``HPM_``, ``NPM_``, ``IPS_``, ``SPS30_``; SPS30 and NPM have counts as well, ``N05`` to ``N10`` in 1 cm3, and an SPS30
the typical size ``TS`` in um. Pressure is in Pa, humidity in percent. Where two parts measure the same, the first
counts: the firmware names the thermometer in the open before those inside its case; where the first has no value
(``nan`` of a DHT22 that does not answer; -1, or -128 degrees), the second does not stand in for it. ``HECA_`` is the
air in a heated inlet. ``samples``, ``min_micro`` and ``max_micro`` tell of the firmware's loop, not of the air. Old
firmware writes ``-73 dBm``. Beside ``ratioP1``, bare P1 and P2 are particles in 0.01 cubic feet as a PPD42NS counts
them: no mass, and left out.

The number of the chip is in the message, as a key that ends in ``id`` (``esp8266id``, ``esp32id``; ``moduleairid``,
``nebuleairid`` of AtmoSud's stations, which speak the same with the parts BMX280, MHZ16, MHZ19 and CCS811); where it
is not (it may be in a header that a bridge does not pass on), the topic's last level names the sensor.

Sources: the messages of airrohr firmware NRZ-2016 to NRZ-2020-133, NAMF-2020 and ModuleAirV2, and their source.
"""

from collections.abc import Iterable
from typing import Any

from drivers.common.flat_json import PERCENT, Term, declared, left_out, report
from drivers.common.json_messages import MAX_MESSAGE, find, of_json, refuse
from gateway.contract import Driver, Measurement, MqttLink, Options, Reject, Remark

_DUST = {"P0": "pm1", "P1": "pm10", "P2": "pm25", "P4": "pm4"}
_CLIMATE = {
    "temperature": Term("temperature", least=-127),
    "humidity": Term("relative_humidity", PERCENT, least=0),
    "pressure": Term("atmospheric_pressure", 0.01, least=0),
}
_PARTS = ("BME280", "BMX280", "BMP280", "BMP", "SHT3X", "HTU21D", "SCD30", "DS18B20")
TABLE: dict[str, Term] = {
    **{
        f"{part}{size}": Term(name, least=0)
        for size, name in _DUST.items()
        for part in ("", "SDS_", "PMS_", "HPM_", "NPM_")
    },
    **{f"{part}_{size}": Term(name, least=0) for size, name in _DUST.items() for part in ("IPS", "SPS30")},
    **_CLIMATE,
    **{f"{part}_{name}": term for name, term in _CLIMATE.items() for part in _PARTS},
    **{f"SPS30_N{size}": Term(f"particles_up_to_{size}", least=0) for size in ("05", "1", "25", "4", "10")},
    **{f"NPM_N{size}": Term(f"particles_up_to_{size}", least=0) for size in ("1", "25", "10")},
    **{name: Term("co2", least=0) for name in ("SCD30_co2_ppm", "MHZ16_CO2", "MHZ19_CO2")},
    "CCS811_VOC": Term("tvoc", least=0),
    "SPS30_TS": Term("typical_particle_size"),
    "DNMS_noise_LAeq": Term("sound_level"),
    "DNMS_noise_LA_max": Term("sound_level_max"),
    "signal": Term("rssi"),
    "software_version": Term("firmware_version"),
}
"""The firmware's names."""


class Decoder:
    """Reads what one station posts; keeps no state."""

    def __init__(self, _: Options) -> None:
        pass

    @of_json
    def decode(self, topic: str, message: Any, payload: bytes) -> Iterable[Measurement | Reject | Remark]:  # noqa: ANN401 -- any JSON
        """See `gateway.contract.MessageDecoder`."""
        values = find(message, ("sensordatavalues",))
        if type(values) is not list:
            return [refuse("noise", payload, "no message of an airrohr station")]
        said = [("software_version", message["software_version"])] if "software_version" in message else []
        remarks: list[Remark] = []
        for one in values:
            if type(one) is not dict or type(kind := one.get("value_type")) is not str:
                remarks.append(left_out("a value without its type", one))
                continue
            value = one.get("value")
            said.append((kind, value.removesuffix(" dBm") if kind == "signal" and type(value) is str else value))
        if _COUNTED & {kind for kind, _ in said}:
            remarks += (left_out(name, "beside ratioP1 it is no mass") for name in _BARE & {kind for kind, _ in said})
            said = [one for one in said if one[0] not in _BARE]
        chip = next(
            (value for name, value in message.items() if name.endswith("id") and value not in (None, "")), None
        )
        return [*report(said, TABLE, topic.rpartition("/")[2] if chip is None else chip, payload), *remarks]


_COUNTED, _BARE = {"durP1", "ratioP1", "durP2", "ratioP2"}, {"P1", "P2"}


DRIVER = Driver(
    name="sensor_community",
    title="Sensor.Community (airrohr)",
    link=MqttLink(("airrohr/+",)),
    fields=declared(TABLE),
    max_frame=MAX_MESSAGE,
    decoder=Decoder,
    kinds=("air_quality",),
)
