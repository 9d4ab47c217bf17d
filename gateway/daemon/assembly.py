"""From the configuration to parts: each function builds one source or one sink, and connects to nothing."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any
from zlib import crc32

from gateway.clock import Timekeeper
from gateway.config.load import Catalogue, options_of
from gateway.config.models import Broker, Configuration, MqttSink, MqttSource, SerialSource
from gateway.config.models import InfluxSink as InfluxModel
from gateway.config.models import SerialDevice as DeviceModel
from gateway.contract import Codec, Driver, MqttLink, Options, SerialLink
from gateway.delivery.courier import Limits
from gateway.health import Health
from gateway.ingest.committer import Committer
from gateway.ingest.fields import FieldEncoder
from gateway.ingest.intake import Intake, Origin, Reading
from gateway.ingest.settings import SensorSettings
from gateway.links.mqtt.client import MqttSettings
from gateway.links.serial import SerialSettings
from gateway.sinks.influxdb import InfluxSettings, InfluxSink
from gateway.sinks.live_mqtt import LiveSettings, LiveSink
from gateway.sources.gnss import Gnss
from gateway.sources.mqtt import MqttIngest
from gateway.sources.serial import SerialIngest
from gateway.sources.serial_device import SerialDevice
from gateway.spool import Identity


@dataclass(frozen=True, slots=True)
class Parts:
    """What every source needs of the house; ``taken`` are the MQTT packets that are on disk already."""

    configuration: Configuration
    catalogue: Catalogue
    intake: Intake
    committer: Committer
    health: Health
    taken: Iterable[Identity]
    gnss: Gnss | None = None


def receiver(configuration: Configuration, timekeeper: Timekeeper, intake: Intake, health: Health) -> Gnss | None:
    """Build what listens to the gateway's own satellite receiver, where it has one."""
    own = configuration.gateway
    if own.location is not None:
        health.location, health.location_source = own.location, "configured"
    if own.gnss is None:
        return None
    return Gnss(own.gnss, timekeeper, health, intake.set_gateway_location if own.location is None else None)


def serial_source(name: str, source: SerialSource, parts: Parts) -> SerialIngest:
    """Build a serial line with its devices."""
    models = source.all_devices()
    link = parts.catalogue.load(models[0].driver).link
    assert isinstance(link, SerialLink)
    settings = SerialSettings(
        source.port,
        source.baudrate or link.baudrate,
        source.parity or link.parity,
        source.stopbits or link.stopbits,
    )
    devices = [_serial_device(name, model, parts) for model in models]
    return SerialIngest(settings, devices, parts.intake, parts.health.source(name))


def _serial_device(source: str, model: DeviceModel, parts: Parts) -> SerialDevice:
    driver = parts.catalogue.load(model.driver)
    link = driver.link
    assert isinstance(link, SerialLink)
    known = parts.configuration.sensors.get(model.sensor, SensorSettings())
    about = {
        "id": known.id or model.sensor,
        "location": model.location or known.location,
        "expect_every": model.expect_every or known.expect_every,
        "tags": {**known.tags, **model.tags},
    }
    origin = Origin(source, _encoder(driver), sensor=model.sensor, settings=known.model_copy(update=about))
    options = options_of(driver, model.options, model.address)
    make: Any = partial(driver.decoder, options)
    if parts.gnss is not None and source == parts.configuration.gateway.gnss and "position" in driver.kinds:
        make = parts.gnss.overhear(make)
    interval = model.interval or link.interval
    patience = max(10 * interval, 60.0) + options.silence if model.restart_after is None else model.restart_after
    return SerialDevice(make, origin, interval, model.timeout or link.timeout, patience)


def mqtt_source(name: str, source: MqttSource, parts: Parts) -> MqttIngest:
    """Build a broker to read from."""
    driver = parts.catalogue.load(source.driver)
    assert isinstance(driver.link, MqttLink)
    host, port = source.address
    settings = MqttSettings(
        host,
        port,
        source.client_id or f"prehod-{parts.configuration.gateway.id}-{name}",
        source.topics or driver.link.topics,
        qos=source.qos,
        session_expiry=source.session_expiry,
        receive_maximum=source.receive_maximum,
        **_broker(source),
    )
    ours = crc32(name.encode())
    decoder: Any = driver.decoder(options_of(driver, source.options))
    return MqttIngest(
        name,
        settings,
        decoder,
        Origin(name, _encoder(driver), tags=source.tags, hold_unknown=source.unknown_sensors == "hold"),
        codecs=_codecs(parts),
        max_message=driver.max_frame,
        intake=parts.intake,
        committer=parts.committer,
        health=parts.health.source(name),
        taken=[identity for identity in parts.taken if identity.source == ours],
    )


def influx_sink(sink: InfluxModel) -> InfluxSink:
    """Build a database to write to."""
    return InfluxSink(
        InfluxSettings(
            sink.url,
            org=sink.org or "",
            bucket=sink.bucket or "",
            token_file=sink.token_file,
            database=sink.database if sink.api == "v1" else None,
            retention_policy=sink.retention_policy,
            username=sink.username,
            password_file=sink.password_file,
            ca_file=sink.ca_file,
            timeout=sink.timeout,
        )
    )


def limits(sink: InfluxModel) -> Limits:
    """Return how much a database gets at a time."""
    return Limits(sink.max_lines, sink.max_bytes, join=sink.gzip_members == "join", max_rate=sink.max_rate)


def live_sink(
    name: str, sink: MqttSink, configuration: Configuration, health: Health
) -> tuple[LiveSink, Callable[[Reading], None]]:
    """Build the live topics; returns the sink and what shows it a reading."""
    own = configuration.gateway
    host, port = sink.address
    settings = LiveSettings(
        host,
        port,
        sink.client_id or f"prehod-{own.id}-{name}",
        topic=sink.topic,
        status_topic=f"prehod/{own.id}/status",
        qos=sink.qos,
        retain=sink.retain,
        **_broker(sink),
    )
    live = LiveSink(settings, health.snapshot, health.sink(name).took)

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


def _encoder(driver: Driver) -> FieldEncoder:
    return FieldEncoder({field.name: field for field in driver.fields})


def _codecs(parts: Parts) -> Callable[[str], tuple[Codec, Options] | None]:
    found = {}
    for identity, sensor in parts.configuration.sensors.items():
        if sensor.codec is not None:
            codec = parts.catalogue.load_codec(sensor.codec)
            found[identity] = (codec, options_of(codec, sensor.options))
    return found.get


def _broker(settings: Broker) -> dict[str, Any]:
    return {
        "protocol": settings.protocol,
        "keepalive": settings.keepalive,
        "username": settings.username,
        "password_file": settings.password_file,
        "tls": settings.tls,
        "ca_file": settings.ca_file,
        "certificate_file": settings.certificate_file,
        "key_file": settings.key_file,
    }
