"""A whole city: dust sensors and radars on serial lines, parking spots over LoRaWAN, stations that speak JSON.

::

    async with City(7, directory, broker="mqtt://127.0.0.1:1883") as city:
        configuration = city.sources_toml()   # for the gateway under test
        ...
        await city.stop_measuring()
        report = compare(city.truth, points_read_back)

The same seed makes the same city: what its devices say depends on the seed and on the times at which they are asked,
on nothing else.
"""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from firmware_sim.bench.pty_line import SerialLine
from firmware_sim.bench.publisher import Publisher
from firmware_sim.bench.stage import Stage
from firmware_sim.bench.toml import table
from firmware_sim.devices import json_station
from firmware_sim.devices.chirpstack import ChirpStack
from firmware_sim.devices.json_station import JsonStation
from firmware_sim.devices.ops243 import Ops243
from firmware_sim.devices.sds011 import Sds011
from firmware_sim.devices.tps110 import Tps110
from firmware_sim.parts.street import Street
from firmware_sim.parts.twin import MqttTwin
from firmware_sim.truth.ledger import Truth

CENTER = (45.5481, 13.7302)


@dataclass(frozen=True)
class Size:
    """How many devices there are of each kind."""

    dust_sensors: int = 2
    radars: int = 1
    spots: int = 40
    stations: int = 2


@dataclass(frozen=True)
class Pace:
    """How lively the city is; ``rate`` is how many of its seconds pass in one of ours.

    It speeds up all devices but the radars: a driver tells two vehicles apart by real time, so a livelier street has
    a shorter ``headway`` (mean seconds between vehicles of one direction, beyond 2.5) instead.
    """

    rate: float = 1.0
    dwell: float = 300.0
    """Mean seconds between two changes of a parking spot."""
    heartbeat: float = 86_400.0
    station_interval: float = 10.0
    headway: float = 6.0
    rain: float = 0.0
    """Slow reflections a second that a radar sees besides the vehicles."""


class City:
    """Devices, lines, a network server and the ledger of what was taken; an asynchronous context manager.

    ``directory`` gets the ports (``ttyAQ0``, ``ttyRD0``) and, with ``keep_truth``, the ledger ``truth.jsonl``.
    ``truth`` is a ledger of the caller's own instead. What is published before a gateway has ever subscribed is
    lost: devices over MQTT wait for ``subscribed``.
    """

    def __init__(
        self,
        seed: int,
        directory: Path,
        *,
        broker: str = "mqtt://127.0.0.1:1883",
        size: Size | None = None,
        pace: Pace | None = None,
        keep_truth: bool = False,
        truth: Truth | None = None,
        subscribed: asyncio.Event | None = None,
    ) -> None:
        self.directory = directory
        self.size = size or Size()
        self.pace = pace or Pace()
        self._broker = broker
        self._seed = seed
        self.names = {eui(index): f"spot-{index + 1:03}" for index in range(self.size.spots)}
        """A device's identity -> its sensor id in the configuration, where they differ."""
        if keep_truth:
            directory.mkdir(parents=True, exist_ok=True)
        self.truth = Truth(directory / "truth.jsonl" if keep_truth else None) if truth is None else truth
        self.truth.names.update(self.names)
        self._build()
        self._stage = Stage(
            list(self.lines.values()),
            self.mqtt_twins,
            Publisher(broker, f"city-{seed}"),
            rate=self.pace.rate,
            subscribed=subscribed,
        )

    def _build(self) -> None:
        seed, pace, size, truth = self._seed, self.pace, self.size, self.truth
        self.dust_sensors = [Sds011(f"aq-{n + 1:02}", truth, f"{seed}/aq{n}") for n in range(size.dust_sensors)]
        self.radars = [
            Ops243(f"radar-{n + 1:02}", truth, Street(f"{seed}/rd{n}", pace.headway, pace.rain))
            for n in range(size.radars)
        ]
        self.network = ChirpStack(str(seed))
        self.spots = [
            Tps110(
                identity,
                name,
                truth,
                self.network,
                f"{seed}/{identity}",
                dwell=pace.dwell,
                heartbeat=pace.heartbeat,
                reports_temperature=index % 2 == 1,
            )
            for index, (identity, name) in enumerate(self.names.items())
        ]
        self.stations = [
            JsonStation(f"air-{n + 1:02}", truth, f"{seed}/air{n}", interval=pace.station_interval)
            for n in range(size.stations)
        ]
        self.mqtt_twins: list[MqttTwin] = [*self.spots, *self.stations]
        self.lines = {
            **{
                t.name: SerialLine(t, self.directory / f"ttyAQ{n}", rate=pace.rate)
                for n, t in enumerate(self.dust_sensors)
            },
            **{t.name: SerialLine(t, self.directory / f"ttyRD{n}") for n, t in enumerate(self.radars)},
        }
        """The serial line of each sensor, to unplug and plug."""

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

    def describe(self) -> str:
        """Say what there is, in one line."""
        size = self.size
        counted = (
            (size.dust_sensors, "SDS011 dust sensor"),
            (size.radars, "OPS243 radar"),
            (size.spots, "TPS110 parking spot"),
            (size.stations, "JSON air station"),
        )
        return ", ".join(f"{count} {name}{'s' * (count != 1)}" for count, name in counted if count)

    def sources_toml(self, interval: str = "60s", protocol: str = "5") -> str:
        """Return the ``[sources.*]`` and ``[sensors.*]`` parts of a configuration for this city.

        ``interval`` is how long a radar counts vehicles before a point is stored; ``protocol`` is the broker's.
        """
        parts = []
        mqtt = {"type": "mqtt", "url": self._broker, "protocol": protocol}
        for name, line in self.lines.items():
            radar = isinstance(line.twin, Ops243)
            options = {"interval": interval} if radar else {}
            parts.append(
                table(
                    f"sources.{name}",
                    type="serial",
                    port=str(line.path),
                    driver="ops243" if radar else "sds011",
                    sensor=name,
                    options=options,
                )
            )
        if self.spots:
            topics = [f"application/{self.network.application}/device/+/event/up"]
            parts.append(table("sources.lorawan", **mqtt, driver="chirpstack", topics=topics))
        if self.stations:
            parts.append(
                table(
                    "sources.stations",
                    **mqtt,
                    driver="json",
                    **json_station.SOURCE,
                )
            )
        for index, (identity, name) in enumerate(self.names.items()):
            north, east = divmod(index, 8)
            location = [round(CENTER[0] + north * 0.0003, 6), round(CENTER[1] + east * 0.0004, 6)]
            parts.append(table(f'sensors."{identity}"', id=name, codec="bosch_tps110", location=location))
        return "\n".join(parts)


def eui(index: int) -> str:
    """Return the EUI of a parking spot: 16 hex digits."""
    return f"70b3d57ed00{index + 1:05x}"
