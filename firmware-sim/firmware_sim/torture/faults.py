"""The faults. Each is done, holds for a while where the ``yield`` stands, and is undone; then it must be got over.

A new one needs a function here and nothing else: the decorator enters it into ``FAULTS``.
"""

import asyncio
import math
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

from firmware_sim.torture.diary import Window
from firmware_sim.torture.site import Site, State

Happening = Callable[[Site, Random], AsyncIterator[None]]


def _possible(_: Site) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault.

    hold        seconds that it lasts, at least and at most
    weight      how often it comes, compared with others
    calm        whether what was before must be got over first, for its own cost to be known
    happening   does it on entering and undoes it on leaving
    impossible  why it cannot be done at a site; "" where it can
    recovered   whether it is got over, told from the site and the gateway's health
    """

    name: str
    happening: Callable[[Site, Random], AbstractAsyncContextManager[None]]
    hold: tuple[float, float] = (1.0, 4.0)
    weight: int = 1
    calm: bool = False
    impossible: Callable[[Site], str] = _possible
    recovered: Callable[[Site, State | None], bool] = Site.well


FAULTS: list[Fault] = []
"""All of them."""


def _fault(
    *,
    hold: tuple[float, float] = (1.0, 4.0),
    weight: int = 1,
    calm: bool = False,
    impossible: Callable[[Site], str] = _possible,
) -> Callable[[Happening], Fault]:
    def enter(happening: Happening) -> Fault:
        name = happening.__name__.replace("_", "-")
        fault = Fault(name, asynccontextmanager(happening), hold, weight, calm, impossible)
        FAULTS.append(fault)
        return fault

    return enter


@_fault(hold=(0.0, 2.0), weight=3)
async def gateway_killed(site: Site, _: Random) -> AsyncIterator[None]:
    """Kill -9, and a start."""
    site.kill_gateway()
    yield
    await site.gateway.start()


@_fault(hold=(0.0, 2.0))
async def gateway_killed_twice(site: Site, random: Random) -> AsyncIterator[None]:
    """Kill -9, and again while it starts: recovery itself is interrupted, at a random moment."""
    site.kill_gateway()
    yield
    site.gateway.spawn()
    await asyncio.sleep(random.uniform(0.2, 2.5))
    site.kill_gateway()
    await site.gateway.start()


@_fault(hold=(0.0, 1.0))
async def gateway_restarted(site: Site, _: Random) -> AsyncIterator[None]:
    """SIGTERM, as systemd restarts it."""
    site.spoil_passages(twice=True)
    await site.gateway.stop()
    yield
    await site.gateway.start()


@_fault()
async def gateway_frozen(site: Site, _: Random) -> AsyncIterator[None]:
    """SIGSTOP: the machine is too busy, or swaps."""
    site.gateway.freeze()
    yield
    site.gateway.thaw()


@_fault()
async def broker_restarted(site: Site, _: Random) -> AsyncIterator[None]:
    """SIGTERM: the broker saves what it holds."""
    await site.broker.stop()
    yield
    await site.broker.start()


@_fault()
async def broker_frozen(site: Site, _: Random) -> AsyncIterator[None]:
    """SIGSTOP: connections stay open and nothing moves."""
    site.broker.freeze()
    yield
    site.broker.thaw()


@_fault(calm=True)
async def broker_killed(site: Site, _: Random) -> AsyncIterator[None]:
    """Kill -9 just after a save. What the broker acknowledged between the two is its loss, not the gateway's."""
    since = time.monotonic()
    await site.save_broker()
    site.broker.kill()
    site.windows.append(Window("mqtt", since, time.monotonic() + 0.1))
    yield
    await site.broker.start()


@_fault()
async def broker_resets(site: Site, random: Random) -> AsyncIterator[None]:
    """Reset the connection to the broker, several times."""
    for _ in range(random.randint(1, 4)):
        site.broker_wire.cut()
        await asyncio.sleep(random.uniform(0.0, 1.5))
    yield
    site.broker_wire.cut()


@_fault()
async def broker_half_open(site: Site, random: Random) -> AsyncIterator[None]:
    """Let what is said to the broker, or by it, or both, vanish; then break the connection."""
    site.broker_wire.deaf, site.broker_wire.mute = _one_or_both(random)
    yield
    site.broker_wire.cut()


@_fault(hold=(2.0, 6.0))
async def database_stopped(site: Site, _: Random) -> AsyncIterator[None]:
    """SIGTERM, and a while without a database."""
    await site.database.stop()
    yield
    await site.database.start()


@_fault(hold=(1.0, 7.0))
async def database_frozen(site: Site, _: Random) -> AsyncIterator[None]:
    """SIGSTOP, often for longer than the gateway's patience with a request (3 s)."""
    site.database.freeze()
    yield
    site.database.thaw()


@_fault(hold=(0.0, 3.0))
async def database_killed(site: Site, _: Random) -> AsyncIterator[None]:
    """Kill -9: the database's write-ahead log must have what it confirmed."""
    site.database.kill()
    yield
    await site.database.start()


@_fault(hold=(0.0, 0.5))
async def database_resets(site: Site, random: Random) -> AsyncIterator[None]:
    """Reset the connection to the database again and again, in the middle of requests too."""
    for _ in range(random.randint(3, 20)):
        site.database_wire.cut()
        await asyncio.sleep(random.uniform(0.0, 0.3))
    yield
    site.database_wire.cut()


@_fault(hold=(1.0, 7.0))
async def database_half_open(site: Site, random: Random) -> AsyncIterator[None]:
    """Let requests vanish, or their answers: was it stored? Then break the connection."""
    site.database_wire.deaf, site.database_wire.mute = _one_or_both(random)
    yield
    site.database_wire.cut()


@_fault(hold=(2.0, 5.0))
async def slow_network(site: Site, _: Random) -> AsyncIterator[None]:
    """Leave five kilobytes a second to the broker and to the database: the edge of a mobile network."""
    site.broker_wire.pace = site.database_wire.pace = 5_000.0
    yield
    site.broker_wire.pace = site.database_wire.pace = None


@_fault()
async def serial_unplugged(site: Site, random: Random) -> AsyncIterator[None]:
    """Pull one line, or all of them, as a hub would."""
    names = sorted(site.city.lines)
    pulled = names if random.random() < 0.3 else [random.choice(names)]
    for name in pulled:
        site.city.lines[name].unplug()
    yield
    for name in pulled:
        site.city.lines[name].plug()


@_fault()
async def serial_noise(site: Site, _: Random) -> AsyncIterator[None]:
    """Noise, spoiled frames and torn ones on the lines of the dust sensors."""
    for faults in (sensor.faults for sensor in site.city.dust_sensors):
        faults.noise, faults.corrupt, faults.torn = 0.3, 0.1, 0.1
    yield
    for faults in (sensor.faults for sensor in site.city.dust_sensors):
        faults.noise = faults.corrupt = faults.torn = 0.0


def _cannot_fill(site: Site) -> str:
    if os.geteuid() != 0:
        return "needs root"
    # The major number of loop devices, see devices.txt in the kernel's documentation.
    return "" if os.major(site.directory.stat().st_dev) == 7 else "needs --directory on a mounted loop image"


@_fault(calm=True, impossible=_cannot_fill)
async def disk_full(site: Site, _: Random) -> AsyncIterator[None]:
    """Fill the gateway's disk to the last byte; only on a loop image, so that no other disk is ever filled."""
    ballast = site.directory / "ballast"
    site.full_since, site.full_until = time.monotonic(), math.inf
    await asyncio.to_thread(_fill, ballast)
    yield
    ballast.unlink()
    site.full_until = time.monotonic()


def _fill(ballast: Path) -> None:
    with ballast.open("wb", buffering=0) as file:
        for size in (1_000_000, 4096, 1):
            try:
                while file.write(bytes(size)) == size:
                    pass
            except OSError:
                continue


def _one_or_both(random: Random) -> tuple[bool, bool]:
    return random.choice(((True, False), (False, True), (True, True)))
