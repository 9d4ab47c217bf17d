"""From the configuration to parts: each function builds one of them, and connects to nothing."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import quote
from zlib import crc32

import structlog

from gateway.clock import Clock, SystemClock, Timekeeper
from gateway.config.load import Catalogue, options_of
from gateway.config.models import Configuration, DatabaseSettings, Gateway, SourceSettings
from gateway.contract import Codec, Driver, MqttLink, Options
from gateway.delivery.forwarder import Forwarder
from gateway.health import Health
from gateway.ingest.committer import Committer
from gateway.ingest.fields import FieldEncoder
from gateway.ingest.intake import Intake, Origin, Reading
from gateway.ingest.recent_times import still_to_come
from gateway.ingest.settings import SensorSettings
from gateway.links.line_settings import Rs485, SerialSettings
from gateway.refused import RefusedStore
from gateway.sinks.duplicates import DuplicateGuard
from gateway.sinks.influxdb import InfluxSink
from gateway.sinks.live_mqtt import LiveSink
from gateway.sinks.settings import InfluxSettings, LiveSettings
from gateway.sources.gnss import Gnss
from gateway.sources.messages import MessageReader
from gateway.sources.mqtt import MqttIngest
from gateway.sources.read_again import ReadAgain
from gateway.sources.serial import SerialIngest
from gateway.sources.serial_device import SerialDevice
from gateway.sources.settings import (
    HttpPollSettings,
    HttpSourceSettings,
    MessageSourceSettings,
    MqttSourceSettings,
    SerialDeviceSettings,
    SerialSourceSettings,
)
from gateway.sources.source import Source
from gateway.sources.subscriptions import Subscriptions
from gateway.sources.text_lines import TextLines
from gateway.spool import Identity, Spool


def timekeeper(own: Gateway) -> Timekeeper:
    """Build what tells the time."""
    return Timekeeper(SystemClock(own.clock), own.data_dir / "clock", "ntp" if own.clock == "auto" else own.clock)


def databases(configuration: Configuration) -> dict[str, DatabaseSettings]:
    """Return the sinks that read the spool."""
    return {name: sink for name, sink in configuration.sinks.items() if isinstance(sink, DatabaseSettings)}


def open_spool(configuration: Configuration, clock: Clock) -> Spool:
    """Take the spool and put it in order."""
    root = configuration.gateway.data_dir / "spool"
    return Spool.open(root, configuration.spool, sinks=list(databases(configuration)), now=clock.wall)


def open_refused(configuration: Configuration, spool: Spool) -> RefusedStore:
    """Take the store of refused messages and put it in order; the spool's lock is its own."""
    return RefusedStore(configuration.gateway.data_dir / "refused", configuration.refused, spool)


def committer(
    configuration: Configuration, spool: Spool, refused: RefusedStore, timekeeper: Timekeeper, health: Health
) -> Committer:
    """Build the group commit."""
    share = configuration.refused.max_bytes
    return Committer(spool, timekeeper.clock.boot_id, health, configuration.spool, keeper=refused, share=share)


def seen_identities(spool: Spool, refused: RefusedStore) -> list[Identity]:
    """Return the identities of the MQTT messages on disk, oldest first.

    The spool has those that brought readings, the store of refused messages those that brought none.
    """
    found = list(spool.recovery.identities)
    if refused.seen:
        since = refused.seen[0].seq
        groups = [(one.seq, 0, one.identities) for one in refused.seen]
        groups += [(header.first, 1, header.identities()) for header in spool.reader().headers(since)]
        found += [identity for _, _, identities in sorted(groups) for identity in identities]
    return found


def intake(configuration: Configuration, spool: Spool, timekeeper: Timekeeper, health: Health) -> Intake:
    """Build what every reading comes in by; series go on after what the last run has stored of them."""
    return Intake(
        configuration.gateway,
        configuration.sensors,
        timekeeper=timekeeper,
        health=health,
        ahead=still_to_come(spool.reader(), spool.next_seq, timekeeper.now()),
    )


def forwarder(
    name: str, settings: DatabaseSettings, spool: Spool, timekeeper: Timekeeper, health: Health
) -> Forwarder:
    """Build what brings the spool to one database."""
    consumer = spool.consumer(name)
    consumer.mark_in_doubt(timekeeper.clock.boot_id)
    sink = database_sink(settings, timekeeper.clock)
    return Forwarder(consumer, sink, settings, timekeeper, health.sink(name))


def live_sinks(configuration: Configuration, intake: Intake, health: Health) -> dict[str, LiveSink]:
    """Build the live topics, and have the intake show them each reading."""
    built = {}
    for name, sink in configuration.sinks.items():
        if isinstance(sink, LiveSettings):
            built[name], show = live_sink(name, sink, configuration, health)
            intake.subscribers.append(show)
    return built


def sources(parts: "Parts") -> dict[str, Source]:
    """Build all serial lines, brokers, and what listens or asks."""
    return {name: _source(name, source, parts) for name, source in parts.configuration.sources.items()}


def _source(name: str, source: SourceSettings, parts: "Parts") -> Source:
    match source:
        case MqttSourceSettings():
            return mqtt_source(name, source, parts)
        case HttpSourceSettings():
            return http_source(name, source, parts)
        case HttpPollSettings():
            return http_poll(name, source, parts)
        case SerialSourceSettings():
            return serial_source(name, source, parts)


def reading_again(parts: "Parts") -> ReadAgain:
    """Build what reads kept messages again, each source's with new decoders."""
    messages = {}
    frames = {}
    for name, source in parts.configuration.sources.items():
        if isinstance(source, MessageSourceSettings):
            messages[name] = message_reader(name, source, parts)
        else:
            for settings in source.all_devices():
                device = serial_device(name, settings, replace(parts, gnss=None))
                frames[name, device.name] = device
    return ReadAgain(messages, frames, parts.intake, parts.timekeeper)


@dataclass(frozen=True, slots=True)
class Parts:
    """What every source needs of the house; ``seen`` are the identities of the MQTT messages on disk."""

    configuration: Configuration
    catalogue: Catalogue
    intake: Intake
    committer: Committer
    health: Health
    timekeeper: Timekeeper
    seen: Iterable[Identity]
    gnss: Gnss | None = None
    servers: dict[str, Any] = field(default_factory=dict)
    """HTTP servers by their addresses: several sources may share one."""

    @property
    def clock(self) -> Clock:
        """The clock of the house."""
        return self.timekeeper.clock


def receiver(configuration: Configuration, timekeeper: Timekeeper, intake: Intake, health: Health) -> Gnss | None:
    """Build what listens to the gateway's own satellite receiver, where it has one."""
    own = configuration.gateway
    if own.location is not None:
        health.location = own.location
        health.location_source = "configured"
    if own.gnss is None:
        return None
    return Gnss(own.gnss, timekeeper, health, intake.set_gateway_location if own.location is None else None)


def serial_source(name: str, source: SerialSourceSettings, parts: Parts) -> SerialIngest:
    """Build a serial line with its devices."""
    given = source.all_devices()
    link = parts.catalogue.load(given[0].driver).serial
    assert link is not None
    # What the configuration leaves open, the first device's driver says.
    settings = SerialSettings(
        source.port,
        source.baudrate or link.baudrate,
        source.parity or link.parity,
        source.stopbits or link.stopbits,
        source.databits or 8,
        source.dtr,
        source.rts,
        None if source.rs485 is None else Rs485(**source.rs485.model_dump()),
    )
    devices = [serial_device(name, device, parts) for device in given]
    return SerialIngest(
        settings,
        devices,
        intake=parts.intake,
        committer=parts.committer,
        health=parts.health.source(name),
        clock=parts.clock,
    )


def serial_device(source: str, settings: SerialDeviceSettings, parts: Parts) -> SerialDevice:
    """Build one device of a serial line."""
    driver = parts.catalogue.load(settings.driver)
    link = driver.serial
    assert link is not None
    known = parts.configuration.sensors.get(settings.sensor or "", SensorSettings())
    about = {
        "id": known.id or settings.sensor,
        "location": settings.location or known.location,
        "expect_every": settings.expect_every or known.expect_every,
        "tags": {**known.tags, **settings.tags},
    }
    origin = Origin(
        source,
        _encoder(driver, parts),
        sensor=settings.sensor,
        settings=known.model_copy(update=about),
        # Of a line whose messages name their sensors, the tags are every sensor's.
        tags=settings.tags if settings.sensor is None else {},
    )
    options = options_of(driver, settings.options, settings.address, parts.configuration.vocabulary)
    make: Any = partial(driver.decoder, options)
    if driver.lines is not None:
        make = partial(_text_lines, driver, options)
    if parts.gnss is not None and source == parts.configuration.gateway.gnss and "position" in driver.kinds:
        make = parts.gnss.observe(make)
    interval = settings.interval or link.interval
    patience = settings.restart_after
    if patience is None and driver.lines is not None:
        patience = 0.0  # what prints lines has no commands that could be sent again
    elif patience is None:
        patience = max(10 * interval, 60.0) + options.silence
    return SerialDevice(make, origin, interval, settings.timeout or link.timeout, patience)


def _text_lines(driver: Driver, options: Options) -> TextLines:
    decoder: Any = driver.decoder(options)
    return TextLines(decoder, driver.max_frame)


def mqtt_source(name: str, source: MqttSourceSettings, parts: Parts) -> MqttIngest:
    """Build a broker to read from."""
    driver = parts.catalogue.load(source.driver)
    assert isinstance(driver.link, MqttLink)
    settings = source.with_client_id(f"prehod-{parts.configuration.gateway.id}-{name}")
    if not settings.topics:
        settings = settings.model_copy(update={"topics": driver.link.topics})
    ours = crc32(name.encode())
    health = parts.health.source(name)
    health.tells_retained = source.retained is None
    remembered = parts.configuration.gateway.data_dir / "subscriptions" / f"{quote(name, safe='')}.json"
    return MqttIngest(
        name,
        settings,
        message_reader(name, source, parts),
        committer=parts.committer,
        health=health,
        clock=parts.clock,
        seen=[identity for identity in parts.seen if identity.source == ours],
        subscriptions=Subscriptions(remembered, f"{settings.client_id} at {settings.where}"),
    )


def http_source(name: str, source: HttpSourceSettings, parts: Parts) -> Source:
    """Build what listens for messages; sources with one address share a server."""
    from gateway.links.http.server import HttpServer  # noqa: PLC0415 -- a board that is not asked does not pay for it
    from gateway.sources.http import HttpIngest  # noqa: PLC0415 -- the same
    from gateway.sources.http_replays import source_of  # noqa: PLC0415 -- the same

    driver = parts.catalogue.load(source.driver)
    server = parts.servers.setdefault(source.listen, HttpServer(source, parts.clock))
    if warning := source.exposed:
        structlog.get_logger().warning(warning, source=name, listen=source.listen)
    ours = {source_of(name), source_of(name, keyed=True)}
    return HttpIngest(
        name,
        source.path_of(name),
        message_reader(name, source, parts),
        driver=source.driver,
        max_message=driver.max_frame,
        token_file=source.token_file,
        server=server,
        committer=parts.committer,
        health=parts.health.source(name),
        clock=parts.clock,
        seen=[identity for identity in parts.seen if identity.source in ours],
    )


def http_poll(name: str, source: HttpPollSettings, parts: Parts) -> Source:
    """Build what asks an address again and again."""
    from gateway.links.http.client import HttpClient  # noqa: PLC0415 -- a board that asks nobody does not pay for it
    from gateway.sources.http_poll import HttpPoll  # noqa: PLC0415 -- the same
    from gateway.sources.http_replays import source_of  # noqa: PLC0415 -- the same

    driver = parts.catalogue.load(source.driver)
    return HttpPoll(
        name,
        source.topic or name,
        source.interval,
        message_reader(name, source, parts),
        connect=partial(HttpClient, source, driver.max_frame, parts.clock),
        committer=parts.committer,
        health=parts.health.source(name),
        clock=parts.clock,
        seen=[identity for identity in parts.seen if identity.source == source_of(name)],
    )


def message_reader(name: str, source: MessageSourceSettings, parts: Parts) -> MessageReader:
    """Build what reads the messages of a source, with a new decoder."""
    driver = parts.catalogue.load(source.driver)
    decoder: Any = driver.decoder(options_of(driver, source.options, vocabulary=parts.configuration.vocabulary))
    origin = Origin(name, _encoder(driver, parts), tags=source.tags, park_unknown=source.unknown_sensors == "hold")
    if isinstance(source, MqttSourceSettings):
        origin.accept_retained = source.retained == "accept"
    if isinstance(source, HttpSourceSettings | HttpPollSettings) and source.sensor is not None:
        origin.sensor = source.sensor
        origin.settings = parts.configuration.sensors.get(source.sensor, SensorSettings())
    return MessageReader(
        decoder,
        origin,
        codecs=_codecs(parts),
        max_message=driver.max_frame,
        intake=parts.intake,
        health=parts.health.source(name),
        compression=source.compression,
        driver=source.driver,
    )


def database_sink(settings: InfluxSettings, clock: Clock) -> DuplicateGuard:
    """Build a database to write to, guarded: what speaks like InfluxDB may be one that keeps duplicates."""
    return DuplicateGuard(InfluxSink(settings, clock), clock)


def live_sink(
    name: str, settings: LiveSettings, configuration: Configuration, health: Health
) -> tuple[LiveSink, Callable[[Reading], None]]:
    """Build the live topics; returns the sink and what shows it a reading."""
    own = configuration.gateway
    named = settings.with_client_id(f"prehod-{own.id}-{name}")
    live = LiveSink(named, f"prehod/{own.id}/status", health.snapshot, health.sink(name).took, clock=health.clock)

    def show(reading: Reading) -> None:
        names = {"gateway": own.id, "city": own.city, "measurement": reading.kind, "sensor": reading.sensor}
        live.show(names, _payload(reading))

    return live, show


def _payload(reading: Reading) -> dict[str, Any]:
    """Return a reading as people read it: its own tags, its fields, its time in ISO 8601."""
    shown: dict[str, Any] = {
        "measurement": reading.kind,
        "time": _iso(reading.time),
        "tags": reading.tags,
        "fields": reading.fields,
        "quality": int(reading.quality),
    }
    if reading.location is not None:
        shown["location"] = reading.location
    return shown


def _iso(time: int) -> str:
    seconds, rest = divmod(time, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest // 1_000_000:03}Z"


def _encoder(driver: Driver, parts: Parts) -> FieldEncoder:
    return FieldEncoder({field.name: field for field in driver.fields}, parts.configuration.vocabulary)


def _codecs(parts: Parts) -> Callable[[str], tuple[Codec, Options] | None]:
    found = {}
    for identity, sensor in parts.configuration.sensors.items():
        if sensor.codec is not None:
            codec = parts.catalogue.load_codec(sensor.codec)
            found[identity] = (codec, options_of(codec, sensor.options, vocabulary=parts.configuration.vocabulary))
    return found.get
