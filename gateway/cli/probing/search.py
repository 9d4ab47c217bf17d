"""Finds out which device is on a serial port: listens at every likely setting, then asks where that does no harm.

1. At each setting of the known drivers, the most common first, it listens; every driver is fed what comes.
2. Where no device talks, it asks: each driver whose questions are harmless (`SerialLink.harmless`), at its own
   setting and its likely addresses; drivers that mean nothing by themselves come last.
3. Where bytes came and made no sense, it listens at some rates that no driver has.

Text that is no known device's is recognised as text (`text_lines`): its rate is right then, and the search is over.

Named drivers are spoken to as the gateway would, start-up commands included, at their own setting and then at others.
"""

import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from gateway.cli.driver_sheets.options import generic
from gateway.cli.probing.evidence import ENOUGH, Candidate, Setting, addresses, ranked, replay, settings
from gateway.cli.probing.text_lines import Text, begins, recognise
from gateway.contract import Driver, SerialLink
from gateway.errors import LinkRefused
from gateway.links.line_settings import NetworkPort, SerialSettings
from gateway.links.serial import Line

RARE = (Setting(4800), Setting(38400), Setting(57600), Setting(19200, "E"), Setting(9600, "E"))
BUDGET = 16 * 1024
"""Bytes without sense after which a setting is given up."""
SILENT_ROUNDS = 3
"""Questions without a byte in answer after which it is not there; a named one may have to wake up first."""
PAUSE = 0.5
"""Seconds between questions, at least."""
KEPT = 4096
"""Bytes kept of each step, to be shown, and to be tried with other options."""


class Patience(NamedTuple):
    """How patient it is, in seconds.

    ``listen``  at each setting; three times as long where something begins to make sense
    ``answer``  for each answer; None for what the driver's link says
    ``gap``     between start-up commands
    """

    listen: float = 3.0
    answer: float | None = None
    gap: float = 0.05


@dataclass(slots=True)
class Step:
    """What was done at one setting, and what came of it; ``doing`` is "listening", or whom it asked."""

    setting: Setting
    doing: str
    size: int = 0
    """Bytes that came."""
    heard: bytes = b""
    """The first of them."""
    best: Candidate | None = None


@dataclass(slots=True)
class Report:
    """What was found; ``others`` claim the same bytes as well as ``found`` does."""

    device: str = ""
    shared: str = ""
    found: Candidate | None = None
    setting: Setting | None = None
    others: list[Candidate] = field(default_factory=list)
    text: Text | None = None
    """What was printed, where that is text of no known device."""
    steps: list[Step] = field(default_factory=list)


class Probe:
    """One port and those who may be on it; ``watch`` is called with the step under way, and when it ends."""

    def __init__(
        self,
        port: str,
        drivers: Iterable[Driver],
        patience: Patience,
        watch: Callable[[Step, bool], None],
        *,
        named: bool,
        make_line: Callable[[SerialSettings], Line] = Line,
    ) -> None:
        self._port = port
        self._drivers = list(drivers)
        self._patience = patience
        self._watch = watch
        self._named = named
        self._make_line = make_line
        self._report = Report()
        self._refused: list[tuple[Candidate, Setting]] = []
        """Who got sound answers that hold no reading, and where."""
        self._refusal: LinkRefused | None = None

    async def run(self, every: Iterable[Setting]) -> Report:
        """Probe; ``every`` are all settings that may be tried. Raises `LinkDown` when the port cannot be had."""
        where = NetworkPort.parse(self._port)
        if where is not None and where.scheme == "modbus":
            self._drivers = [one for one in self._drivers if isinstance(one.link, SerialLink) and one.link.modbus]
        if where is not None and where.scheme != "rfc2217":
            found = await self._search_as_set_up()
        else:
            found = await self._search_settings(every)
        if not found and not self._report.device and self._refusal:
            raise self._refusal
        return self._report

    async def _search_as_set_up(self) -> bool:
        """Search where the line cannot be set up: the server has done that."""
        setting = Setting(0)
        able = [one for one in self._drivers if self._level(one)]
        return (
            await self._at(setting, self._listen)
            or await self._at(setting, partial(self._ask, able))
            or self._settle([one for one, _ in self._refused])
        )

    async def _search_settings(self, every: Iterable[Setting]) -> bool:
        own = settings(self._drivers)
        return await self._search(own, [setting for setting in every if setting not in own])

    async def _search(self, own: list[Setting], others: list[Setting]) -> bool:
        for setting in own:
            if await self._at(setting, self._listen):
                return True
        for setting in own:
            theirs = [one for one in self._drivers if settings([one]) == [setting] and self._level(one)]
            if theirs and await self._at(setting, partial(self._ask, theirs)):
                return True
        if self._settle([one for one, _ in self._refused]):
            return True
        heard = any(step.size for step in self._report.steps)
        for setting in others if self._named else RARE if heard else ():
            if heard and await self._at(setting, self._listen):  # who talks is heard at any rate, if not understood
                return True
            if self._named and await self._at(setting, partial(self._ask, self._drivers)):
                return True
        return False

    async def _at(self, setting: Setting, work: Callable[[Setting, Line], Awaitable[bool]]) -> bool:
        """Open the port and work there; False where it cannot be set up like that, as some adapters cannot."""
        line = self._make_line(SerialSettings(self._port, *setting))
        try:
            await line.open()
            if not self._report.device:
                self._report.device = line.device
                self._report.shared = await line.shared()
            return await work(setting, line)
        except LinkRefused as error:
            self._refusal = self._refusal or error
            return False
        finally:
            line.close()

    async def _listen(self, setting: Setting, line: Line) -> bool:
        step = self._begin(setting, "listening")
        listeners = [Candidate(driver) for driver in self._drivers]
        began = time.monotonic()
        sense = False
        while (
            left := began + self._patience.listen * (3 if sense or begins(step.heard) else 1) - time.monotonic()
        ) > 0:
            data = await self._receive(line, min(left, 0.1), step)
            for one in listeners if data else ():
                sense |= one.feed(data, time.monotonic_ns())
            best = self._best(listeners, step)
            if (best and best.readings >= ENOUGH) or (step.size > BUDGET and not sense):
                break
        for one in listeners:
            one.close()
        if not self._best(listeners, step) and step.heard:
            variants = replay(self._drivers, step.heard)
            if self._best(variants, step):
                listeners = variants
        self._watch(step, True)
        return self._settle(listeners, setting) or await self._is_text(listeners, step, line)

    async def _is_text(self, listeners: list[Candidate], step: Step, line: Line) -> bool:
        """Tell whether text was heard; who understood it, but may not be the only one, is asked before."""
        text = None if self._named else recognise(step.heard)
        if text is None:
            return False
        suspects = [one.driver for one in listeners if one.unproven and self._level(one.driver)]
        if suspects and await self._ask(suspects, step.setting, line):
            return True
        self._report.text = text
        self._report.setting = step.setting
        return True

    async def _ask(self, drivers: list[Driver], setting: Setting, line: Line) -> bool:
        """Ask one after the other; True once one gave a reading. One that is refused waits for what the others say.

        What means nothing by itself is asked last, and wherever a refusal proves that its protocol is spoken.
        """
        able = [one for one in self._drivers if self._level(one)]
        for driver in sorted(able, key=lambda one: generic(one.options)):
            wanted = driver in drivers or (generic(driver.options) and any(at == setting for _, at in self._refused))
            if wanted and await self._ask_everywhere(driver, setting, line):
                return True
        return False

    async def _ask_everywhere(self, driver: Driver, setting: Setting, line: Line) -> bool:
        """Ask for one device at each of its likely addresses."""
        verb = "starting" if self._level(driver) == "start" else "asking"
        step = self._begin(setting, f"{verb} {driver.name}")
        tried = []
        found = False
        for address in addresses(driver):
            if address is not None:
                tried.append(str(address))
                step.doing = f"{verb} {driver.name} at {', '.join(tried)}"
            one = Candidate(driver, address, asked=True)
            await self._talk(one, line, step)
            one.close()
            answered = [one] if one.readings or one.sound else replay([driver], step.heard, one)
            self._best(answered, step)
            found = any(each.readings for each in answered) and self._settle(answered, setting)
            if one.sound and not found:
                self._refused.append((one, setting))
            if answered:
                break  # a device is at this address, and nowhere else
        self._watch(step, True)
        return found

    def _level(self, driver: Driver) -> str:
        assert isinstance(driver.link, SerialLink)
        return "start" if self._named else driver.link.harmless

    async def _talk(self, one: Candidate, line: Line, step: Step) -> None:
        await line.receive(0)  # what came before is no answer
        if self._level(one.driver) == "poll":
            for _ in range(2):  # a new decoder each time: its first question is the harmless one
                one.renew()
                if not await self._exchange(one, line, step, one.decoder.poll()):
                    return
            return
        for command in one.decoder.start():
            await line.send(command)
            one.feed(await self._receive(line, self._patience.gap, step), time.monotonic_ns())
        waking = self._named and one.address is None and step.setting in settings([one.driver])
        began = time.monotonic()
        rounds = 0
        while one.readings < ENOUGH:
            patience = 5 if step.size and not one.readings else 2
            if time.monotonic() > began + patience * self._patience.listen:
                return
            rounds += 1
            again = time.monotonic() + (self._patience.answer or PAUSE)
            await self._exchange(one, line, step, one.decoder.poll())
            while (left := again - time.monotonic()) > 0:
                one.feed(await self._receive(line, left, step), time.monotonic_ns())
            if not step.size and rounds >= SILENT_ROUNDS and not waking:
                return

    async def _exchange(self, one: Candidate, line: Line, step: Step, question: bytes) -> bool:
        """Send a question and wait for sense; True where some came."""
        if question:
            await line.send(question)
        until = time.monotonic() + (self._patience.answer or max(one.link.timeout, 0.2))
        while (left := until - time.monotonic()) > 0:
            data = await self._receive(line, left, step)
            if one.feed(data, time.monotonic_ns()) and data:
                self._best([one], step)
                return True
        return False

    async def _receive(self, line: Line, seconds: float, step: Step) -> bytes:
        data = await line.receive(seconds)
        step.size += len(data)
        step.heard = (step.heard + data)[:KEPT]
        self._watch(step, False)
        return data

    def _begin(self, setting: Setting, doing: str) -> Step:
        step = Step(setting, doing)
        self._report.steps.append(step)
        self._watch(step, False)
        return step

    def _best(self, candidates: list[Candidate], step: Step) -> Candidate | None:
        step.best = next(iter(ranked(candidates)), None)
        return step.best

    def _settle(self, candidates: list[Candidate], setting: Setting | None = None) -> bool:
        """Enter the likeliest into the report, if there is one."""
        order = ranked(candidates)
        if not order:
            return False
        found = order[0]
        self._report.found = found
        self._report.others = [one for one in order[1:] if one.name != found.name]
        self._report.setting = setting or next(at for one, at in self._refused if one is found)
        return True
