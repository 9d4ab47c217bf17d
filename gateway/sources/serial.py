"""Serial sources: a line with one device, or a bus of devices that are asked in turn.

A source's `run` lasts as long as its link and is started again by the supervisor.
"""

from collections.abc import Callable, Iterable

from gateway.clock import Clock
from gateway.contract import Measurement, Reject, Remark
from gateway.errors import LinkDown
from gateway.health import SourceHealth
from gateway.ingest.committer import Committer
from gateway.ingest.delivery import Delivery
from gateway.ingest.intake import Intake, Origin
from gateway.links.line_settings import SerialSettings
from gateway.links.serial import Line
from gateway.sources.line_noise import SAMPLE, NoiseBudget, has_sound_frame
from gateway.sources.messages import refusal_of
from gateway.sources.serial_device import SerialDevice


class SerialIngest:
    """A serial line with one device that talks by itself or is asked, or a bus of devices asked in turn."""

    longest_wait = 5.0
    """Seconds between attempts to open a port: looking for it costs nothing."""

    def __init__(
        self,
        settings: SerialSettings,
        devices: list[SerialDevice],
        *,
        intake: Intake,
        committer: Committer,
        health: SourceHealth,
        clock: Clock,
        make_line: Callable[[SerialSettings], Line] = Line,
    ) -> None:
        self._settings = settings
        self._devices = devices
        self._intake = intake
        self._committer = committer
        self._health = health
        self._clock = clock
        self._make_line = make_line
        self._noise = NoiseBudget()

    async def run(self) -> None:
        """Stay on the line until it goes away."""
        line = self._make_line(self._settings)
        await line.open()
        self._noise = NoiseBudget()
        try:
            self._health.link.went_up()
            for device in self._devices:
                device.restart_decoder(self._clock.monotonic())
            for device in self._devices:
                await self._start(device, line)
            while True:
                device = min(self._devices, key=lambda one: one.due)
                await self._take_turn(device, line)
        except LinkDown:
            self.finish()  # the next run begins with new decoders
            raise
        finally:
            line.close()

    def finish(self) -> None:
        """Pass on what the decoders still hold: when the line goes away, and when the daemon stops in good order."""
        for device in self._devices:
            if hasattr(device, "decoder"):
                self._pass_on(device, device.decoder.finish())

    @property
    def _has_one_device(self) -> bool:
        return len(self._devices) == 1

    async def _start(self, device: SerialDevice, line: Line) -> None:
        for command in device.decoder.start():
            await line.send(command)
            await self._listen(device, line, until=self._clock.monotonic() + _COMMAND_GAP)

    async def _take_turn(self, device: SerialDevice, line: Line) -> None:
        """Listen until this device is due, then ask it and give it its time to answer."""
        if self._has_one_device:
            await self._listen(device, line, until=device.due)
        else:
            await self._clock.sleep(max(0.0, device.due - self._clock.monotonic()))
        if device.is_silent(self._clock.monotonic()):
            await self._restart_silent(device, line)
        asked = self._clock.monotonic()
        question = device.decoder.poll()
        if not question:
            self._feed(device, b"")
        elif self._has_one_device:
            await line.send(question)
        else:
            await self._ask(device, question, line)
        device.schedule_next(asked)

    async def _ask(self, device: SerialDevice, question: bytes, line: Line) -> None:
        """Ask one device of a bus, and wait for its answer or the end of its time."""
        await line.receive(0)  # a neighbour's late answer is not this one's
        await line.send(question)
        device.unanswered += 1  # until it answers
        await self._listen(device, line, until=self._clock.monotonic() + device.timeout, stop_when_heard=True)
        if device.is_missing:
            self._health.link.raise_problem(device.name, f"{device.name} does not answer")

    async def _restart_silent(self, device: SerialDevice, line: Line) -> None:
        """Send the start-up commands again: perhaps it lost power, and with that its mode."""
        if not self._noise.exceeded:
            what = f"{device.name} is silent for more than {device.patience:g} s, and was started anew"
            self._health.link.raise_problem(device.name, _and(await line.shared(), what))
        self._pass_on(device, device.decoder.finish())
        device.restart_decoder(self._clock.monotonic())
        await self._start(device, line)

    async def _listen(self, device: SerialDevice, line: Line, until: float, *, stop_when_heard: bool = False) -> None:
        while (left := until - self._clock.monotonic()) > 0:
            if self._noise.exceeded:
                # What is not looked at stays unread: in our buffer, then in the kernel's, then it is gone.
                await self._clock.sleep(min(left, _SAMPLE_EVERY))
                data = (await line.receive(0))[-SAMPLE:]
            else:
                data = await line.receive(left)
            if not data:
                continue
            results = self._feed(device, data)
            if self._noise.count(len(data), results):
                await self._report_noise(line)
            if stop_when_heard and any(isinstance(result, Measurement) for result in results):
                return

    async def _report_noise(self, line: Line) -> None:
        about = self._settings.port
        if self._noise.exceeded:
            self._health.link.raise_problem(
                about, _and(await line.shared(), "noise only: wrong baud rate or wiring?")
            )
        else:
            self._health.link.clear_problem(about)

    def _feed(self, device: SerialDevice, data: bytes) -> list[Measurement | Reject | Remark]:
        """Decode and pass on."""
        self._health.messages += bool(data)
        results = list(device.decoder.feed(data, self._clock.monotonic_ns()))
        # A decoder that takes bytes and says nothing knows them; on a bus they may be anybody's.
        if has_sound_frame(results) or (data and not results and self._has_one_device):
            device.note_answer(self._clock.monotonic())
            self._health.link.clear_problem(device.name)
        self._pass_on(device, results)
        return results

    def _pass_on(self, device: SerialDevice, results: Iterable[Measurement | Reject | Remark]) -> None:
        for result in results:
            if isinstance(result, Remark):
                self._health.remarked(result, device.name)
                continue
            refused = result if isinstance(result, Reject) else self._deliver(result, device.origin)
            if refused is None:
                continue
            self._health.rejected(refused, device.name)
            if refused is not result or (refused.raw and refused.reason in ("unsupported", "range")):
                self._keep(device, refused)

    def _keep(self, device: SerialDevice, reject: Reject) -> None:
        """Have a sound frame kept that became no reading; damaged ones and noise are only in the counters.

        Of a reading that cannot be stored the frame is not known any more: it is counted with the words why.
        """
        self._health.refused += 1
        delivery = Delivery()
        source, port = device.origin.source, self._settings.port
        refusal = refusal_of(
            source, port, reject.raw, [reject], delivery, time=self._intake.arrival(), device=device.name
        )
        if not reject.raw or self._committer.is_full:
            self._committer.count(refusal)
            return
        delivery.refuse(refusal)
        self._committer.add(delivery)

    def _deliver(self, measurement: Measurement, origin: Origin) -> Reject | None:
        """Hand a result on as a delivery of its own; return a `Reject` where it cannot become a reading."""
        if self._committer.is_full:
            # Nothing upstream of a serial line can pause: past the bound its readings go, and are counted.
            self._committer.refuse(1, (origin.settings.id or origin.sensor or "",))
            return None
        delivery = Delivery()
        refused = self._intake.accept(measurement, origin, delivery)
        if refused is None:
            self._committer.add(delivery)
        return refused


_COMMAND_GAP = 0.05
"""Seconds between start-up commands: devices drop what comes while they answer."""
_SAMPLE_EVERY = 1.0
"""Seconds between looks at a line that makes noise only."""


def _and(also: str, problem: str) -> str:
    return f"{problem}; {also}" if also else problem
