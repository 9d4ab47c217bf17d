"""What the configuration says of a serial line is what its devices are given."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from gateway.clock import Timekeeper
from gateway.config.load import check
from gateway.contract import Measurement
from gateway.daemon.assembly import Parts, receiver, serial_source
from gateway.daemon.catalogue import CATALOGUE
from gateway.health import Health
from gateway.ingest.committer import Committer
from gateway.ingest.intake import Intake
from gateway.sources.serial_device import SerialDevice
from gateway.sources.settings import SerialSourceSettings

Build = Callable[..., list[SerialDevice]]


@pytest.fixture
def build(committer: Committer, health: Health, timekeeper: Timekeeper, tmp_path: Path) -> Build:
    def make(own: Mapping[str, Any] = MappingProxyType({}), **source: Any) -> list[SerialDevice]:  # noqa: ANN401 -- any key of a source
        given = {"type": "serial", "port": "/dev/ttyUSB0", **source}
        gateway = {"id": "g", "city": "Koper", "data_dir": str(tmp_path), **own}
        configuration = check({"gateway": gateway, "sources": {"line": given}}, CATALOGUE)
        intake = Intake(configuration.gateway, {}, timekeeper=timekeeper, health=health)
        gnss = receiver(configuration, timekeeper, intake, health)
        parts = Parts(configuration, CATALOGUE, intake, committer, health, timekeeper, (), gnss)
        line = configuration.sources["line"]
        assert isinstance(line, SerialSourceSettings)
        return serial_source("line", line, parts)._devices

    return make


@pytest.mark.parametrize(
    ("source", "patience"),
    [
        ({}, 60),
        ({"interval": "30s"}, 300),
        ({"options": {"working_period": "5min"}}, 360),
        ({"restart_after": "2min"}, 120),
        ({"restart_after": "0s", "options": {"working_period": "5min"}}, 0),
    ],
)
async def test_a_device_is_started_anew_after_ten_intervals_a_minute_or_its_own_sleep(
    build: Build, source: dict[str, Any], patience: float
) -> None:
    (device,) = build(driver="sds011", sensor="aq-1", **source)
    assert device.patience == patience


async def test_each_device_of_a_bus_has_its_own_patience(build: Build) -> None:
    one = {"driver": "senseair_s8", "address": 1, "sensor": "co2-1", "restart_after": "5min"}
    two = {"driver": "senseair_s8", "address": 2, "sensor": "co2-2", "interval": "1s"}
    assert [device.patience for device in build(devices=[one, two])] == [300, 60]


async def test_a_driver_of_messages_on_a_serial_line_is_fed_lines_and_never_started_anew(build: Build) -> None:
    options = {"kind": "air_quality", "fields": {"temperature": "t"}}
    (device,) = build(driver="json", sensor="aq-1", options=options)
    decoder = device.make_decoder()
    said = [*decoder.feed(b"", 0), *decoder.feed(b'{"t":21.5}\r\n{"t":', 10**9), *decoder.feed(b"22.5}\r\n", 10**9)]
    assert [dict(one.fields) for one in said if isinstance(one, Measurement)] == [
        {"temperature": 21.5},
        {"temperature": 22.5},
    ]
    assert device.patience == 0


FIX = b"$GNGGA,123519.00,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,*77\r\n"
HERE = (48.1173, 11.51667)
ROOF = {"driver": "nmea0183", "sensor": "gnss-roof", "options": {"interval": "0s"}}


@pytest.mark.parametrize(
    ("own", "place", "source"),
    [
        ({}, None, "unknown"),
        ({"gnss": "line"}, HERE, "gnss"),
        ({"gnss": "line", "location": [45.5, 13.7]}, (45.5, 13.7), "configured"),
        ({"location": [45.5, 13.7]}, (45.5, 13.7), "configured"),
    ],
)
async def test_the_gateway_stands_where_the_configuration_says_or_else_its_receiver(
    build: Build, health: Health, own: dict[str, Any], place: tuple[float, float] | None, source: str
) -> None:
    (device,) = build(own, **ROOF)
    decoder = device.make_decoder()
    said = [one for _ in range(9) for one in decoder.feed(FIX, 0)]
    assert [one.kind for one in said if isinstance(one, Measurement)] == ["position"] * 9
    assert (health.location, health.location_source) == (place, source)
    assert (health.gnss is None) == ("gnss" not in own)
