"""The bench has one of every device, and says how each is to be read."""

import tomllib
from pathlib import Path

import pytest

from firmware_sim.bench.one_of_each import ON_THE_BUS, OneOfEach
from firmware_sim.devices.modbus import LD120
from firmware_sim.devices.senseair_s8 import SenseairS8
from firmware_sim.parts.modbus import with_crc
from firmware_sim.parts.rs485_bus import Bus
from firmware_sim.registry import networks, sensors, twins
from firmware_sim.truth.ledger import Truth

READ_CO2 = bytes.fromhex("04 0003 0001")
READ_TYPE = bytes.fromhex("04 0000 0001")


@pytest.fixture
def configuration(tmp_path: Path) -> dict[str, dict[str, dict[str, object]]]:
    devices = OneOfEach(7, tmp_path, broker="mqtt://127.0.0.1:1884")
    more: dict[str, dict[str, object]] = {
        "sds011": {"interval": "1s"},
        "canoga": {"options": {"interval": "2s"}},
        "modbus": {"interval": "3s"},
    }
    return tomllib.loads(devices.sources_toml(more))


def test_the_configuration_names_every_device(
    configuration: dict[str, dict[str, dict[str, object]]], tmp_path: Path
) -> None:
    sources, named = configuration["sources"], configuration["sensors"]
    assert set(sources) == {*twins(), *networks(), "bus"}
    assert sources["sds198"] == {
        "type": "serial", "port": str(tmp_path / "sds198"), "parity": "N", "driver": "sds198", "sensor": "sds198",
    }  # fmt: skip
    assert sources["ttn"] == {"type": "mqtt", "url": "mqtt://127.0.0.1:1884", "driver": "ttn"}
    assert sources["json"]["topics"] == ["city/+/air"]
    assert {said["codec"] for said in named.values() if "codec" in said} == {*sensors(), "bosch_tps110"}
    assert named["koper/sparkplug_b/bay"]["id"] == "sparkplug_b-bay"


def test_what_a_source_says_besides_is_added_to_what_its_device_needs(
    configuration: dict[str, dict[str, dict[str, object]]],
) -> None:
    sources = configuration["sources"]
    assert sources["sds011"]["interval"] == "1s"
    assert sources["canoga"]["options"] == {
        "pairs": [{"upstream": 1, "downstream": 2, "apart": 4.5}], "interval": "2s",
    }  # fmt: skip
    assert sources["modbus"]["interval"] == "3s"


def test_devices_on_the_bus_have_their_addresses_there(
    configuration: dict[str, dict[str, dict[str, object]]],
) -> None:
    devices = configuration["sources"]["bus"]["devices"]
    assert isinstance(devices, list)
    assert {one["driver"]: one["address"] for one in devices} == ON_THE_BUS
    assert {one["driver"]: one.get("interval") for one in devices}["modbus"] == "3s"
    assert all("address" not in one.get("options", {}) for one in devices)


def test_every_sensor_has_a_name_of_its_own(tmp_path: Path) -> None:
    names = OneOfEach(7, tmp_path).sensors
    assert len(set(names)) == len(names) > len(twins()) + len(sensors())


def test_on_a_bus_the_one_that_is_meant_answers() -> None:
    truth = Truth()
    bus = Bus([SenseairS8("co2", truth, "seed", 1), LD120("loop", truth, "seed", 7)])
    assert [frame.data[0] for frame in bus.receive(with_crc(b"\x01" + READ_CO2), 20.0)] == [1]
    assert [frame.data[:5] for frame in bus.receive(with_crc(b"\x07" + READ_TYPE), 20.0)] == [b"\x07\x04\x02\x00\x22"]
    assert bus.receive(with_crc(b"\x05" + READ_CO2), 20.0) == []


def test_a_bus_is_quiet_when_all_are() -> None:
    bus = Bus([SenseairS8("co2", Truth(), "one", 1), SenseairS8("co2-2", Truth(), "two", 2)])
    bus.twins[0].stop()
    assert not bus.quiet()
    bus.stop()
    assert bus.quiet()
    assert bus.receive(with_crc(b"\x01" + READ_CO2), 20.0) == []
