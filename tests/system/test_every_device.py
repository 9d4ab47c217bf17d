"""One of every device, at once: each is read, spooled and stored as it measured, once.

Serial devices are on pseudo terminals, one each and three on a bus; the others publish on a real broker, LoRaWAN
devices through a network server. All are the simulated ones, which know nothing of the drivers, and one gateway with
an ordinary configuration reads them all.
"""

import asyncio
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import drivers
from firmware_sim.bench.one_of_each import ON_THE_BUS, OneOfEach
from firmware_sim.servers.influx import line_protocol
from firmware_sim.servers.readback import read_points
from firmware_sim.servers.servers import Influxd, Mosquitto
from firmware_sim.truth.compare import compare
from firmware_sim.truth.points import StoredPoint
from gateway.contract import SerialLink
from tests.support.until import until
from tests.system.conftest import Gateway, Rig

pytestmark = pytest.mark.system

RATE = 40.0
"""Seconds of the devices in one of ours."""
ENOUGH = 3
"""Readings of each sensor."""
HOUR = 3_600_000_000_000

ASKED = "100ms"
"""How often a device on a line is asked: every four seconds of its own."""
PATIENT = "10s"
"""How long the answer of one on a bus is waited for: what comes later is nobody's, and this machine may be busy."""
COUNTING = {"canoga", "ops243", "rtms_g4"}
"""Drivers that add up what passed within their option ``interval``."""
SETTLED = "300ms"
"""When the Natch driver acknowledges: later than the gateway's commit."""
OWN_CLOCK = {"wavetronix_ss105", "wavetronix_ss125"}
"""With the gateway's clock these pass over the interval that they find, since nobody knows when it ended."""


@dataclass
class Day:
    """What all devices measured, what ``zcat`` and ``prehod spool cat`` print of it, and what the database has."""

    devices: OneOfEach
    spooled: list[StoredPoint]
    printed: list[StoredPoint]
    influxdb: list[StoredPoint]


@pytest.fixture(scope="module")
def day(new_rig: Callable[[Path], Rig], tmp_path_factory: pytest.TempPathFactory) -> Day:
    return asyncio.run(_live(new_rig, tmp_path_factory.mktemp("devices")))


async def _live(new_rig: Callable[[Path], Rig], directory: Path) -> Day:
    async with new_rig(directory) as rig:
        broker, influxd = await rig.serve(Mosquitto), await rig.serve(Influxd)
        devices = OneOfEach(7, directory / "devices", broker=broker.url, rate=RATE, epoch=time.time_ns() - HOUR)
        gateway = await rig.gateway(devices.sources_toml(_hurried()), rig.sink(influxd))
        over_mqtt = {name for name in devices.drivers if not _is_serial(name)}
        # What is published before a subscription is nobody's.
        await gateway.until(lambda state: all(state["sources"][name]["up"] for name in over_mqtt))
        async with devices:
            await gateway.listening()
            with suppress(AssertionError):  # a test tells who stays silent
                await until(lambda: not _silent(devices))
            assert await devices.stop_measuring()
            await gateway.until(lambda state: not any(state["spool"]["pending"].values()))
            await gateway.stop()
        assert gateway.exit_code == 0
        assert not gateway.logged(level="error"), gateway.logged(level="error")
        return Day(devices, gateway.spooled(), _printed(gateway), await read_points(influxd))


def _hurried() -> Mapping[str, Mapping[str, Any]]:
    """Return what is said in the sources of drivers whose ordinary settings would take minutes."""
    more: dict[str, dict[str, Any]] = {name: {"interval": ASKED} for name in drivers.names() if _is_serial(name)}
    for name in ON_THE_BUS:
        more[name]["timeout"] = PATIENT
    for name in COUNTING:
        more[name]["options"] = {"interval": "1s"}
    for name in OWN_CLOCK:
        more[name]["options"] = {"clock": "sensor"}
    more["natch"]["options"] = {"settle": SETTLED}
    return more


def _is_serial(name: str) -> bool:
    return isinstance(drivers.load(name).link, SerialLink)


def _silent(devices: OneOfEach) -> dict[str, int]:
    """Return the sensors that have not said enough yet."""
    said = Counter(taken.stored_as for taken in devices.truth if taken.certain)
    return {name: said[name] for name in devices.sensors if said[name] < ENOUGH}


def _printed(gateway: Gateway) -> list[StoredPoint]:
    """Return what ``prehod spool cat`` prints."""
    printed = subprocess.run(gateway.command("spool", "cat"), check=True, capture_output=True).stdout
    points = []
    for outcome in line_protocol.parse(printed, default_time=0):
        assert isinstance(outcome, StoredPoint), str(outcome)
        points.append(outcome)
    return points


def test_every_driver_and_every_codec_has_a_device_to_read(day: Day) -> None:
    assert day.devices.drivers == set(drivers.names())
    assert day.devices.codecs == set(drivers.codec_names())


def test_every_device_was_heard(day: Day) -> None:
    assert _silent(day.devices) == {}
    assert {point.tags["sensor"] for point in day.influxdb} >= set(day.devices.sensors)


@pytest.mark.parametrize("place", ["influxdb", "spooled", "printed"])
def test_what_was_measured_is_there_once_and_nothing_is_made_up(day: Day, place: str) -> None:
    report = compare(day.devices.truth, getattr(day, place))
    assert report.exact, "\n".join(report.differences)
    assert report.measured > ENOUGH * len(day.devices.sensors)
