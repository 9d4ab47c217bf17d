"""One run: faults drawn by seed, then healing, then the count."""

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

from firmware_sim.patience import patience
from firmware_sim.torture.faults import FAULTS, Fault
from firmware_sim.torture.outcome import Outcome
from firmware_sim.torture.site import Site

PATIENCE = patience(120.0)
"""Seconds within which every fault must be got over, and everything be delivered at the end."""
CALM = 1.0
"""Seconds from one fault to the next, on average; a seed draws them."""
IMPATIENT = 0.3
"""How often, of one time, the next fault does not wait until the last one is got over."""
_LOOK = 0.1

Tell = Callable[[str], None]


async def torture(
    directory: Path,
    command: Sequence[str],
    *,
    seconds: float,
    seed: int,
    faults: Sequence[Fault] = FAULTS,
    calm: float = CALM,
    tell: Tell = lambda _: None,
) -> Outcome:
    """Torture the gateway that ``command`` starts; ``directory`` gets its data, and its log stands beside that.

    ``calm`` is how many seconds there are between two faults, on average. Raises `servers.process.ServerFailed`
    where a server, or the gateway, does not start.
    """
    outcome = Outcome(seed, seconds)
    async with Site(directory, command, seed) as site:
        run = _Run(site, outcome, Random(seed), calm, tell)
        await run.strike(faults, seconds)
        outcome.drained = await run.drain()
        await site.gateway.stop()
        outcome.count(site, await site.stored())
    return outcome


class _Healed(NamedTuple):
    """A fault that is undone and not got over yet: when its undoing began, and when it was done (monotonic)."""

    fault: Fault
    undoing: float
    healed: float


class _Run:
    def __init__(self, site: Site, outcome: Outcome, random: Random, calm: float, tell: Tell) -> None:
        self._site = site
        self._outcome = outcome
        self._random = random
        self._calm = calm
        self._tell_line = tell
        self._began = time.monotonic()
        self._looked = asyncio.Event()
        self._open: list[_Healed] = []

    async def strike(self, faults: Sequence[Fault], seconds: float) -> None:
        """Do faults until the time is over; at the end all are undone."""
        possible = []
        for fault in faults:
            if why := fault.impossible(self._site):
                self._outcome.skipped[fault.name] = why
                self._tell(f"{fault.name}: skipped, {why}")
            else:
                possible.append(fault)
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(self._watch(), name="watch")
            # Every kind once, in an order of the seed's, before any comes again.
            bag: list[Fault] = []
            while possible and time.monotonic() - self._began < seconds:
                if not bag:
                    bag = [fault for fault in possible for _ in range(fault.weight)]
                    self._random.shuffle(bag)
                await self._strike_once(bag.pop())
            watching.cancel()

    async def _strike_once(self, fault: Fault) -> None:
        site, random = self._site, self._random
        if fault.calm:
            await self._recovery()
        held = random.uniform(*fault.hold)
        self._outcome.faults[fault.name] += 1
        self._tell(f"{fault.name}, {held:.1f} s")
        async with fault.happening(site, random):
            await asyncio.sleep(held)
            undoing = time.monotonic()
        self._open.append(_Healed(fault, undoing, time.monotonic()))
        if random.random() >= IMPATIENT:
            await self._recovery()
        await asyncio.sleep(self._calm * random.uniform(0.2, 1.8))

    async def _recovery(self) -> None:
        while self._open:
            self._looked.clear()
            await self._looked.wait()

    async def _watch(self) -> None:
        """Look at the gateway's health and note what is got over, and how long it took."""
        while True:
            await asyncio.sleep(_LOOK)
            if not self._open:
                continue
            asked = time.monotonic()
            state = await self._site.gateway.health()
            still = []
            for healed in self._open:
                took = time.monotonic() - healed.undoing
                if healed.healed > asked:
                    still.append(healed)  # the answer may be older than the fault
                elif healed.fault.recovered(self._site, state):
                    self._note(healed)
                elif took > PATIENCE:
                    problems = "it does not answer" if state is None else "; ".join(state["problems"])
                    self._outcome.not_recovered.append(f"{healed.fault.name}, after {took:.0f} s: {problems}")
                else:
                    still.append(healed)
            self._open = still
            self._looked.set()

    def _note(self, healed: _Healed) -> None:
        took, name = time.monotonic() - healed.undoing, healed.fault.name
        self._tell(f"{name} got over in {took:.1f} s")
        if took > self._outcome.worst_recovery_seconds:
            self._outcome.worst_recovery_seconds = round(took, 1)
            self._outcome.worst_recovery_from = name

    async def drain(self) -> bool:
        """Let everything come back, silence the devices, and wait until the database has what there is."""
        site = self._site
        try:
            async with asyncio.timeout(PATIENCE):
                while not site.well(await site.gateway.health()):  # noqa: ASYNC110 -- another process has no event
                    await asyncio.sleep(_LOOK)
                for healed in self._open:
                    self._note(healed)
                self._tell("everything is up again; devices fall silent")
                site.numbers.stop()
                await site.numbers.settled()
                heard = await site.city.stop_measuring()
                await self._quiet()
        except TimeoutError:
            return False
        return heard

    async def _quiet(self) -> None:
        """Wait until nothing waits and nothing came for two seconds: longer than any commit or radar interval."""
        before, since = -1, time.monotonic()
        while time.monotonic() - since < 2.0:
            state = await self._site.gateway.health()
            now = -2 if state is None else sum(source["messages"] for source in state["sources"].values())
            waits = state is None or any(sink["pending"] for sink in state["sinks"].values())
            if now != before or waits:
                before, since = now, time.monotonic()
            await asyncio.sleep(_LOOK)

    def _tell(self, what: str) -> None:
        self._tell_line(f"{time.monotonic() - self._began:7.1f} s  {what}")
