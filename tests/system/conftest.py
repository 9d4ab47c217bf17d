"""The rig of the system tests: it starts real servers, gateways, streams, disks and wires, and ends them all."""

import math
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self, TypeVar

import pytest

from firmware_sim.servers.servers import Influxd, Mosquitto, VictoriaMetrics
from firmware_sim.torture.wire import Wire
from tests.support.requirements import require_disk_image, require_program
from tests.system.disks import Disk
from tests.system.gateway import Gateway, State
from tests.system.stream import Stream, stream_source

__all__ = ["Disk", "Gateway", "Rig", "State", "Stream"]

Server = TypeVar("Server", bound=Mosquitto | Influxd | VictoriaMetrics)


class Rig:
    """Starts what a test asks for, in the test's own directory, and ends it with the test."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def serve(self, kind: type[Server], **options: Any) -> Server:  # noqa: ANN401 -- the server's own settings
        """Start a server; skip the test where it is not installed."""
        require_program(kind.name)
        server: Server = kind(self._directory / kind.name, **options)
        await self._stack.enter_async_context(server)
        return server

    async def gateway(self, *parts: str) -> Gateway:
        """Start a gateway with these parts of a configuration."""
        gateway = self.make_gateway(*parts)
        await gateway.start()
        return gateway

    def make_gateway(self, *parts: str) -> Gateway:
        """Make the same gateway, to be started by the test."""
        gateway = Gateway(self._directory / "gateway", "\n".join(parts))
        self._stack.callback(gateway.close)
        return gateway

    def disk(self, mebibytes: int, image: str = "disk.img") -> Disk:
        """Make an empty ext4 disk."""
        require_disk_image()
        disk = Disk(self._directory / image, mebibytes)
        self._stack.callback(disk.unmount)
        return disk

    def stream(self, broker: str, rate: float = math.inf, **login: str) -> Stream:
        """Begin a stream; nothing is published yet."""
        stream = Stream(broker, rate, **login)
        self._stack.callback(stream.close)
        return stream

    @staticmethod
    def stream_source(url: str, **settings: str) -> str:
        """Return the source, named ``stream``, that takes a `Stream`."""
        return stream_source(url, **settings)

    @staticmethod
    def sink(database: Influxd | VictoriaMetrics, **settings: str) -> str:
        """Return the sink for a database, named as that is."""
        if isinstance(database, Influxd):
            settings |= {"api": "v1", "database": database.database}
        else:
            settings |= {"org": "koper", "bucket": "city"}
        settings |= {"type": "influxdb", "url": database.url}
        return f"[sinks.{database.name}]\n" + "".join(f'{key} = "{value}"\n' for key, value in settings.items())

    async def wire(self, port: int) -> Wire:
        """Lay a wire to a port of this machine."""
        wire = Wire()
        wire.target = port
        return await self._stack.enter_async_context(wire)


@pytest.fixture(scope="session")
def new_rig() -> Callable[[Path], Rig]:
    return Rig


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with Rig(tmp_path) as rig:
        yield rig
