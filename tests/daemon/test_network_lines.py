"""Lines behind networks, all the way into a database: cut in the middle of a frame, held by another, Modbus TCP."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from firmware_sim.bench.tcp_line import SerialServer
from firmware_sim.devices.modbus import LD120
from firmware_sim.devices.sds011 import Sds011
from firmware_sim.parts.modbus import Answer, Question, Slave, words
from firmware_sim.parts.rs485_bus import Bus
from firmware_sim.parts.twin import Frame
from firmware_sim.patience import patience
from firmware_sim.servers.influx.endpoint import InfluxEndpoint
from firmware_sim.truth.ledger import Truth
from gateway.config.load import check
from gateway.daemon import app
from gateway.daemon.app import Daemon
from gateway.daemon.catalogue import CATALOGUE
from tests.support.until import until


@pytest.fixture(autouse=True)
def short_goodbye(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "GOODBYE", 0.3)


@pytest.fixture
async def database() -> AsyncIterator[InfluxEndpoint]:
    async with InfluxEndpoint() as endpoint:
        yield endpoint


@asynccontextmanager
async def running(database: InfluxEndpoint, directory: Path, **source: Any) -> AsyncIterator[Daemon]:  # noqa: ANN401 -- any key of a source
    configuration = check(
        {
            "gateway": {"id": "koper-01", "city": "Koper", "data_dir": str(directory), "clock": "system"},
            "spool": {"commit_interval": "20ms", "min_free_bytes": 0},
            "sources": {"line": {"type": "serial", **source}},
            "sinks": {"influx": {"type": "influxdb", "url": database.url, "org": "o", "bucket": "city"}},
        },
        CATALOGUE,
    )
    stop, ready = asyncio.Event(), asyncio.Event()
    daemon = Daemon(configuration)
    task = asyncio.create_task(daemon.run(stop, ready.set))
    try:
        await asyncio.wait_for(ready.wait(), patience())
        yield daemon
    finally:
        stop.set()
        try:
            await asyncio.wait_for(task, patience())
        finally:
            daemon.close()


class Talker:
    """A dust sensor of which the test says when it reports; see `firmware_sim.parts.twin.SerialTwin`."""

    def receive(self, data: bytes, now: float) -> list[Frame]:  # noqa: ARG002 -- it hears nothing
        return []

    def tick(self, now: float) -> list[Frame]:  # noqa: ARG002 -- and says nothing by itself
        return []

    def due(self) -> float:
        return float("inf")

    def power_cycle(self, now: float) -> None: ...

    def stop(self) -> None: ...

    def quiet(self) -> bool:
        return True


def report(pm25: float) -> bytes:
    """Return a frame of an SDS011 as its data sheet has it."""
    body = int(pm25 * 10).to_bytes(2, "little") + bytes((100, 0)) + b"\xa1\x60"
    return b"\xaa\xc0" + body + bytes([sum(body) & 0xFF]) + b"\xab"


def stored(database: InfluxEndpoint) -> list[float]:
    return [float(point.fields["pm25"]) for point in database.points() if "pm25" in point.fields]


async def test_a_connection_that_is_cut_in_a_frame_costs_that_frame_and_comes_back(
    database: InfluxEndpoint, tmp_path: Path
) -> None:
    async with SerialServer(Talker()) as server:
        line = {"port": f"socket://127.0.0.1:{server.port}", "driver": "sds011", "sensor": "aq-1", "interval": "1h"}
        async with running(database, tmp_path, **line) as daemon:
            await until(lambda: server.connections == 1)
            server.say(report(11.0) + report(12.0)[:6])
            await until(lambda: stored(database) == [11.0])
            server.drop()
            await until(lambda: server.connections == 2)
            server.say(report(13.0)[:4])
            await server.unplug()
            await until(lambda: "nothing listens there" in str(daemon.health.snapshot()["problems"]))
            await server.plug()
            await until(lambda: server.connections == 3)
            server.say(report(14.0))
            await until(lambda: stored(database) == [11.0, 14.0])
            assert daemon.health.snapshot()["problems"] == []
        # After the daemon has gone the line is free: the half frames were noise, and nothing was doubled.
        assert stored(database) == [11.0, 14.0]


async def test_a_twin_behind_a_serial_server_is_started_and_heard(database: InfluxEndpoint, tmp_path: Path) -> None:
    truth = Truth()
    async with SerialServer(Sds011("aq-1", truth, "dust"), rate=20) as server:
        line = {"port": f"socket://127.0.0.1:{server.port}", "driver": "sds011", "sensor": "aq-1"}
        async with running(database, tmp_path, **line):
            await until(lambda: len(stored(database)) >= 3)
    entered = Counter(float(one.fields["pm25"]) for one in truth)
    assert not Counter(stored(database)) - entered


class Meter:
    """A power meter with registers of 64 bits; see `firmware_sim.parts.twin.SerialTwin`."""

    TEXT = b"EM-24\0"

    def __init__(self, address: int) -> None:
        self.asked: list[Question] = []
        self._slave = Slave({address}, self._answer, "seed")

    def receive(self, data: bytes, now: float) -> list[Frame]:
        return self._slave.receive(data, now)

    def tick(self, now: float) -> list[Frame]:  # noqa: ARG002 -- it says nothing by itself
        return []

    def due(self) -> float:
        return self._slave.due()

    def power_cycle(self, now: float) -> None: ...

    def stop(self) -> None: ...

    def quiet(self) -> bool:
        return True

    def _answer(self, question: Question, now: float) -> Answer | int:  # noqa: ARG002 -- it has no clock
        self.asked.append(question)
        registers = {
            0: words(0x0000, 0x41AC),  # 21.5, low word first
            2: words(0x4035, 0x8000, 0, 0),  # 21.5 in 64 bits
            6: self.TEXT,
            9: words(0x8000),
        }
        data = b"".join(registers.values())
        wanted = data[2 * question.register : 2 * (question.register + question.number)]
        return Answer(wanted) if question.function == 4 and len(wanted) == 2 * question.number else 2


async def test_several_units_behind_one_modbus_gateway_are_read_and_the_absent_one_is_told(
    database: InfluxEndpoint, tmp_path: Path
) -> None:
    meter, detector = Meter(7), LD120("loop", Truth(), "seed", address=3)
    options = {
        "kind": "air_quality",
        "registers": [
            {"field": "temperature", "table": "input", "at": 0, "type": "float32", "order": "CDAB"},
            {"field": "external_temperature", "table": "input", "at": 2, "type": "float64"},
            {"field": "serial_number", "table": "input", "at": 6, "type": "string", "length": 3},
            {"field": "surface_temperature", "table": "input", "at": 9, "type": "int16", "missing": 0x8000},
        ],
    }
    loop = {"kind": "traffic", "registers": [{"field": "device_error", "table": "input", "at": 1}]}
    devices = [
        {"driver": "modbus", "address": 7, "sensor": "meter", "options": options},
        {"driver": "modbus", "address": 3, "sensor": "loop", "options": loop},
        {"driver": "modbus", "address": 9, "sensor": "absent", "options": loop},
    ]
    for device in devices:
        device |= {"interval": "100ms", "timeout": "200ms"}
    async with (
        SerialServer(Bus([meter, detector]), "modbus") as server,
        running(database, tmp_path, port=f"modbus://127.0.0.1:{server.port}", devices=devices) as daemon,
    ):
        await until(lambda: {"meter", "loop"} <= {point.tags["sensor"] for point in database.points()})
        first = next(point for point in database.points() if point.tags["sensor"] == "meter")
        values = {name: value for name, value in first.fields.items() if name != "quality"}
        assert values == {"temperature": 21.5, "external_temperature": 21.5, "serial_number": "EM-24"}
        assert {(one.register, one.number) for one in meter.asked} == {(0, 10)}, "one question for all"
        await until(lambda: "line: absent does not answer" in daemon.health.snapshot()["problems"])


async def test_modbus_rtu_over_tcp_is_a_serial_server_with_modbus_on_its_line(
    database: InfluxEndpoint, tmp_path: Path
) -> None:
    register = {"field": "temperature", "table": "input", "at": 2, "type": "float64"}
    options = {"kind": "air_quality", "registers": [register]}
    device = {"driver": "modbus", "address": 7, "sensor": "meter", "interval": "100ms", "options": options}
    async with (
        SerialServer(Meter(7)) as server,
        running(database, tmp_path, port=f"socket://127.0.0.1:{server.port}", devices=[device]),
    ):
        await until(lambda: any(point.fields.get("temperature") == 21.5 for point in database.points()))
