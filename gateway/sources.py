"""Sources: a link, its decoder, and the way from there into the intake.

A source's `run` lasts as long as its link and is started again by the supervisor; what must outlive a connection
(which messages were already taken, the size of the broker's window) is kept in the source itself.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from gateway.commit import Committer
from gateway.contract import Codec, Measurement, MessageDecoder, Options, Reject, SerialDecoder, Uplink
from gateway.health import SourceHealth
from gateway.intake import Intake, Origin
from gateway.links.mqtt import Connection
from gateway.links.mqtt_client import MqttSettings
from gateway.links.mqtt_packets import Message
from gateway.links.redelivery import Redelivery
from gateway.links.serial import Line, SerialSettings
from gateway.links.window import AckWindow
from gateway.spool import Identity
from gateway.uplinks import measurements_of


class MqttIngest:
    """An MQTT broker whose messages become readings, each acknowledged once it is on disk.

    ``codecs`` finds the codec configured for a device. ``taken`` are the identities of the messages that an earlier
    run stored last: when they come again they are acknowledged and not stored again.
    """

    def __init__(
        self,
        name: str,
        settings: MqttSettings,
        decoder: MessageDecoder,
        origin: Origin,
        *,
        codecs: Callable[[str], tuple[Codec, Options] | None],
        max_message: int,
        intake: Intake,
        committer: Committer,
        health: SourceHealth,
        taken: Iterable[Identity] = (),
    ) -> None:
        self.name = name
        self._settings = settings
        self._decoder = decoder
        self._origin = origin
        self._codecs = codecs
        self._max_message = max_message
        self._intake = intake
        self._committer = committer
        self._health = health
        self._redelivery = Redelivery((identity.mid, identity.digest) for identity in taken)
        self._window = AckWindow(settings.receive_maximum)

    async def run(self) -> None:
        """Stay connected until the link goes down."""
        connection = Connection(self._settings)
        acknowledger = _Acknowledger(connection, self._window, self._committer)
        self._window.reset()
        try:
            self._redelivery.connected(session_present=await connection.open())
            self._health.link.went_up()
            while True:
                for message in await connection.receive():
                    if self._committer.full:
                        connection.pause()
                        await self._committer.room()
                        connection.resume()
                    self._take(message, acknowledger)
                await asyncio.sleep(0)
        finally:
            connection.close()
            self._committer.forget(acknowledger)

    def _take(self, message: Message, acknowledger: "_Acknowledger") -> None:
        health, mid = self._health, message.mid
        health.messages += 1
        identity = None
        if mid:
            identity = Identity.of(self.name, mid, message.topic, message.payload)
            if self._redelivery.is_repeat(mid, identity.digest, repeated=message.repeated):
                health.repeated += 1
                self._committer.then_acknowledge(acknowledger, mid, None)
                acknowledger.arrived()
                return
        if len(message.payload) > self._max_message:
            health.rejected(Reject("length", message.payload, f"{len(message.payload)} bytes"))
        else:
            stored = self._decode(message)
            identity = identity if stored else None
        if mid:
            self._committer.then_acknowledge(acknowledger, mid, identity)
            acknowledger.arrived()

    def _decode(self, message: Message) -> bool:
        """Decode and pass on; True when something is on its way to disk."""
        before = self._health.readings
        for result in self._decoder.decode(message.topic, message.payload):
            if isinstance(result, Uplink):
                for inner in measurements_of(result, self._codecs(result.sensor)):
                    self._pass_on(inner, message)
            else:
                self._pass_on(result, message)
        return self._health.readings != before

    def _pass_on(self, result: Measurement | Reject, message: Message) -> None:
        if isinstance(result, Measurement):
            refused = self._intake.accept(result, self._origin, retained=message.retained)
            if refused is None:
                return
            result = refused
        self._health.rejected(result if result.raw else result._replace(raw=message.payload))


class _Acknowledger:
    """Acknowledges on one connection, and never on a later one."""

    def __init__(self, connection: Connection, window: AckWindow, committer: Committer) -> None:
        self._connection = connection
        self._window = window
        self._committer = committer

    def arrived(self) -> None:
        if self._window.arrived(time.monotonic_ns()):
            self._committer.hurry()

    def acknowledge(self, mids: list[int]) -> None:
        self._connection.acknowledge(mids)
        self._window.acknowledged(len(mids), time.monotonic_ns(), int(self._committer.interval * 1e9))


@dataclass(slots=True)
class SerialDevice:
    """One device on a serial line. ``interval`` and ``timeout`` are seconds; see `gateway.contract.SerialLink`."""

    make_decoder: Callable[[], SerialDecoder]
    origin: Origin
    interval: float
    timeout: float
    decoder: SerialDecoder = field(init=False)
    due: float = field(init=False, default=0.0)

    def begin(self, now: float) -> None:
        """Start afresh: the line has just been opened."""
        self.decoder = self.make_decoder()
        self.due = now


class SerialIngest:
    """A serial line with one device that talks by itself or is asked, or a bus of devices asked in turn."""

    def __init__(
        self, settings: SerialSettings, devices: list[SerialDevice], intake: Intake, health: SourceHealth
    ) -> None:
        self._settings = settings
        self._devices = devices
        self._intake = intake
        self._health = health
        self._line: Line | None = None

    async def run(self) -> None:
        """Stay on the line until it goes away."""
        line = self._line = Line(self._settings)
        await line.open()
        opened = time.monotonic()
        for device in self._devices:
            device.begin(opened)
        try:
            self._health.link.went_up()
            for device in self._devices:
                for command in device.decoder.start():
                    await line.send(command)
                    await self._listen(device, line, until=time.monotonic() + _COMMAND_GAP)
            while True:
                device = min(self._devices, key=lambda one: one.due)
                await self._turn(device, line)
        finally:
            line.close()

    async def _turn(self, device: SerialDevice, line: Line) -> None:
        """Listen until this device is due, then ask it and give it its time to answer."""
        alone = len(self._devices) == 1
        if alone:
            await self._listen(device, line, until=device.due)
        else:
            await asyncio.sleep(max(0.0, device.due - time.monotonic()))
        asked = time.monotonic()
        # Late turns are not made up for: a bus that was busy goes on with the next full interval.
        device.due = max(device.due + device.interval, asked)
        question = device.decoder.poll()
        if question:
            if not alone:
                await line.receive(0)  # a neighbour's late answer is not this one's
            await line.send(question)
            if not alone:
                await self._listen(device, line, until=asked + device.timeout, stop_when_heard=True)
        else:
            self._feed(device, b"")

    async def _listen(self, device: SerialDevice, line: Line, until: float, *, stop_when_heard: bool = False) -> None:
        while (left := until - time.monotonic()) > 0:
            data = await line.receive(left)
            if data and self._feed(device, data) and stop_when_heard:
                return

    def _feed(self, device: SerialDevice, data: bytes) -> bool:
        """Decode and pass on; True when a measurement came out."""
        self._health.messages += bool(data)
        return self._pass_on(device, device.decoder.feed(data, time.monotonic_ns()))

    def finish(self) -> None:
        """Pass on what the decoders still hold; called once, when the daemon stops in good order."""
        for device in self._devices:
            if hasattr(device, "decoder"):
                self._pass_on(device, device.decoder.finish())

    def _pass_on(self, device: SerialDevice, results: Iterable[Measurement | Reject]) -> bool:
        heard = False
        for result in results:
            refused: Any = result
            if isinstance(result, Measurement):
                heard = True
                refused = self._intake.accept(result, device.origin)
            if refused is not None:
                self._health.rejected(refused)
        return heard


_COMMAND_GAP = 0.05
"""Seconds between start-up commands: devices drop what comes while they answer."""
