"""A configuration loads complete, or every problem is told at once: its place, its value, and how to mend it."""

import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

import drivers
from gateway.config.load import check, load_gateway_data_dir, options_of
from gateway.config.models import Configuration, DatabaseSettings
from gateway.contract import Codec, Driver, Options, SerialDecoder, SerialLink
from gateway.daemon.catalogue import CATALOGUE, load_configuration
from gateway.errors import ConfigurationError
from gateway.sinks.settings import LiveSettings
from gateway.sources.settings import HttpPollSettings, HttpSourceSettings, MqttSourceSettings, SerialSourceSettings

EXAMPLES = Path(__file__).parents[2] / "config"

MISTAKES = tomllib.loads((Path(__file__).parent / "mistakes.toml").read_text(encoding="utf-8"))["mistake"]

RIGHT = """
[gateway]
id = "koper-01"
city = "Koper"

[sources.air]
type = "serial"
port = "/dev/ttyUSB0"
driver = "sds011"
sensor = "aq-1"

[sources.lora]
type = "mqtt"
url = "mqtt://127.0.0.1"
driver = "chirpstack"

[sensors."70b3d57ed0041234"]
codec = "bosch_tps110"

[sinks.influx]
type = "influxdb"
url = "http://127.0.0.1:8086"
org = "koper"
bucket = "city"
"""


CITY = 'city = "Koper"'
ONE = 'driver = "sds011"\nsensor = "aq-1"'
CODEC = 'codec = "bosch_tps110"'


class BusOptions(Options):
    address: int = 1


def _never(_: object) -> SerialDecoder:
    raise AssertionError("a configuration is checked without making a decoder")


class Shelf:
    """The real drivers, and one for a bus."""

    BUS = Driver("bus_meter", "Bus meter", SerialLink(9600, bus=True), (), 10, _never, BusOptions)

    def names(self) -> list[str]:
        return sorted([*drivers.names(), "bus_meter"])

    def load(self, name: str) -> Driver:
        return self.BUS if name == "bus_meter" else drivers.load(name)

    def codec_names(self) -> list[str]:
        return drivers.codec_names()

    def load_codec(self, name: str) -> Codec:
        return drivers.load_codec(name)


def problems_of(text: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        check(tomllib.loads(text), Shelf(), "x.toml")
    assert str(caught.value) == "\n".join(caught.value.problems)
    return [problem.removeprefix("x.toml: ") for problem in caught.value.problems]


def with_(old: str, new: str) -> str:
    assert old in RIGHT
    return RIGHT.replace(old, new, 1)


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake["says"][:60])
def test_a_mistake_is_told_by_its_place_its_value_and_how_to_mend_it(mistake: Mapping[str, str]) -> None:
    (problem,) = problems_of(with_(mistake["instead_of"], mistake["write"]))
    beginning = mistake["says"].removesuffix("...")
    assert problem == beginning or (beginning != mistake["says"] and problem.startswith(beginning))


def test_all_mistakes_are_told_at_once() -> None:
    text = RIGHT.replace(CITY, 'citty = "Koper"').replace('"sds011"', '"sds01"').replace(CODEC, 'codec = "bosch"')
    text = text.replace('org = "koper"', "max_lines = 0")
    assert [problem.partition(": ")[0] for problem in problems_of(text)] == [
        "gateway.city",
        "gateway.citty",
        "sinks.influx.max_lines",
        "sources.air.driver",
        "sensors.70b3d57ed0041234.codec",
    ]


def test_a_broken_source_hides_no_problem_of_the_others() -> None:
    text = RIGHT.replace('port = "/dev/ttyUSB0"', "").replace(CODEC, 'codec = "bosch"')
    assert [problem.partition(": ")[0] for problem in problems_of(text)] == [
        "sources.air.port",
        "sensors.70b3d57ed0041234.codec",
    ]


def test_what_is_not_set_is_at_its_default() -> None:
    loaded = check(tomllib.loads(RIGHT), CATALOGUE)
    assert (loaded.gateway.data_dir, loaded.gateway.clock, loaded.web) == (Path("/var/lib/prehod"), "auto", None)
    assert loaded.spool.model_dump() == {
        "commit_interval": 1.0,
        "commit_bytes": 262144,
        "max_bytes": 2147483648,
        "min_free_bytes": 67108864,
        "keep": 604800.0,
        "on_full": "drop_oldest",
    }
    lora, influx = loaded.sources["lora"], loaded.sinks["influx"]
    assert isinstance(lora, MqttSourceSettings)
    assert (lora.qos, lora.protocol, lora.receive_maximum, lora.session_expiry) == (1, "5", 1000, 604800.0)
    assert (lora.unknown_sensors, lora.topics, lora.client_id) == ("accept", (), "")
    assert isinstance(influx, DatabaseSettings)
    assert (influx.api, influx.max_lines, influx.max_bytes, influx.gzip_members) == ("v2", 5000, 1_000_000, "join")
    assert influx.max_rate is None


def test_the_short_form_of_a_serial_source_is_one_device() -> None:
    text = with_(ONE, f'{ONE}\ninterval = "5s"\ntags = {{ street = "s" }}\nlocation = [1, 2]')
    air = check(tomllib.loads(text), CATALOGUE).sources["air"]
    assert isinstance(air, SerialSourceSettings)
    (device,) = air.all_devices()
    assert (device.driver, device.sensor, device.interval, device.address) == ("sds011", "aq-1", 5.0, None)
    assert (device.tags, device.location, device.options, device.timeout) == ({"street": "s"}, (1.0, 2.0), {}, None)


def test_the_tags_of_a_line_are_on_each_of_its_devices_unless_it_has_its_own() -> None:
    device = 'devices = [{ driver = "bus_meter", address = 7, sensor = "a", tags = { site = "own" } }]'
    text = with_(ONE, f'tags = {{ site = "line", floor = "1" }}\n{device}')
    air = check(tomllib.loads(text), Shelf()).sources["air"]
    assert isinstance(air, SerialSourceSettings)
    (only,) = air.all_devices()
    assert only.tags == {"site": "own", "floor": "1"}
    assert options_of(Shelf.BUS, only.options, only.address) == BusOptions(address=7)


@pytest.mark.parametrize(
    ("url", "tls", "address"),
    [
        ("mqtt://broker", False, ("broker", 1883)),
        ("mqtts://broker", True, ("broker", 8883)),
        ("mqtt://broker:1884/", False, ("broker", 1884)),
        ("mqtt://10.0.0.1:1884", False, ("10.0.0.1", 1884)),
        ("mqtt://[::1]", False, ("::1", 1883)),
        ("mqtts://[fe80::1]:8884", True, ("fe80::1", 8884)),
        ("ws://broker/mqtt", False, ("broker", 80)),
        ("wss://broker", True, ("broker", 443)),
        ("wss://broker:8084/", True, ("broker", 8084)),
    ],
)
def test_a_brokers_url_tells_host_port_and_encryption(url: str, tls: bool, address: tuple[str, int]) -> None:
    sink = LiveSettings(type="mqtt", url=url)
    assert (sink.tls, sink.address) == (tls, address)


def test_a_usb_port_is_one_port_however_it_is_written() -> None:
    twin = '[sources.twin]\ntype = "serial"\nport = "usb:1A86:7523"\ndriver = "sds011"\nsensor = "aq-2"\n'
    twin += "[sources.air]"
    text = RIGHT.replace('port = "/dev/ttyUSB0"', 'port = "usb:1a86:7523"').replace("[sources.air]", twin)
    with pytest.raises(ConfigurationError, match=r"'usb:1a86:7523' is already the port of sources\.twin"):
        check(tomllib.loads(text), CATALOGUE)


def test_nothing_changes_after_loading() -> None:
    loaded = check(tomllib.loads(RIGHT), CATALOGUE)
    with pytest.raises(ValidationError):
        loaded.gateway.id = "other"  # type: ignore[misc] # that is the point


@pytest.mark.parametrize(
    ("table", "key", "home"),
    [
        ("gateway", 'unknown_sensors = "hold"', "this key belongs in [sources.NAME] of type mqtt or http"),
        ("gateway", 'listen = "127.0.0.1:8080"', "this key belongs in [sources.NAME] of type http or [web]"),
        ("web", 'keep = "7d"', "this key belongs in [spool]"),
        ("web", "keepalive = 3", "this key belongs in [sources.NAME] of type mqtt or [sinks.NAME] of type mqtt"),
        ("web", 'tags = { a = "b" }', "no key is called 'tags'; there are listen"),
        ("web", 'lissen = "x"', "no key is called 'lissen'; did you mean 'listen'?"),
    ],
)
def test_a_key_in_a_wrong_table_is_told_its_own_where_there_are_one_or_two(
    table: str, key: str, home: str, tmp_path: Path
) -> None:
    tables = {"gateway": 'id = "koper-01"\ncity = "Koper"\n', "web": ""}
    tables[table] += key
    path = tmp_path / "prehod.toml"
    path.write_text("\n".join(f"[{name}]\n{keys}" for name, keys in tables.items()))
    with pytest.raises(ConfigurationError) as caught:
        load_configuration(path)
    (problem,) = caught.value.problems
    assert problem.startswith(f"{path}: {table}.{key.split(maxsplit=1)[0]}: {home}")


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda _: None, r"no such file; start from config/minimal\.toml"),
        (lambda path: path.mkdir(), "cannot be read: Is a directory"),
        (lambda path: path.write_bytes(b"id\xff"), "not UTF-8 text: byte 2 is FF"),
        (lambda path: path.write_text("[gateway\n"), r"not TOML: Expected ']' .*line 1"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_by_its_name(
    tmp_path: Path, write: Callable[[Path], object], message: str
) -> None:
    path = tmp_path / "x.toml"
    write(path)
    with pytest.raises(ConfigurationError, match=f"^{re.escape(str(path))}: {message}"):
        load_configuration(path)


def test_the_data_directory_is_found_in_a_file_that_is_wrong_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    for text, expected in [
        ('[gateway]\ndata_dir = "/srv/x"\n[sinkz]\n', "/srv/x"),
        ("[gateway]\ndata_dir = 5\n", "/var/lib/prehod"),
        ("gateway = 5\n", "/var/lib/prehod"),
        ("", "/var/lib/prehod"),
    ]:
        path.write_text(text, encoding="utf-8")
        assert load_gateway_data_dir(path) == Path(expected)


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("*.toml")))
def test_an_example_loads(name: str) -> None:
    loaded = load_configuration(EXAMPLES / name)
    assert loaded.sources
    assert loaded.sinks


def test_every_commented_option_of_the_full_example_loads_at_its_place() -> None:
    given = tomllib.loads(uncommented())
    sink = given["sinks"]["influx"]
    old = {key: sink.pop(key) for key in ("database", "retention_policy")}
    check(given, CATALOGUE)
    for key in ("org", "bucket"):
        del sink[key]
    sink |= {**old, "api": "v1"}
    check(given, CATALOGUE)
    del sink["retention_policy"]
    sink["api"] = "v3"
    check(given, CATALOGUE)


def uncommented() -> str:
    return re.sub(r"(?m)^#(?=[a-z_0-9]+ = )", "", (EXAMPLES / "prehod.toml").read_text(encoding="utf-8"))


def test_the_full_example_names_every_key_there_is() -> None:
    given = tomllib.loads(uncommented())
    serial = given["sources"]["tito-square"] | given["sources"]["bus-rs485"]
    keys = {
        "": given,
        "gateway": given["gateway"],
        "spool": given["spool"],
        "web": given["web"],
        "serial source": serial,
        "mqtt source": given["sources"]["city-broker"],
        "http source": given["sources"]["stations"],
        "http poll": given["sources"]["school-roof"],
        "sensor": next(iter(given["sensors"].values())),
        "field": next(iter(given["fields"].values())),
        "influxdb sink": given["sinks"]["influx"],
        "mqtt sink": given["sinks"]["live"],
    }
    models: Mapping[str, Any] = Configuration.model_fields
    known = {
        "": Configuration,
        "gateway": models["gateway"].annotation,
        "spool": models["spool"].annotation,
        "web": models["web"].annotation.__args__[0],
        "serial source": SerialSourceSettings,
        "mqtt source": MqttSourceSettings,
        "http source": HttpSourceSettings,
        "http poll": HttpPollSettings,
        "sensor": models["sensors"].annotation.__args__[1],
        "field": models["fields"].annotation.__args__[1],
        "influxdb sink": DatabaseSettings,
        "mqtt sink": LiveSettings,
    }
    for what, model in known.items():
        assert sorted(keys[what]) == sorted(model.model_fields), f"{what}: config/prehod.toml and settings differ"


def test_a_commented_option_of_the_spool_is_at_its_default() -> None:
    spool = tomllib.loads(uncommented())["spool"]
    with_all = check({**tomllib.loads(RIGHT), "spool": spool}, CATALOGUE).spool
    assert with_all == check(tomllib.loads(RIGHT), CATALOGUE).spool
    assert len(with_all.model_fields_set) == 6


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["gateway", "sources", "sensors", "sinks", "type", "id", "driver", "devices", "tags", "x"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_no_nonsense_raises_anything_but_a_configuration_error(nonsense: object) -> None:
    data = nonsense if isinstance(nonsense, dict) else {"sources": nonsense, "sensors": nonsense, "sinks": nonsense}
    with pytest.raises(ConfigurationError):
        check(data, CATALOGUE)


def problems(sources: dict[str, Any]) -> list[str]:
    with pytest.raises(ConfigurationError) as raised:
        check({"gateway": {"id": "g", "city": "Koper"}, "sources": sources}, CATALOGUE)
    return list(raised.value.problems)


BROKER = {"type": "mqtt", "url": "mqtt://127.0.0.1", "driver": "json"}


def test_messages_that_say_nowhere_whose_they_are_can_never_work() -> None:
    options = {"kind": "air_quality", "fields": {"pm25": "p"}}
    (problem,) = problems({"broker": {**BROKER, "options": options}})
    assert problem.startswith("configuration: sources.broker.options: nothing in them says whose a message is")


@pytest.mark.parametrize(
    ("driver", "options", "topic"),
    [
        ("json", {"kind": "air_quality", "sensor": "topic:2", "fields": {"pm25": "p"}}, "a/+"),
        ("json", {"kind": "air_quality", "sensor": "topic:-3", "fields": {"pm25": "p"}}, "a/b"),
        ("zigbee2mqtt", {"base": "zigbee/hall"}, "z2m/+"),
    ],
)
def test_a_topic_that_its_driver_does_not_read_can_never_work(
    driver: str, options: dict[str, Any], topic: str
) -> None:
    source = {**BROKER, "driver": driver, "options": options, "topics": [topic]}
    (problem,) = problems({"broker": source})
    assert f"'{driver}' reads nothing on '{topic}', but on " in problem


@pytest.mark.parametrize("topic", ["a/+/c", "a/#", "#", "$share/g/a/b/c", "a/b/c/d"])
def test_a_topic_that_may_have_enough_levels_is_right(topic: str) -> None:
    options = {"kind": "air_quality", "sensor": "topic:2", "fields": {"pm25": "p"}}
    check(
        {
            "gateway": {"id": "g", "city": "Koper"},
            "sources": {"broker": {**BROKER, "options": options, "topics": [topic]}},
        },
        CATALOGUE,
    )


@pytest.mark.parametrize("port", ["tcp://127.0.0.1:502", "http://moxa/1", "10.0.0.7:4001", "moxa.lan:4001"])
def test_a_port_that_is_an_address_can_never_work(port: str) -> None:
    (problem,) = problems({"line": {"type": "serial", "port": port, "driver": "sds011", "sensor": "aq"}})
    assert "write socket://" in problem or "write modbus://" in problem or "/dev/" in problem
