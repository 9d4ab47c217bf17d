"""``prehod decode --config FILE``: what a gateway with that configuration would store of a message or of a frame.

The way is the daemon's own: the source's options, the sensors, the codecs and the intake; only the disk is left out.
"""

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from gateway.clock import SystemClock, Timekeeper
from gateway.config.models import Configuration
from gateway.contract import MqttLink, Reject, Remark
from gateway.daemon.assembly import Parts, message_reader, serial_device
from gateway.daemon.catalogue import CATALOGUE
from gateway.errors import PrehodError
from gateway.health import Health, SourceHealth, first_bytes
from gateway.ingest.committer import Committer
from gateway.ingest.delivery import PARKED, Delivery
from gateway.ingest.intake import Intake
from gateway.logs import silenced
from gateway.mqtt.topics import matches
from gateway.refused import Entry
from gateway.sources.settings import (
    MessageSourceSettings,
    MqttSourceSettings,
    SerialDeviceSettings,
    SerialSourceSettings,
)
from gateway.spool import Batch, Identity, unpark
from gateway.supervise import Liveness


class NoSuchSource(PrehodError):
    """No source of the configuration is meant, or several may be; the message says which there are."""


class Verdict(NamedTuple):
    """What would come of it: lines, parked lines after the words why, rejects, and remarks."""

    source: str
    topic: str
    lines: list[str]
    parked: list[tuple[str, str]]
    rejects: list[Reject]
    remarks: list[Remark]
    commands: int
    notes: list[str]


class _Hearing(SourceHealth):
    """A source's counters that keep what is said instead of logging it."""

    def __init__(self, name: str, clock: SystemClock) -> None:
        super().__init__(Liveness(name, clock))
        self.heard: list[Reject | Remark] = []

    def rejected(self, reject: Reject, topic: str = "") -> None:
        """Keep a reject."""
        del topic
        self.heard.append(reject)

    def remarked(self, remark: Remark, topic: str = "") -> None:
        """Keep a remark."""
        del topic
        self.heard.append(remark)


class _NoDisk:
    """Stands where the daemon has its spool; nothing is ever committed."""

    def commit(self, group: Sequence[Batch]) -> object:
        return group

    def keep(self, entries: Sequence[Entry], *, with_group: bool) -> Identity:
        del entries, with_group
        return Identity(0, 0, 0)

    def settle(self) -> None:
        """Nothing waits."""

    def confirm(self) -> None:
        """Nothing waits."""


def decode_for(
    configuration: Configuration, source: str, name: str | None, data: bytes, topic: str | None
) -> Verdict:
    """Return what a source would store; ``name`` may name a driver or a sensor on its line. Raises `NoSuchSource`."""
    settings = configuration.sources[source]
    clock = SystemClock("system")
    with tempfile.TemporaryDirectory() as directory, silenced():
        timekeeper = Timekeeper(clock, Path(directory))
        health = Health(configuration.gateway.id, configuration.gateway.city, clock)
        hearing = health.sources[source] = _Hearing(source, clock)
        intake = Intake(configuration.gateway, configuration.sensors, timekeeper=timekeeper, health=health)
        disk = _NoDisk()
        committer = Committer(disk, clock.boot_id, health, configuration.spool, keeper=disk)
        parts = Parts(configuration, CATALOGUE, intake, committer, health, timekeeper, seen=())
        if isinstance(settings, SerialSourceSettings):
            return _frame(source, _device(settings, name), data, parts, hearing)
        return _message(settings, data, topic, parts, hearing)


def _message(
    settings: MessageSourceSettings, data: bytes, topic: str | None, parts: Parts, hearing: _Hearing
) -> Verdict:
    name = hearing.link.name
    link = parts.catalogue.load(settings.driver).link
    filters = link.topics if isinstance(link, MqttLink) else ()
    filters = (settings.topics or filters) if isinstance(settings, MqttSourceSettings) else (topic or name,)
    notes = []
    if topic is None:
        topic = filters[0].replace("+", "x").replace("#", "x")
        notes.append(f"taken as on the topic {topic}; --topic says another")
    elif not any(matches(one, topic) for one in filters):
        notes.append(f"it would never come: {name} asks for {', '.join(filters)}")
    delivery = Delivery()
    commands = message_reader(name, settings, parts).read(topic, data, delivery)
    return _stored(name, topic, delivery, hearing, notes, commands=len(commands))


def _frame(name: str, settings: SerialDeviceSettings, data: bytes, parts: Parts, hearing: _Hearing) -> Verdict:
    device = serial_device(name, settings, parts)
    decoder = device.make_decoder()
    delivery = Delivery()
    if parts.catalogue.load(settings.driver).lines is not None and not data.endswith((b"\r", b"\n")):
        data += b"\r\n"
    decoder.feed(b"", 0)  # the line is silent before: what comes is whole
    for one in [*decoder.feed(data, 10**9), *decoder.feed(b"", 10**15), *decoder.finish()]:
        if isinstance(one, Reject | Remark):
            hearing.heard.append(one)
        elif (refused := parts.intake.accept(one, device.origin, delivery)) is not None:
            hearing.heard.append(refused)
    return _stored(name, "", delivery, hearing, [])


def _stored(
    source: str, topic: str, delivery: Delivery, hearing: _Hearing, notes: list[str], *, commands: int = 0
) -> Verdict:
    lines = [text.decode() for kind, _, text in delivery.lines if kind < PARKED]
    parked = [
        (one.reason, one.line.decode())
        for kind, _, text in delivery.lines
        if kind >= PARKED
        for one in unpark(text, None)
    ]
    rejects = [one for one in hearing.heard if isinstance(one, Reject)]
    remarks = [one for one in hearing.heard if isinstance(one, Remark)]
    return Verdict(source, topic, lines, parked, rejects, remarks, commands, notes)


def choose(configuration: Configuration, name: str | None, source: str | None, topic: str | None) -> str:
    """Return the name of the source that is meant. Raises `NoSuchSource`.

    It is ``source``, or the one that fits ``topic`` and ``name``: of a driver, a source or a sensor on a line.
    """
    known = configuration.sources
    if source is not None:
        if source not in known:
            raise NoSuchSource(f"no source is called {source!r}; there are: {', '.join(known) or 'none'}")
        return source
    fitting = [one for one, settings in known.items() if name is None or _fits(one, settings, name)]
    if topic is not None and len(fitting) > 1:
        fitting = [one for one in fitting if _hears(known[one], topic)] or fitting
    if len(fitting) != 1:
        which = f"{len(fitting)} sources fit" if fitting else f"no source fits {name!r}"
        raise NoSuchSource(f"{which}; give --source with one of: {', '.join(fitting or known) or 'none'}")
    return fitting[0]


def _fits(name: str, settings: SerialSourceSettings | MessageSourceSettings, wanted: str) -> bool:
    if isinstance(settings, MessageSourceSettings):
        return wanted in (name, settings.driver)
    return wanted == name or any(wanted in (one.driver, one.sensor) for one in settings.all_devices())


def _hears(settings: SerialSourceSettings | MessageSourceSettings, topic: str) -> bool:
    return isinstance(settings, MqttSourceSettings) and any(matches(one, topic) for one in settings.topics)


def _device(settings: SerialSourceSettings, wanted: str | None) -> SerialDeviceSettings:
    devices = settings.all_devices()
    fitting = [one for one in devices if wanted in (None, one.driver, one.sensor)] or list(devices)
    if len(fitting) > 1:
        raise NoSuchSource(
            f"several devices are on that line, name one: {', '.join(one.sensor or one.driver for one in devices)}"
        )
    return fitting[0]


def print_stored(found: Verdict, *, as_json: bool) -> int:
    """Print what would be stored; 1 where that is nothing."""
    if as_json:
        print(
            json.dumps(
                {
                    "source": found.source,
                    "topic": found.topic,
                    "stored": found.lines,
                    "parked": [{"reason": reason, "line": line} for reason, line in found.parked],
                    "refused": [{"reason": one.reason, "detail": one.detail} for one in found.rejects],
                    "remarks": [{"kind": one.kind, "what": one.what, "detail": one.detail} for one in found.remarks],
                    "notes": found.notes,
                }
            )
        )
        return int(not found.lines and not found.parked)
    print(f"source {found.source}" + (f", topic {found.topic}" if found.topic else ""))
    for note in found.notes:
        print(note)
    for line in found.lines:
        print(f"stored: {line}")
    for reason, line in found.parked:
        print(f"parked, {reason}: {line}")
    for one in found.remarks:
        print(f"{one.kind}: {one.what}" + (f", {one.detail}" if one.detail else ""))
    for said in found.rejects:
        print(f"refused and kept: {said.reason}: {said.detail or 'no detail'}")
        if said.raw:
            print(f"    {first_bytes(said.raw)}")
    if found.commands:
        print(f"the driver would ask the device for more: {found.commands}")
    if not (found.lines or found.parked or found.rejects or found.remarks):
        print("nothing would be stored, and nothing refused: the driver makes nothing of it")
    return int(not found.lines and not found.parked)
