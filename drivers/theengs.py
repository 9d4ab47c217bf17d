"""OpenMQTTGateway and Theengs Gateway: Bluetooth sensors (RuuviTag, Xiaomi, Govee, Qingping, ..) as they decode them.

MQTT, JSON, topic ``home/{gateway}/BTtoMQTT/{address}``, every time that a gateway hears one::

    {"id": "CB:B8:33:0A:0B:0C", "name": "Ruuvi 0B0C", "rssi": -68, "brand": "Ruuvi", "model": "RuuviTag",
     "model_id": "RuuviTag_RAWv2", "type": "ACEL", "tempc": 24.3, "tempf": 75.74, "hum": 53.49, "pres": 1000.44,
     "volt": 2.977, "tx": 4, "mov": 66, "seq": 205, "mac": "CB:B8:33:0A:0B:0C"}

Worked: of the sensor ``CB:B8:33:0A:0B:0C`` 24.3 degrees, 53.49 %, 1000.44 hPa, a battery of 2.977 V, -68 dBm.

Quirks: ``type`` tells what a temperature is of: of the air for THB, THBX, AIR, ACEL, PLANT and CTMO, and for nothing
else (BBQ and TIRE say the meat's and the tyre's): these are left alone. A RuuviTag that cannot measure says -163.84
degrees, 163.84 % or 1155.35 hPa: what no air can be is left out. ``for`` is formaldehyde in mg/m3, ``lux`` light,
``lowbatt`` and ``motion`` are yes or no. Two gateways that hear one sensor say it twice, and both are kept, each at
its time: give the gateways topics of their own to hear one. No time is said. A message without a model was not
decoded.

Source: the Theengs Decoder's device descriptions and tests, v1.9 (October 2024), and OpenMQTTGateway's documentation.
"""

from collections.abc import Iterable
from typing import Any

from drivers.common.flat_json import PERCENT, Term, declared, left_out, report
from drivers.common.json_messages import MAX_MESSAGE, of_json, refuse
from gateway.contract import Driver, Measurement, MqttLink, Options, Reject, Remark

TYPES = frozenset({"THB", "THBX", "AIR", "ACEL", "PLANT", "CTMO"})
TABLE = {
    "tempc": Term("temperature", least=-100),
    "hum": Term("relative_humidity", PERCENT, least=0),
    "pres": Term("atmospheric_pressure", least=300),
    "pm25": Term("pm25", least=0),
    "pm10": Term("pm10", least=0),
    "co2": Term("co2", least=0),
    "for": Term("ch2o", 1000.0, least=0),
    "lux": Term("illuminance", least=0),
    "motion": Term("motion"),
    "batt": Term("battery_level", PERCENT, least=0),
    "volt": Term("battery_voltage", least=0),
    "lowbatt": Term("battery_low"),
    "rssi": Term("rssi"),
}
MOST = {"tempc": 100.0, "hum": 105.0, "pres": 1150.0}
"""What is more stands for no value: it is how a tag says that it cannot measure."""


class Decoder:
    """Reads decoded advertisements; keeps no state."""

    def __init__(self, _: Options) -> None:
        pass

    @of_json
    def decode(self, topic: str, message: Any, payload: bytes) -> Iterable[Measurement | Reject | Remark]:  # noqa: ANN401 -- any JSON
        """See `gateway.contract.MessageDecoder`."""
        del topic
        if type(message) is not dict or not {"id", "rssi"} <= message.keys():
            return [refuse("noise", payload, "no Bluetooth message of OpenMQTTGateway's or Theengs'")]
        if "model_id" not in message and "model" not in message:
            return [refuse("unsupported", payload, "the gateway did not decode it: it names no model")]
        kind = message.get("type")
        if type(kind) is str and kind not in TYPES:
            return [refuse("unsupported", payload, f"of type {kind[:32]}, no sensor of the air")]
        said: list[tuple[str, object]] = []
        remarks: list[Remark] = []
        for name, value in message.items():
            if name in MOST and type(value) in (int, float) and value > MOST[name]:
                remarks.append(left_out(name, f"{value:g} stands for no value"))
            else:
                said.append((name, int(value) if name == "motion" and type(value) is bool else value))
        return [*report(said, TABLE, message["id"], payload), *remarks]


DRIVER = Driver(
    name="theengs",
    title="OpenMQTTGateway, Theengs (Bluetooth sensors)",
    link=MqttLink(("home/+/BTtoMQTT/+",)),
    fields=declared(TABLE),
    max_frame=MAX_MESSAGE,
    decoder=Decoder,
    kinds=("air_quality",),
)
