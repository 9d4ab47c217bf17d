"""One of every device in the registry, at work, each on a line or under an identity of its own.

::

    async with OneOfEach(7, directory, broker="mqtt://127.0.0.1:1883") as devices:
        configuration = devices.sources_toml()   # for the gateway under test
        ...
        await devices.stop_measuring()
        report = compare(devices.truth, points_read_back)
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from time import time_ns
from types import TracebackType
from typing import Any, Self

from firmware_sim import registry
from firmware_sim.bench.pty_line import SerialLine
from firmware_sim.bench.publisher import Publisher
from firmware_sim.bench.stage import Stage
from firmware_sim.bench.toml import table
from firmware_sim.devices import tps110
from firmware_sim.devices.chirpstack import ChirpStack
from firmware_sim.parts.lorawan_node import Network, Node
from firmware_sim.parts.rs485_bus import Bus
from firmware_sim.parts.twin import MqttTwin, SerialTwin
from firmware_sim.truth.ledger import Truth

ON_THE_BUS = {"senseair_s8": 1, "senseair_k30": 0x68, "modbus": 7}
"""Devices that share one RS-485 line, besides those on lines of their own, and their addresses there."""

_BUS = "bus"
_IN_REAL_TIME = {"ops243", "winsen_zh"}
"""Hurried, two vehicles would be one to a driver, which tells them apart by real time; and a ZH03B would report
between the two commands that silence it, when its driver no longer listens."""
_UPLINKS = 60.0
"""Seconds from one uplink of a LoRaWAN device to the next."""
_ELSEWHERE = 7
"""One codec in so many has a device under each of the smaller network servers as well."""


class OneOfEach:
    """All devices together; an asynchronous context manager.

    ``directory`` gets a port for each serial device, named after its driver, and, with ``keep_truth``, the ledger
    ``truth.jsonl``. ``rate`` is how many of their seconds pass in one of ours; ``epoch`` (nanoseconds UTC, by default
    the time now) is what their clocks show at first, to the millisecond. A sensor has the name of its driver or
    codec, and what tells it from others of these.
    """

    def __init__(
        self,
        seed: int,
        directory: Path,
        *,
        broker: str = "mqtt://127.0.0.1:1883",
        rate: float = 1.0,
        epoch: int | None = None,
        keep_truth: bool = False,
    ) -> None:
        self.directory = directory
        if keep_truth:
            directory.mkdir(parents=True, exist_ok=True)
        self.truth = Truth(directory / "truth.jsonl" if keep_truth else None)
        self.codecs: set[str] = set()
        """The codecs that have something to read here."""
        self.sensors: list[str] = []
        """The ids of all sensors."""
        self._seed = seed
        self._broker = broker
        self._rate = rate
        self._lines: dict[str, SerialLine] = {}
        self._stations: list[MqttTwin] = []
        self._sources: dict[str, dict[str, Any]] = {}
        self._identities: dict[str, Mapping[str, Any]] = {}
        self._build()
        publisher = Publisher(broker, f"one-of-each-{seed}")
        epoch = (epoch or time_ns()) // 1_000_000 * 1_000_000
        self._stage = Stage(list(self._lines.values()), self._stations, publisher, rate=rate, epoch=epoch)

    @property
    def drivers(self) -> set[str]:
        """The drivers that have something to read here."""
        return self._sources.keys() - {_BUS}

    async def __aenter__(self) -> Self:
        self.directory.mkdir(parents=True, exist_ok=True)
        await self._stage.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        try:
            await self._stage.__aexit__(kind, error, where)
        finally:
            self.truth.close()

    async def stop_measuring(self) -> bool:
        """Let the devices fall silent; see `firmware_sim.bench.stage.Stage.stop_measuring`."""
        return await self._stage.stop_measuring()

    def sources_toml(self, more: Mapping[str, Mapping[str, Any]] | None = None) -> str:
        """Return the ``[sources.*]`` and ``[sensors.*]`` parts of a configuration for these devices.

        ``more`` is what the sources of some drivers are to say besides, by the driver's name; options are added.
        """
        more = more or {}
        parts = []
        for name, source in self._sources.items():
            if name == _BUS:
                devices = [_with(device, more.get(device["driver"], {})) for device in source["devices"]]
                parts.append(table(f"sources.{name}", **{**source, "devices": devices}))
            else:
                parts.append(table(f"sources.{name}", **_with(source, more.get(source["driver"], {}))))
        parts += [table(f'sensors."{identity}"', **said) for identity, said in self._identities.items()]
        return "\n".join(parts)

    def _build(self) -> None:
        for driver, name, make, source in registry.twins().values():
            twin = make(name, self.truth, f"{self._seed}/{driver}")
            if isinstance(twin, SerialTwin):
                self._add_line(driver, twin, {"driver": driver, "sensor": self._add_sensor(driver), **source})
            else:
                self._add_station(driver, twin, getattr(twin, "sensors", [name]), source)
        self._build_bus()
        for driver, make_network in registry.networks().items():
            self._build_nodes(driver, make_network(f"{self._seed}"))

    def _build_bus(self) -> None:
        known = registry.twins()
        twins, devices = [], []
        for driver, address in ON_THE_BUS.items():
            name = self._add_sensor(f"{driver}-{_BUS}")
            twins.append(known[driver].make(name, self.truth, f"{self._seed}/{name}", address=address))
            said = _with(known[driver].source, {})
            said["options"].pop("address", None)
            devices.append({"driver": driver, "address": address, "sensor": name, **said})
        self._add_line(_BUS, Bus(twins), {"devices": devices})

    def _build_nodes(self, driver: str, network: Network) -> None:
        """Put one of every LoRaWAN sensor under ChirpStack, and some under each of the others."""
        self._sources[driver] = {"type": "mqtt", "url": self._broker, "driver": driver}
        for number, (codec, makers) in enumerate(registry.sensors().items()):
            for make in makers if isinstance(network, ChirpStack) or number % _ELSEWHERE == 0 else ():
                sensor = make()
                eui = self._add_node(codec, f"{codec}-{make.__name__.lower()}-{driver}", sensor.options)
                seed = f"{self._seed}/{eui}"
                self._stations.append(Node(eui, eui, sensor, self.truth, network, seed=seed, interval=_UPLINKS))
        if isinstance(network, ChirpStack):
            eui = self._add_node(tps110.CODEC, f"{tps110.CODEC}-{driver}", {})
            seed = f"{self._seed}/{eui}"
            spot = tps110.Tps110(eui, eui, self.truth, network, seed, dwell=2 * _UPLINKS, reports_temperature=True)
            self._stations.append(spot)

    def _add_line(self, name: str, twin: SerialTwin, source: Mapping[str, Any]) -> None:
        rate = 1.0 if name in _IN_REAL_TIME else self._rate
        self._lines[name] = SerialLine(twin, self.directory / name, rate=rate)
        # A pseudo terminal knows no parity, and refuses to be set to any.
        port = {"port": str(self._lines[name].path), "parity": "N"}
        self._sources[name] = {"type": "serial", **port, **source}

    def _add_station(self, driver: str, twin: MqttTwin, identities: Sequence[str], source: Mapping[str, Any]) -> None:
        self._stations.append(twin)
        self._sources[driver] = {"type": "mqtt", "url": self._broker, "driver": driver, **source}
        for identity in identities:
            tail = f"-{identity.rpartition('/')[2]}" if len(identities) > 1 else ""
            self._add_identity(identity, {"id": f"{driver}{tail}"})

    def _add_node(self, codec: str, name: str, options: Mapping[str, object]) -> str:
        """Return the EUI of a LoRaWAN device, 16 hex digits."""
        self.codecs.add(codec)
        eui = f"70b3d57ed01{len(self._identities) + 1:05x}"
        self._add_identity(eui, {"id": name, "codec": codec, "options": options})
        return eui

    def _add_identity(self, identity: str, said: Mapping[str, Any]) -> None:
        self._identities[identity] = said
        self.truth.names[identity] = self._add_sensor(said["id"])

    def _add_sensor(self, name: str) -> str:
        self.sensors.append(name)
        return name


def _with(said: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Return both, and the options of both."""
    return {**said, **more, "options": {**said.get("options", {}), **more.get("options", {})}}
