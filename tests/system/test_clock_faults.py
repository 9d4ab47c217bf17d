"""A board without a clock, for real: the daemon under a wall clock of our making, a broker and a database.

libfaketime moves the daemon's wall clock and nothing else; a mount namespace gives it a boot id and a word of
systemd-timesyncd's that are ours.
"""

import asyncio
import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from firmware_sim.bench.pty_line import SerialLine
from firmware_sim.devices.nmea0183 import Nmea0183
from firmware_sim.patience import patience
from firmware_sim.servers.readback import read_points
from firmware_sim.servers.servers import Influxd, Mosquitto
from firmware_sim.truth.ledger import Truth
from firmware_sim.truth.points import StoredPoint
from gateway.clock import kernel_synchronized
from gateway.sources.gnss import metres
from tests.support.requirements import OWN_MOUNTS, require_faketime, require_own_mounts
from tests.system.conftest import Gateway, Rig, State

pytestmark = pytest.mark.system

SECOND = 10**9
HOUR = 3600
QUICK = """[sources.quick]
type = "mqtt"
url = "{url}"
driver = "json"
topics = ["quick/+/air"]
[sources.quick.options]
kind = "air_quality"
sensor = "topic:1"
fields = {{ pm25 = "pm25" }}
"""


ROOF = """[sources.roof]
type = "serial"
port = "{port}"
driver = "nmea0183"
sensor = "gnss-roof"
options = {{ interval = "0s" }}
"""


class FakeMachine:
    """What the daemon believes about its machine: the time, whether that is right, and which boot this is."""

    def __init__(self, directory: Path) -> None:
        self._faketime = require_faketime()
        self._timesync = directory / "run" / "timesync"
        self._timesync.mkdir(parents=True)
        self._offset = directory / "offset"
        self._boot = directory / "boot_id"
        self.boot(1)

    def boot(self, number: int) -> None:
        """Be another boot of the machine, which knows nothing of the time."""
        self._boot.write_text(f"{number:08d}-0000-4000-8000-000000000000\n")
        (self._timesync / "synchronized").unlink(missing_ok=True)

    def believe(self, seconds: float) -> None:
        """Let the wall clock be this many seconds off."""
        fresh = self._offset.with_suffix(".new")
        fresh.write_text(f"{seconds:+f}\n")
        fresh.replace(self._offset)

    def synchronize(self) -> None:
        """Let timesyncd say that the clock is right."""
        (self._timesync / "synchronized").touch()

    def within(self) -> list[str]:
        """Return the command that runs another on this machine."""
        script = 'mount --bind "$1" /run/systemd && mount --bind "$2" /proc/sys/kernel/random/boot_id && shift 2 && '
        script += 'exec env "$@"'
        faked = [
            f"LD_PRELOAD={self._faketime}",
            f"FAKETIME_TIMESTAMP_FILE={self._offset}",
            "FAKETIME_NO_CACHE=1",
            "FAKETIME_DONT_FAKE_MONOTONIC=1",
        ]
        places = [str(self._timesync.parent), str(self._boot)]
        return [*OWN_MOUNTS, "sh", "-c", script, "sh", *places, *faked]


@pytest.fixture
def machine(tmp_path: Path) -> FakeMachine:
    require_own_mounts()
    if kernel_synchronized():
        pytest.skip("this machine's kernel says that its clock is right, and no namespace can hide that")
    return FakeMachine(tmp_path / "machine")


class Station:
    """Stations without a clock: each reading is a number, and between which true times it was taken is noted."""

    def __init__(self, url: str) -> None:
        self.sent: dict[int, tuple[int, int]] = {}
        host, _, port = url.removeprefix("mqtt://").partition(":")
        self._client = paho.Client(CallbackAPIVersion.VERSION2, "station")
        self._client.connect(host, int(port))
        self._client.loop_start()

    async def says(self, count: int, gateway: Gateway) -> None:
        """Publish the next numbers, and wait until the gateway has taken them."""
        known = _taken(await gateway.state())
        began: list[int] = []
        for number in range(len(self.sent), len(self.sent) + count):
            began.append(time.time_ns())
            published = self._client.publish("quick/q1/air", json.dumps({"pm25": number}), qos=1)
            await asyncio.to_thread(published.wait_for_publish, patience())
        await gateway.until(lambda state: _taken(state) >= known + count)
        self.sent |= {len(self.sent) + index: (before, time.time_ns()) for index, before in enumerate(began)}

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def _taken(state: State) -> int:
    """Return how many messages of the stations came, those that came again left out."""
    quick = state["sources"]["quick"]
    return int(quick["messages"]) - int(quick["repeated"])


async def others(database: Influxd) -> list[StoredPoint]:
    """Return what the database has that is not of the stations."""
    return [point for point in await read_points(database) if point.tags.get("sensor") != "q1"]


async def stored(database: Influxd) -> dict[int, StoredPoint]:
    """Return what the database has of the stations: number -> point; each is there once."""
    points = [point for point in await read_points(database) if point.tags.get("sensor") == "q1"]
    found = {int(str(point.fields["pm25"]).partition(".")[0]): point for point in points}
    assert len(found) == len(points)
    return found


async def all_of(station: Station, database: Influxd) -> dict[int, StoredPoint]:
    """Wait until the database has everything that the stations sent, and return it as `stored` does."""
    async with asyncio.timeout(patience()):
        found = await stored(database)
        while found.keys() != station.sent.keys():
            await asyncio.sleep(0.1)
            found = await stored(database)
    return found


async def begin(
    rig: Rig, machine: FakeMachine, off: float, *more: str, own: str = ""
) -> tuple[Gateway, Mosquitto, Influxd]:
    broker, database = await rig.serve(Mosquitto), await rig.serve(Influxd)
    parts = rig.stream_source(broker.url), QUICK.format(url=broker.url), rig.sink(database)
    gateway = rig.make_gateway(*parts, *more)
    gateway.own = own
    gateway.clock, gateway.within = "auto", machine.within()
    machine.believe(off)
    await gateway.start()
    await gateway.listening()
    return gateway, broker, database


async def test_a_board_that_boots_in_1970_stores_what_has_a_time_and_dates_the_rest_once_it_knows_it(
    rig: Rig, machine: FakeMachine
) -> None:
    gateway, broker, database = await begin(rig, machine, 5 - time.time())
    station, stream = Station(broker.url), rig.stream(broker.url)
    try:
        await station.says(3, gateway)
        stream.send(500)
        await stream.sent()
        state = await gateway.until(lambda state: state["spool"]["readings"] >= 503)
        await gateway.until(lambda state: state["sinks"]["influxd"]["pending"] == 3)
        assert not stream.differences(await others(database)), "readings with a time of their own do not wait"
        assert not await stored(database)
        assert any("clock" in problem for problem in state["problems"])
        gateway.kill()
        await gateway.start()
        await gateway.listening()
        await station.says(2, gateway)
        await gateway.until(lambda state: state["sinks"]["influxd"]["pending"] == 5)
        machine.believe(0)
        machine.synchronize()
        await gateway.until(lambda state: state["clock_known"])
        await station.says(2, gateway)
        await gateway.until(
            lambda state: state["spool"]["readings"] >= 507 and not state["sinks"]["influxd"]["pending"]
        )
        found = await stored(database)
        assert found.keys() == station.sent.keys()
        for number, (before, after) in station.sent.items():
            # A second of room: the offset is read once a second.
            assert before - SECOND <= found[number].time <= after + SECOND
            assert found[number].fields["quality"] == 0
        assert not stream.differences(await others(database))
        assert len(gateway.logged(event="clock-deferred readings sent")) == 1
    finally:
        station.close()


async def test_a_boot_that_never_knew_the_time_is_dated_by_the_next_one_marked_and_never_in_the_future(
    rig: Rig, machine: FakeMachine
) -> None:
    gateway, broker, database = await begin(rig, machine, -HOUR)  # as a board without a clock: its last shutdown
    station = Station(broker.url)
    try:
        await station.says(3, gateway)
        await gateway.until(lambda state: state["spool"]["readings"] >= 3)
        gateway.kill()
        machine.boot(2)
        machine.believe(-2 * HOUR)
        await gateway.start()
        await gateway.listening()
        await station.says(2, gateway)
        await gateway.until(lambda state: state["spool"]["readings"] >= 5)
        machine.believe(0)
        machine.synchronize()
        await gateway.until(
            lambda state: state["spool"]["readings"] >= 5 and not state["sinks"]["influxd"]["pending"]
        )
        found = await stored(database)
        assert found.keys() == station.sent.keys()
        assert [int(found[number].fields["quality"]) & 8 for number in range(5)] == [8, 8, 8, 0, 0]
        assert all(point.time <= time.time_ns() for point in found.values())
        assert found[0].time < found[1].time < found[2].time < found[3].time < found[4].time
        assert found[3].time >= station.sent[3][0] - SECOND
    finally:
        station.close()


async def test_a_board_without_network_and_without_a_clock_has_both_from_its_receiver_which_may_jump(
    rig: Rig, machine: FakeMachine, tmp_path: Path
) -> None:
    truth = Truth()
    twin = Nmea0183("gnss-roof", truth, "seed", epoch=datetime.now(UTC), search=0.0)
    twin.fix = False
    async with SerialLine(twin, tmp_path / "roof"):
        roof = ROOF.format(port=tmp_path / "roof")
        gateway, broker, database = await begin(rig, machine, 5 - time.time(), roof, own='gnss = "roof"')
        station = Station(broker.url)
        try:
            await station.says(3, gateway)
            state = await gateway.until(lambda state: state["sources"]["roof"]["rejects"])
            assert (state["clock_source"], state["location"]) == ("unknown", None)
            twin.fix = True
            state = await gateway.until(lambda state: state["clock_known"] and state["location"])
            assert (state["clock_source"], state["location_source"]) == ("gnss", "gnss")
            seen = next(iter(truth)).fields
            assert metres(tuple(state["location"]), (float(seen["latitude"]), float(seen["longitude"]))) < 30
            await station.says(2, gateway)
            twin.clock_off = timedelta(hours=-1)
            state = await gateway.until(lambda state: state["gnss"]["disbelieved_s"])
            assert any("roof jumped 3600" in problem for problem in state["problems"])
            await station.says(2, gateway)
            await all_of(station, database)
            gateway.kill()
            await gateway.start()
            await gateway.listening()
            await station.says(2, gateway)
            found = await all_of(station, database)
            for number, (before, after) in station.sent.items():
                # A sentence's way, and the second of room that the others have.
                assert before - 2 * SECOND <= found[number].time <= after + 2 * SECOND
                assert found[number].fields["quality"] == 0
            times = [found[number].time for number in sorted(found)]
            assert times == sorted(times)
        finally:
            station.close()


async def test_a_clock_that_jumps_ahead_and_back_is_told_and_loses_nothing(rig: Rig, machine: FakeMachine) -> None:
    machine.synchronize()
    gateway, broker, database = await begin(rig, machine, 0)
    station = Station(broker.url)
    try:
        for steps, off in enumerate((2 * HOUR, 0, -120, 0), 1):
            await station.says(3, gateway)
            machine.believe(off)
            await gateway.until(lambda state, steps=steps: state["clock_steps"] == steps)  # type: ignore[misc] # mypy cannot infer a lambda with a default
        await station.says(3, gateway)
        await gateway.holds(15)
        assert (await stored(database)).keys() == station.sent.keys()
        told = [round(entry["seconds"] / 60) for entry in gateway.logged(event="clock stepped")]
        assert told == [120, -120, -2, 2]
    finally:
        station.close()
