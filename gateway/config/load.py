"""The configuration file: TOML in, frozen models out, or every problem at once.

`load` never connects to anything. What it returns is complete: defaults filled in, drivers and codecs found, their
options checked against the models that they declare. Passwords and tokens are named by file and read when needed.
"""

import re
import tomllib
from collections.abc import Generator, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol, get_args

from pydantic import TypeAdapter, ValidationError

from gateway.config.explain import explain, nearest
from gateway.config.models import Configuration, Gateway
from gateway.contract import VOCABULARY, Codec, Driver, MqttLink, Options, SerialLink, Vocabulary
from gateway.errors import ConfigurationError
from gateway.ingest.settings import SensorSettings
from gateway.mqtt.topics import overlap
from gateway.sources.settings import (
    HttpPollSettings,
    HttpSourceSettings,
    MessageSourceSettings,
    MqttSourceSettings,
    SerialSourceSettings,
)
from gateway.spool.held_note import HELD
from gateway.spool.quarantine_lines import UNKNOWN_SENSORS

_EUI = re.compile(r"[0-9A-Fa-f]{16}")


class Catalogue(Protocol):
    """Where drivers and codecs are looked up by name; `LookupError` says what is nearest."""

    def names(self) -> list[str]: ...  # noqa: D102 -- the protocol's docstring says it
    def load(self, name: str) -> Driver: ...  # noqa: D102 -- the same
    def codec_names(self) -> list[str]: ...  # noqa: D102 -- the same
    def load_codec(self, name: str) -> Codec: ...  # noqa: D102 -- the same


def load(path: Path, catalogue: Catalogue) -> Configuration:
    """Read and check a file; a `ConfigurationError` names every problem by its place."""
    return check(_parse(path), catalogue, str(path))


def check(data: Mapping[str, Any], catalogue: Catalogue, where: str = "configuration") -> Configuration:
    """Check what a file holds; see `load`."""
    problems: list[str] = []
    try:
        configuration = Configuration.model_validate(data)
    except ValidationError as error:
        problems = explain(error, Configuration, where)
        configuration = _what_fits(data)
    problems += [f"{where}: {problem}" for problem in _cross_check(configuration, catalogue)]
    if problems:
        raise ConfigurationError(problems)
    return configuration


def _what_fits(data: Mapping[str, Any]) -> Configuration:
    """Keep the sources and sensors that are right in themselves, so that their drivers can be checked as well."""
    parts: dict[str, dict[str, Any]] = {}
    for section in ("sources", "sensors", "fields"):
        adapter: TypeAdapter[Any] = TypeAdapter(get_args(Configuration.model_fields[section].annotation)[1])
        given = data.get(section, {})
        parts[section] = {}
        for name, value in given.items() if isinstance(given, dict) else ():
            with suppress(ValidationError):
                parts[section][name] = adapter.validate_python(value)
    return Configuration.model_construct(
        None,
        gateway=Gateway.model_construct(id="", city=""),
        sources=parts["sources"],
        sensors=parts["sensors"],
        fields=parts["fields"],
    )


def load_gateway_data_dir(path: Path) -> Path:
    """Return ``gateway.data_dir`` of a file without checking the rest, for commands that only look at the disk."""
    section = _parse(path).get("gateway", {})
    directory = section.get("data_dir") if isinstance(section, dict) else None
    return Path(directory) if isinstance(directory, str) else Gateway.model_fields["data_dir"].default


def options_of(
    driver: Driver | Codec,
    given: Mapping[str, Any],
    address: int | None = None,
    vocabulary: Vocabulary = VOCABULARY,
) -> Options:
    """Return a driver's options from what the configuration gives; `ValidationError` where they do not fit.

    ``vocabulary`` are the fields that they may name.
    """
    addressed = {} if address is None else {"address": address}
    return driver.options.model_validate({**given, **addressed}, context=vocabulary)


def _parse(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigurationError([f"{path}: no such file; start from config/minimal.toml"]) from None
    except OSError as error:
        raise ConfigurationError([f"{path}: cannot be read: {error.strerror or error}"]) from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            [f"{path}: not UTF-8 text: byte {error.start} is {error.object[error.start]:02X}"]
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError([f"{path}: not TOML: {error}"]) from None


def _cross_check(configuration: Configuration, catalogue: Catalogue) -> Iterator[str]:
    """Find what no single model can see: drivers, codecs, their options, names used twice."""
    yield from _check_fields(configuration)
    vocabulary = configuration.vocabulary
    owners: dict[tuple[object, ...], str] = {}
    for name, source in configuration.sources.items():
        place = f"sources.{name}"
        if isinstance(source, MessageSourceSettings):
            driver = yield from _find(place, source.driver, MqttLink, catalogue)
            if driver is not None:
                found = list(_option_problems(f"{place}.options", driver, source.options, vocabulary))
                yield from found or _check_messages(place, source, driver, vocabulary)
        else:
            yield from _claim(owners, "port", source.port, place)
            yield from _check_line(place, source, catalogue, owners, vocabulary)
    yield from _check_addresses(configuration)
    yield from _check_gnss(configuration, catalogue)
    for name in configuration.sinks.keys() & {UNKNOWN_SENSORS, HELD}:
        yield f"sinks.{name}: the quarantine keeps lines of unknown sensors under that name; choose another"
    for identity, sensor in configuration.sensors.items():
        if _EUI.fullmatch(identity) and identity != identity.lower():
            yield f"sensors.{identity}: a LoRaWAN device's EUI is written in lower case: {identity.lower()!r}"
        yield from _check_sensor(f"sensors.{identity}", sensor, catalogue, vocabulary)


def _check_fields(configuration: Configuration) -> Iterator[str]:
    """Find own fields that the vocabulary, or a tag beside them, leaves no room for."""
    tags = {tag for part in _with_tags(configuration) for tag in part}
    for name, settings in configuration.fields.items():
        if objection := VOCABULARY.objection(settings.named(name)):
            yield f"fields.{name}: {objection}"
        elif name in tags:
            yield f"fields.{name}: {name!r} is the name of a tag too: queries could not tell them apart"
    capitals: dict[str, str] = {}
    for kind in (kind for settings in configuration.fields.values() for kind in settings.kinds):
        if (other := capitals.setdefault(kind.lower(), kind)) != kind:
            yield f"fields: only capital letters tell the measurements {other!r} and {kind!r} apart"


def _with_tags(configuration: Configuration) -> Iterator[Mapping[str, str]]:
    yield getattr(configuration.gateway, "tags", {})
    for part in (*configuration.sources.values(), *configuration.sensors.values()):
        yield part.tags
    for source in configuration.sources.values():
        if isinstance(source, SerialSourceSettings):
            yield from (device.tags for device in source.devices)


def _check_messages(
    place: str, source: MessageSourceSettings, driver: Driver, vocabulary: Vocabulary
) -> Iterator[str]:
    """Find messages that could come and never become a reading."""
    options = options_of(driver, source.options, vocabulary=vocabulary)
    own = source.sensor if isinstance(source, HttpSourceSettings | HttpPollSettings) else None
    if own is None and not options.names_sensor:
        yield f"{place}.options: nothing in them says whose a message is: set the option 'sensor'"
    for topic in source.topics if isinstance(source, MqttSourceSettings) else ():
        readable = options.readable_topics
        if readable and not any(overlap(topic, one) for one in readable):
            yield f"{place}.topics: {driver.name!r} reads nothing on {topic!r}, but on {' and '.join(readable)}"


def _check_addresses(configuration: Configuration) -> Iterator[str]:
    """Find HTTP sources that share an address and cannot: by their paths, their certificates, or with the page."""
    first: dict[str, tuple[str, HttpSourceSettings]] = {}
    paths: dict[tuple[str, str], str] = {}
    for name, source in configuration.sources.items():
        if not isinstance(source, HttpSourceSettings):
            continue
        place, path = f"sources.{name}", source.path_of(name)
        owner, other = first.setdefault(source.listen, (place, source))
        if (claimed := paths.setdefault((source.listen, path), place)) != place:
            yield f"{place}.path: {path!r} is already the path of {claimed}; give each a path of its own"
        if (source.certificate_file, source.key_file) != (other.certificate_file, other.key_file):
            yield f"{place}.certificate_file: {owner} listens at {source.listen} with another: one address has one"
        if configuration.web is not None and source.listen == configuration.web.listen:
            yield f"{place}.listen: {source.listen!r} is the page's ([web]); choose another port"


def _check_gnss(configuration: Configuration, catalogue: Catalogue) -> Iterator[str]:
    name, sources = configuration.gateway.gnss, configuration.sources
    if name is None or (name in sources and _finds_position(sources[name], catalogue)):
        return
    if name in sources:
        yield f"gateway.gnss: {name!r} is no serial source with a driver that finds a position"
    else:
        fitting = [name for name, source in sources.items() if _finds_position(source, catalogue)]
        yield f"gateway.gnss: {nearest(name, fitting, 'satellite receiver')}"


def _finds_position(source: SerialSourceSettings | MessageSourceSettings, catalogue: Catalogue) -> bool:
    """Tell whether a source is a serial line with a satellite receiver on it; an unknown driver may be one."""
    if isinstance(source, MessageSourceSettings):
        return False
    used = {device.driver for device in source.all_devices()}
    return not used <= set(catalogue.names()) or any("position" in catalogue.load(name).kinds for name in used)


def _check_sensor(place: str, sensor: SensorSettings, catalogue: Catalogue, vocabulary: Vocabulary) -> Iterator[str]:
    if sensor.codec is None:
        if sensor.options:
            yield f"{place}.options: these are a codec's, and no codec is set"
        return
    try:
        codec = catalogue.load_codec(sensor.codec)
    except LookupError:
        yield f"{place}.codec: {nearest(sensor.codec, catalogue.codec_names(), 'codec')}"
    else:
        yield from _option_problems(f"{place}.options", codec, sensor.options, vocabulary)


def _check_line(
    place: str,
    source: SerialSourceSettings,
    catalogue: Catalogue,
    owners: dict[tuple[object, ...], str],
    vocabulary: Vocabulary,
) -> Iterator[str]:
    for index, device in enumerate(source.all_devices()):
        here = f"{place}.devices[{index}]" if source.devices else place
        if device.sensor is not None:
            yield from _claim(owners, "sensor", device.sensor, here)
        if device.address is not None:
            yield from _claim(owners, "address", device.address, here, within=place)
        driver = yield from _find(here, device.driver, SerialLink, catalogue)
        if driver is None:
            continue
        address = device.address
        yield from _check_modbus(here, driver, source, address)
        if driver.serial is not None and not driver.serial.bus:
            if len(source.devices) > 1:
                yield f"{here}.driver: {device.driver!r} has no address, it cannot share a line"
            elif address is not None:
                yield f"{here}.address: {device.driver!r} has no address"
            address = None
        problems = _option_problems(f"{here}.options", driver, device.options, vocabulary, address)
        yield from problems
        if device.sensor is None and not problems:
            yield from _check_unnamed(here, source, driver, options_of(driver, device.options, address, vocabulary))


def _check_unnamed(place: str, source: SerialSourceSettings, driver: Driver, options: Options) -> Iterator[str]:
    """Say so where neither the source nor what is printed on its line names the sensor."""
    if driver.lines is not None and not options.names_sensor:
        yield f"{place}: 'sensor' is missing, and the options do not say where a line names it"
    elif driver.lines is None and source.devices:
        yield f"{place}.sensor: is missing"
    elif driver.lines is None:
        yield f"{place}: 'sensor' is missing (or devices = [...] for a bus)"


def _check_modbus(place: str, driver: Driver, source: SerialSourceSettings, address: int | None) -> Iterator[str]:
    """Look whether the device can be spoken to by Modbus TCP, and whether it has an address that a line knows."""
    over_tcp = source.port.startswith("modbus://")
    modbus = isinstance(driver.link, SerialLink) and driver.link.modbus
    if over_tcp and not modbus:
        socket = source.port.replace("modbus://", "socket://")
        yield f"{place}.driver: {driver.name!r} speaks no Modbus; for the bytes of its line write port = {socket!r}"
    elif modbus and not over_tcp and address in (0, 255):
        yield f"{place}.address: {address} is no address of a device on a line, only a unit of Modbus TCP"


def _claim(
    owners: dict[tuple[object, ...], str], what: str, value: object, place: str, within: str = ""
) -> Iterator[str]:
    """Say so where two places name the same thing."""
    if (first := owners.setdefault((what, within, value), place)) != place:
        yield f"{place}.{what}: {value!r} is already the {what} of {first}"


def _find(
    place: str, name: str, link: type[SerialLink | MqttLink], catalogue: Catalogue
) -> Generator[str, None, Driver | None]:
    try:
        driver = catalogue.load(name)
    except LookupError:
        yield f"{place}.driver: {nearest(name, catalogue.names(), 'driver')}"
        return None
    if not isinstance(driver.link, link) and (link is MqttLink or driver.serial is None):
        other = "serial" if link is MqttLink else "mqtt"
        yield f'{place}.driver: {name!r} belongs to a source of type = "{other}"'
        return None
    return driver


def _option_problems(
    place: str,
    driver: Driver | Codec,
    given: Mapping[str, Any],
    vocabulary: Vocabulary,
    address: int | None = None,
) -> list[str]:
    try:
        options_of(driver, given, address, vocabulary)
    except ValidationError as error:
        return explain(error, driver.options, place, separator=".")
    return []
