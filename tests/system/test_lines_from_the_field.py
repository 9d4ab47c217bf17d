"""Lines behind serial servers and Modbus gateways, as sites have them, with a configuration file and real sockets.

Ids are those of `tests.support.message_cases`.
"""

import asyncio
import struct
import subprocess
from collections.abc import Mapping
from typing import Any

import pytest

from firmware_sim.bench.tcp_line import SerialServer
from firmware_sim.bench.toml import table
from firmware_sim.parts.modbus import Answer, Question, Slave
from firmware_sim.parts.twin import Frame
from tests.support.rfc2217 import FakePort, rfc2217_server
from tests.support.until import until
from tests.system.conftest import Rig

pytestmark = pytest.mark.system

TEXT = {"driver": "text", "options": {"kind": "air_quality", "columns": ["temperature", "relative_humidity:%"]}}
REPORT = bytes.fromhex("AA C0 D4 04 3A 0A A1 60 1D AB")
"""A report of an SDS011, as its data sheet has it: 123.6 and 261.8 ug/m3."""


class Silent:
    """A device that says nothing by itself; see `firmware_sim.parts.twin.SerialTwin`."""

    def receive(self, data: bytes, now: float) -> list[Frame]:  # noqa: ARG002 -- it hears nothing
        return []

    def tick(self, now: float) -> list[Frame]:  # noqa: ARG002 -- and says nothing
        return []

    def due(self) -> float:
        return float("inf")

    def power_cycle(self, now: float) -> None: ...

    def stop(self) -> None: ...

    def quiet(self) -> bool:
        return True


class Meter(Silent):
    """A unit whose holding registers hold numbers in the orders that makers use."""

    def __init__(self, address: int) -> None:
        self._slave = Slave({address}, self._answer, "seed")
        big, small = struct.pack(">f", 21.5), struct.pack(">d", 22.5)
        self._registers = b"".join(
            (
                big,  # 0: ABCD
                big[2:] + big[:2],  # 2: CDAB, the low word first
                bytes((big[1], big[0], big[3], big[2])),  # 4: BADC, bytes swapped within words
                small,  # 6
                struct.pack(">Q", 2**40 + 1),  # 10
            )
        )

    def receive(self, data: bytes, now: float) -> list[Frame]:
        return self._slave.receive(data, now)

    def due(self) -> float:
        return self._slave.due()

    def _answer(self, question: Question, now: float) -> Answer | int:  # noqa: ARG002 -- it has no clock
        wanted = self._registers[2 * question.register : 2 * (question.register + question.number)]
        return Answer(wanted) if question.function == 3 and len(wanted) == 2 * question.number else 2


def register(field: str, at: int, kind: str, **more: object) -> dict[str, object]:
    return {"field": field, "at": at, "type": kind, **more}


REGISTERS = [
    register("temperature", 0, "float32"),
    register("external_temperature", 2, "float32", order="CDAB"),
    register("surface_temperature", 4, "float32", order="BADC"),
    register("device_temperature", 6, "float64"),
    register("device_error", 10, "uint64"),
]
READ: Mapping[str, object] = {
    "temperature": 21.5,
    "external_temperature": 21.5,
    "surface_temperature": 21.5,
    "device_temperature": 22.5,
    "device_error": 2**40 + 1,
}


async def test_lines_behind_servers_are_read_as_those_of_the_board(rig: Rig) -> None:
    port = FakePort()
    options = {"kind": "air_quality", "registers": REGISTERS}
    unit = {"driver": "modbus", "interval": "200ms", "address": 7, "options": options}
    with rfc2217_server(port) as (number, say, _):
        async with (
            SerialServer(Silent()) as plain,
            SerialServer(Meter(7), "modbus") as tcp,
            SerialServer(Meter(7)) as rtu,
        ):
            addresses: Mapping[str, Mapping[str, Any]] = {
                "g89": {
                    "port": f"rfc2217://127.0.0.1:{number}",
                    "databits": 7,
                    "parity": "E",
                    "dtr": False,
                    "sensor": "g89",
                    **TEXT,
                },
                "g91": {
                    "port": f"socket://127.0.0.1:{plain.port}",
                    "driver": "sds011",
                    "sensor": "g91",
                    "options": {"warm_up": "0s"},
                },
                "g92": {"port": f"modbus://127.0.0.1:{tcp.port}", "devices": [{**unit, "sensor": "g92"}]},
                "g93": {"port": f"socket://127.0.0.1:{rtu.port}", "devices": [{**unit, "sensor": "g93"}]},
            }
            gateway = await rig.gateway(
                *(table(f"sources.{name}", type="serial", **one) for name, one in addresses.items())
            )
            await gateway.listening()
            settings = vars(port)
            assert (settings["bytesize"], settings["parity"]) == (7, "E")
            assert settings["dtr"] is None, "left alone: opening resets no Arduino"
            say(b"\r\n21.50,55.30\r\n")
            plain.say(REPORT)

            def heard() -> set[str]:
                return {point.tags["sensor"] for point in gateway.spooled(torn=True)}

            await until(lambda: heard() == set(addresses))
            await gateway.stop()
    first: dict[str, Mapping[str, object]] = {}
    for point in gateway.spooled():
        fields = {name: value for name, value in point.fields.items() if name != "quality"}
        first.setdefault(point.tags["sensor"], fields)
    assert first == {
        "g89": {"temperature": 21.5, "relative_humidity": pytest.approx(0.553)},
        "g91": {"pm25": 123.6, "pm10": 261.8},
        "g92": READ,
        "g93": READ,
    }


WRONG: Mapping[str, tuple[str, str]] = {
    "tcp": ('type = "serial"\nport = "tcp://127.0.0.1:502"', "write socket://127.0.0.1:502"),
    "modbus_tcp": ('type = "modbus_tcp"\nport = "127.0.0.1:502"', 'port = "modbus://'),
    "bytesize": ('type = "serial"\nport = "/dev/ttyUSB0"\nbytesize = 7', "did you mean 'databits'?"),
}


async def test_what_a_line_cannot_be_is_told_by_the_check_with_what_to_write(rig: Rig) -> None:
    parts = [f'[sources.{name}]\n{text}\ndriver = "sds011"\nsensor = "{name}"\n' for name, (text, _) in WRONG.items()]
    gateway = rig.make_gateway(*parts)
    gateway.directory.mkdir()
    gateway._command()
    done = await asyncio.to_thread(
        subprocess.run, gateway.command("check"), capture_output=True, text=True, check=False
    )
    told = done.stderr.splitlines()
    missing = {
        name: told
        for name, (_, words) in WRONG.items()
        if not any(f"sources.{name}" in line and words in line for line in told)
    }
    assert not missing
