"""Payloads of every form through real parts: a broker or a pseudo-terminal, a configuration file, the spool.

One gateway has a source for each trial, and every trial tells what it lacks; inputs of the field's cases are read
from the folder that PREHOD_CASES names, where there is one.
"""

import gzip
import os
import re
import struct
import tty
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, suppress
from typing import Any, NamedTuple

import aiomqtt
import pytest

from firmware_sim.bench.toml import table
from firmware_sim.servers.servers import Mosquitto
from firmware_sim.truth.points import StoredPoint
from tests.support.message_cases import inputs
from tests.support.until import until
from tests.system.conftest import Rig

pytestmark = pytest.mark.system


class Trial(NamedTuple):
    """What is sent to a source of its own, and the fields of each reading that is to be stored of it, in order.

    ``refused`` is how many messages are refused besides; ``topic`` is "" for a serial line, which each payload with
    an end of line is printed on.
    """

    name: str
    source: Mapping[str, Any]
    topic: str
    payloads: tuple[bytes, ...]
    stored: tuple[Mapping[str, object], ...]
    measurement: str = "air_quality"
    refused: int = 0
    told: str = ""
    """Words that are said of each refused message."""

    @property
    def is_serial(self) -> bool:
        return not self.topic

    @property
    def is_named(self) -> bool:
        """Whether the source names the sensor of a serial line, which otherwise each line does."""
        return b"serial-hub" not in self.payloads[0]


def air(driver: str, **options: object) -> dict[str, Any]:
    return {"driver": driver, "options": {"kind": "air_quality", **options}}


def of_topic(driver: str, **options: object) -> dict[str, Any]:
    return air(driver, sensor="topic:1", **options)


T = {"temperature": "t"}
COLUMNS = ["temperature", "relative_humidity:%"]
FIELDS: dict[str, dict[str, Any]] = {
    "rain": {"unit": "mm", "range": [0, 500], "kinds": ["weather"]},
    "volume": {"unit": "m3", "kinds": ["water"]},
    "power": {"unit": "W", "kinds": ["energy"]},
}
BOTH = {"temperature": 17.25, "relative_humidity": 0.4}
ZIPPED = b'{"t":21.25}'

OWN = (
    Trial(
        "value",
        of_topic("value", name="topic:2", fields={"temperature": "temp"}),
        "home/value/temp",
        (b"17.25", b"unavailable"),
        ({"temperature": 17.25},),
        refused=1,
    ),
    Trial(
        "words",
        {"driver": "value", "options": {"kind": "parking", "sensor": "topic:1", "fields": {"occupied": ""}}},
        "stat/words/POWER",
        (b"ON", b"OFF", b"TOGGLE"),
        ({"occupied": True}, {"occupied": False}),
        "parking",
        refused=1,
    ),
    Trial(
        "csv",
        of_topic("text", columns=COLUMNS),
        "csv/csv",
        (b"17.25,40\n18.25,41\r\n", b"<t>17</t>"),
        ({"temperature": 17.25, "relative_humidity": 0.4}, {"temperature": 18.25, "relative_humidity": 0.41}),
        refused=1,
    ),
    Trial("pairs", of_topic("text", pairs=True, fields=T), "kv/pairs", (b"h=40&t=17.25",), ({"temperature": 17.25},)),
    Trial(
        "xml", of_topic("text", pattern="<t>{temperature}</t>"), "x/xml", (b"<t>17</t>",), ({"temperature": 17.0},)
    ),
    Trial("form", of_topic("form", fields=T), "form/form", (b"t=17%2E25&x=+",), ({"temperature": 17.25},)),
    Trial(
        "lines", {"driver": "line_protocol"}, "lp/x", (b"air_quality,sensor=lines co2=640i,x=1",), ({"co2": 640.0},)
    ),
    Trial(
        "struct",
        of_topic("struct", layout=">hH", names=["t", "co2"], fields={"temperature": {"path": "t", "scale": 0.01}}),
        "raw/struct",
        (struct.pack(">hH", -1225, 640), b"x"),
        ({"temperature": -12.25, "co2": 640.0},),
        refused=1,
    ),
    Trial(
        "cbor", of_topic("cbor", fields=T), "b/cbor", (bytes.fromhex("bf6174f94c50ff"),), ({"temperature": 17.25},)
    ),
    Trial(
        "msgpack",
        of_topic("msgpack", fields=T),
        "b/msgpack",
        (bytes.fromhex("81a174ca418a0000"),),
        ({"temperature": 17.25},),
    ),
    Trial(
        "lorawan",
        {"driver": "lorawan", "options": {"codec": "cayenne_lpp"}},
        "lorawan/lorawan/2",
        (b"0167 00EB",),
        ({"temperature": 23.5},),
    ),
    Trial(
        "packed",
        {**of_topic("json", fields=T), "compression": "auto"},
        "z/packed",
        (gzip.compress(ZIPPED), zlib.compress(b'{"t":22.25}'), b'{"t":23.25}', gzip.compress(bytes(10**7))),
        ({"temperature": 21.25}, {"temperature": 22.25}, {"temperature": 23.25}),
        refused=1,
    ),
    Trial(
        "weather",
        {
            "driver": "json",
            "options": {"kind": "weather", "sensor": "topic:1", "fields": {"rain": "r", "temperature": "t"}},
        },
        "w/weather",
        (b'{"r":3,"t":17.25}',),
        ({"rain": 3.0, "temperature": 17.25},),
        "weather",
    ),
    Trial("serial-csv", air("text", columns=COLUMNS), "", (b"17.25,40", b"boot"), (BOTH,), refused=1),
    Trial("serial-hub", {"driver": "line_protocol"}, "", (b"air_quality,sensor=serial-hub co2=7",), ({"co2": 7.0},)),
    Trial("serial-value", air("value", fields=T), "", (b"17.25",), ({"temperature": 17.25},)),
)


def split_inputs(said: str) -> list[bytes]:
    """Return the payloads that a case names in its words."""
    text = said.rpartition("payload ")[2]
    return [part.strip().encode() for part in re.split(r" ; (?:and )?|, then ", text)]


def from_the_field() -> Iterator[Trial]:
    said = inputs()
    if not said:
        return
    on, off = split_inputs(said["g02"])
    occupied = {"path": "", "equals": on.decode()}
    relay = {"kind": "parking", "sensor": "topic:1", "fields": {"occupied": occupied}}
    both = ({"occupied": True}, {"occupied": False})
    yield Trial("g02", {"driver": "value", "options": relay}, "stat/g02/POWER", (on, off), both, "parking")
    gas, two = split_inputs(said["g04"])
    tail = ["", "", "", "temperature", "", "", "surface_temperature", ""]
    wanted = ({"temperature": 26.9, "surface_temperature": 70.3},)
    yield Trial("g04a", of_topic("text", columns=tail), "station/g04a", (gas,), wanted)
    yield Trial(
        "g04b",
        of_topic("text", columns=["co2", "temperature"]),
        "station/g04b",
        (two,),
        ({"co2": 601.0, "temperature": 21.5},),
    )
    light = of_topic("line_protocol", fields={"co2": "co2", "temperature": "temperature"})
    yield Trial("g05", light, "co2/g05", tuple(split_inputs(said["g05"])), ({"co2": 812.0, "temperature": 22.1},))
    form, words = split_inputs(said["g06"])
    warm = ({"temperature": 21.5},)
    yield Trial("g06a", of_topic("text", pairs=True, fields=T), "kv/g06a", (form,), warm)
    yield Trial("g06b", of_topic("text", pairs=True, fields={"temperature": "T"}), "kv/g06b", (words,), warm)
    xml = said["g07"].encode()
    yield Trial(
        "g07",
        of_topic("json", fields=T),
        "xml/g07",
        (xml,),
        (),
        refused=1,
        told='the driver "text" reads it by a pattern',
    )
    yield Trial("g07b", of_topic("text", pattern="<r><t>{temperature}</t></r>"), "xml/g07b", (xml,), warm)
    plain = re.fullmatch(r"gzip\((.*)\)", said["g32"])
    assert plain is not None
    packed = gzip.compress(plain[1].encode())
    yield Trial("g32", {**of_topic("json", fields=T), "compression": "gzip"}, "z/g32", (packed,), warm)
    yield Trial("g32b", of_topic("json", fields=T), "z/g32b", (packed,), (), refused=1, told='compression = "gzip"')
    msgpack, cbor = (bytes.fromhex(part.decode()) for part in split_inputs(said["g33"]))
    yield Trial("g33a", of_topic("msgpack", fields=T), "b/g33a", (msgpack,), warm)
    yield Trial("g33b", of_topic("cbor", fields=T), "b/g33b", (cbor,), warm)
    for name in said["g54"].split(", "):
        (kind,) = FIELDS[name]["kinds"]
        options = {"kind": kind, "sensor": "topic:1", "fields": {name: "value"}}
        source = {"driver": "json", "options": options}
        yield Trial(f"g54-{name}", source, f"own/g54-{name}", (b'{"value":7}',), ({name: 7.0},), kind)
    csv, named, document, line = split_inputs(said["g97"])
    percent = {"temperature": 21.5, "relative_humidity": 0.553}
    pattern = "T={temperature} H={relative_humidity:%}"
    yield Trial("g97a", air("text", columns=COLUMNS), "", (csv,), (percent,))
    yield Trial(
        "g97b", air("text", pattern=pattern), "", (named,), ({"temperature": 21.5, "relative_humidity": 0.55},)
    )
    yield Trial("g97c", air("json", fields=T), "", (document,), warm)
    yield Trial("g97d", air("line_protocol"), "", (line,), ({"temperature": 24.68},))


def own_fields() -> Iterator[Trial]:
    for name, kind in (("volume", "water"), ("power", "energy")):
        options = {"kind": kind, "sensor": "topic:1", "fields": {name: "value"}}
        yield Trial(
            name, {"driver": "json", "options": options}, f"own/{name}", (b'{"value":7}',), ({name: 7.0},), kind
        )


class Wire:
    """The device's side of a pseudo-terminal."""

    def __init__(self) -> None:
        self.fd, slave = os.openpty()
        self.port = os.ttyname(slave)
        tty.setraw(slave)
        os.close(slave)

    def say(self, lines: Iterable[bytes]) -> None:
        # An end of line first: what follows it is whole, however shortly the port has been open.
        os.write(self.fd, b"".join(line + b"\r\n" for line in (b"", *lines)))

    def close(self) -> None:
        os.close(self.fd)


def lacking(trials: Iterable[Trial], points: list[StoredPoint], state: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is not as it is to be."""
    for trial in trials:
        found = [
            {name: value for name, value in point.fields.items() if name != "quality"}
            for point in points
            if point.tags["sensor"] == trial.name and point.measurement == trial.measurement
        ]
        wanted = list(trial.stored)
        if found != wanted:
            yield f"{trial.name}: stored {found}, not {wanted}"
        refused = sum(state["sources"][trial.name]["rejects"].values())
        if refused != trial.refused:
            yield f"{trial.name}: {refused} refused, not {trial.refused}"
        details = [one["detail"] for one in state["sources"][trial.name]["last_rejects"]]
        if not all(trial.told in detail for detail in details):
            yield f"{trial.name}: told {details}, not {trial.told!r}"


async def test_what_people_send_is_stored_as_they_meant_it(rig: Rig) -> None:
    broker = await rig.serve(Mosquitto)
    trials = [*OWN, *own_fields(), *from_the_field()]
    with ExitStack() as stack:
        wires = {trial.name: Wire() for trial in trials if trial.is_serial}
        for wire in wires.values():
            stack.callback(wire.close)
        parts = [table(f"fields.{name}", **said) for name, said in FIELDS.items()]
        for trial in trials:
            if trial.is_serial:
                link: dict[str, Any] = {"type": "serial", "port": wires[trial.name].port}
                if trial.is_named:
                    link["sensor"] = trial.name
            else:
                link = {"type": "mqtt", "url": broker.url, "topics": [trial.topic]}
            parts.append(table(f"sources.{trial.name}", **link, **trial.source))
        gateway = await rig.gateway(*parts)
        await gateway.listening()
        async with aiomqtt.Client("127.0.0.1", broker.port) as client:
            for trial in trials:
                if trial.is_serial:
                    wires[trial.name].say(trial.payloads)
                for payload in trial.payloads if trial.topic else ():
                    await client.publish(trial.topic, payload, qos=1)
        expected = sum(len(trial.stored) for trial in trials)
        state = await gateway.until(
            lambda state: all(
                source["messages"] >= (1 if trial.is_serial else len(trial.payloads))
                for trial in trials
                for source in (state["sources"][trial.name],)
            )
        )
        with suppress(AssertionError):  # the list below says what is missing
            await until(lambda: len(gateway.spooled(torn=True)) >= expected, 20.0)
        state = await gateway.state()
        await gateway.stop()
    assert list(lacking(trials, gateway.spooled(), state)) == []
