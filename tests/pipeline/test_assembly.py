"""What the configuration says of a serial line is what its devices are given."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.assembly import Parts, serial_source
from gateway.catalogue import CATALOGUE
from gateway.commit import Committer
from gateway.config import check
from gateway.devices import SerialDevice
from gateway.health import Health
from gateway.intake import Intake
from gateway.settings import SerialSource

Build = Callable[..., list[SerialDevice]]


@pytest.fixture
def build(committer: Committer, health: Health, tmp_path: Path) -> Build:
    def make(**source: Any) -> list[SerialDevice]:  # noqa: ANN401 -- any key of a source
        given = {"type": "serial", "port": "/dev/ttyUSB0", **source}
        gateway = {"id": "g", "city": "Koper", "data_dir": str(tmp_path)}
        configuration = check({"gateway": gateway, "sources": {"line": given}}, CATALOGUE)
        intake: Intake = None  # type: ignore[assignment] # nothing is taken
        parts = Parts(configuration, CATALOGUE, intake, committer, health, ())
        line = configuration.sources["line"]
        assert isinstance(line, SerialSource)
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
