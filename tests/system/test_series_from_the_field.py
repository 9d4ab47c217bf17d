"""Whose a reading is, and what a network server decoded: situations from the field, through a real broker.

One gateway has a source for each; ids are those of `tests.support.message_cases`. Inputs are
read from it where it is there, beside values of our own.
"""

import asyncio
import json
import re
import subprocess
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import aiohttp
import aiomqtt
import pytest

from firmware_sim.bench.toml import table
from firmware_sim.servers.process import free_port
from firmware_sim.servers.servers import Mosquitto
from firmware_sim.truth.points import StoredPoint
from tests.support.message_cases import inputs
from tests.system.conftest import Gateway, Rig

pytestmark = pytest.mark.system

OWN_TAGS = frozenset({"case", "city", "gateway", "sensor"})
RADIO = frozenset({"frame_counter", "quality"})


class Situation(NamedTuple):
    """What is published to a source of its own; ``stored`` are sensor, fields and tags of each reading, in order."""

    name: str
    source: Mapping[str, Any]
    sent: tuple[tuple[str, bytes], ...]
    stored: tuple[tuple[str, Mapping[str, object]], ...]
    told: str = ""
    """Words of a remark or a refusal that the log has to have."""


def objects(text: str) -> list[bytes]:
    """Return the JSON objects of one level in the words of a case, and those of two."""
    return [found.encode() for found in re.findall(r"\{(?:[^{}]|\{[^{}]*\})*\}", text)]


def warm(temperature: float) -> bytes:
    return json.dumps({"AM2301": {"Temperature": temperature}, "TempUnit": "C"}).encode()


def decoded(name: str, number: int, said: bytes, fields: Mapping[str, object], told: str = "") -> Iterator[Situation]:
    """Return what a device's codec said on either network server."""
    eui = f"70b3d57ed1{number:06x}"
    envelope: dict[str, Any] = {"deviceInfo": {"devEui": eui}, "fPort": 2, "object": json.loads(said)}
    topic = f"application/{number}/device/{eui}/event/up"
    sent = ((topic, json.dumps(envelope).encode()),)
    stored = ((eui, fields),)
    yield Situation(f"{name}-chirpstack", {"driver": "chirpstack", "topics": [topic]}, sent, stored, told)
    envelope = {
        "end_device_ids": {"device_id": f"d{number}", "dev_eui": eui},
        "uplink_message": {"f_port": 2, "decoded_payload": json.loads(said)},
    }
    topic = f"v3/city@ttn/devices/d{number}/up"
    sent = ((topic, json.dumps(envelope).encode()),)
    yield Situation(f"{name}-ttn", {"driver": "ttn", "topics": [topic]}, sent, stored, told)


PROBES = b'{"DS18B20-1":{"Temperature":17.5},"DS18B20-2":{"Temperature":-3.25}}'
BEACON = b'{"id":"A4:C1:38:00:00:02","tempc":17.5,"hum":52,"batt":75,"rssi":-81}'


def beacon(name: str, said: bytes) -> Situation:
    known = json.loads(said)
    options = {
        "kind": "air_quality",
        "sensor": "id",
        "fields": {
            "temperature": {"path": "tempc", "optional": True},
            "relative_humidity": {"path": "hum", "scale": 0.01, "optional": True},
            "battery_level": {"path": "batt", "scale": 0.01, "optional": True},
            "rssi": {"path": "rssi", "optional": True},
        },
    }
    fields = {
        "temperature": known["tempc"],
        "relative_humidity": pytest.approx(known["hum"] / 100),
        "battery_level": pytest.approx(known["batt"] / 100),
        "rssi": known["rssi"],
    }
    topic = f"home/OMG/BTtoMQTT/{name}"
    source = {"driver": "json", "options": options, "topics": [topic]}
    return Situation(name, source, ((topic, said),), ((known["id"], fields),))


def probes(name: str, said: bytes) -> Situation:
    topic, known = f"tele/{name}/SENSOR", json.loads(said)
    stored = tuple((name, {"temperature": part["Temperature"], "probe": probe}) for probe, part in known.items())
    return Situation(name, {"driver": "tasmota", "topics": [topic]}, ((topic, said),), stored)


def own() -> Iterator[Situation]:
    rooms = ("kitchen/tele/SENSOR", "garage/tele/SENSOR")
    yield Situation(
        "g48",
        {"driver": "tasmota", "topics": ["+/tele/SENSOR"]},
        tuple((topic, warm(20 + number)) for number, topic in enumerate(rooms)),
        (("kitchen", {"temperature": 20.0}), ("garage", {"temperature": 21.0})),
    )
    yield probes("g49-own", PROBES)
    yield beacon("g53-own", BEACON)
    levels = ("DS 1", "Škofja Loka", "4c:65:a8:d9:59:1a", "4c,65*a8=d9^59;1a", '"q"', "back\\slash", "a=b, c")
    options = {"kind": "air_quality", "sensor": "topic:2", "fields": {"co2": "v"}}
    yield Situation(
        "g51",
        {"driver": "json", "topics": ["/slash/#"], "options": options},
        tuple((f"/slash/{level}/x", json.dumps({"v": 600 + at}).encode()) for at, level in enumerate(levels)),
        tuple((level, {"co2": 600.0 + at}) for at, level in enumerate(levels)),
    )
    options = {"kind": "air_quality", "sensor": "topic:1", "fields": {"co2": "v"}}
    yield Situation(
        "g52",
        {"driver": "json", "topics": ["$share/prehod/share/#"], "options": options},
        (("share/s1", b'{"v": 601}'),),
        (("s1", {"co2": 601.0}),),
    )
    named = b'{"temperature":17.5,"humidity":61,"pm25":9,"battery":3.3,"gusts":3}'
    fields = {"temperature": 17.5, "relative_humidity": 0.61, "pm25": 9.0, "battery_voltage": 3.3}
    yield from decoded("g85-own", 1, named, fields, "gusts")
    yield from decoded("g86-own", 2, b'{"temperature":-2.5,"humidity":81}', {"temperature": -2.5} | humid(0.81))
    yield from decoded("g88-own", 3, b'{"occupied":0}', {"occupied": False})
    yield from decoded("g88-none", 4, b'{"occupied":2,"temperature":1.5}', {"temperature": 1.5}, "occupied")


def humid(fraction: float) -> dict[str, float]:
    return {"relative_humidity": fraction}


def from_the_field() -> Iterator[Situation]:
    said = inputs()
    if not said:
        return
    yield probes("g49", objects(said["g49"])[0])
    yield beacon("g53", objects(said["g53"])[0])
    fields = {"temperature": 21.5, **humid(0.55), "pm25": 12.0, "battery_voltage": 3.6}
    yield from decoded("g85", 5, objects(said["g85"])[0], fields)
    yield from decoded("g86", 6, objects(said["g86"])[0], {"temperature": 21.5, **humid(0.55)})
    yield from decoded("g88", 7, objects(said["g88"])[0], {"occupied": True})


def lacking(trials: list[Situation], points: list[StoredPoint], gateway: Gateway) -> Iterator[str]:
    """Yield what is not as it is to be."""
    stored: dict[str, list[tuple[str, dict[str, object]]]] = defaultdict(list)
    for point in points:
        fields = {name: value for name, value in point.fields.items() if name not in RADIO}
        tags = {name: value for name, value in point.tags.items() if name not in OWN_TAGS}
        stored[point.tags["case"]].append((point.tags["sensor"], {**fields, **tags}))
    for trial in trials:
        if stored[trial.name] != list(trial.stored):
            yield f"{trial.name}: stored {stored[trial.name]}, not {trial.stored}"
        log = json.dumps(gateway.logged(source=trial.name, level="warning"))
        if trial.told not in log or (not trial.told and "message " in log):
            yield f"{trial.name}: told {log}, not {trial.told!r}"


async def test_each_reading_is_its_devices_own_and_has_all_that_was_decoded(rig: Rig) -> None:
    broker = await rig.serve(Mosquitto)
    trials = [*own(), *from_the_field()]
    parts = [
        table(f"sources.{trial.name}", type="mqtt", url=broker.url, tags={"case": trial.name}, **trial.source)
        for trial in trials
    ]
    gateway = await rig.gateway(*parts)
    await gateway.listening()
    async with aiomqtt.Client("127.0.0.1", broker.port) as client:
        for trial in trials:
            for topic, payload in trial.sent:
                await client.publish(topic, payload, qos=1)
    await gateway.until(
        lambda state: all(state["sources"][trial.name]["messages"] >= len(trial.sent) for trial in trials)
    )
    await gateway.stop()
    offenders = list(lacking(trials, gateway.spooled(), gateway))
    assert not offenders, "\n".join(offenders)


STATION = {"esp8266id": "4203112", "sensordatavalues": [{"value_type": "SDS_P2", "value": "6.25"}]}


async def test_a_station_posts_to_the_gateway_itself(rig: Rig) -> None:
    port = free_port()
    address = f"127.0.0.1:{port}"
    gateway = await rig.gateway(table("sources.posts", type="http", listen=address, driver="sensor_community"))
    await gateway.listening()
    async with (
        aiohttp.ClientSession() as client,
        client.post(f"http://{address}/posts", json=STATION) as answer,
    ):
        assert (answer.status, await answer.text()) == (200, "stored 1 reading\n")
    (point,) = gateway.spooled(torn=True)
    assert (point.tags["sensor"], point.fields["pm25"]) == ("4203112", 6.25)


async def test_the_command_says_of_a_refused_message_what_the_gateway_says(rig: Rig) -> None:
    broker = await rig.serve(Mosquitto)
    options = {"kind": "air_quality", "sensor": "topic:1", "fields": {"temperature": "t"}}
    source = {"type": "mqtt", "url": broker.url, "topics": ["ref/+"], "driver": "json", "options": options}
    gateway = await rig.gateway(table("sources.ref", **source))
    await gateway.listening()
    async with aiomqtt.Client("127.0.0.1", broker.port) as client:
        await client.publish("ref/a", b"21.5\n", qos=1)
    state = await gateway.until(lambda state: state["sources"]["ref"]["last_rejects"])
    (refused,) = state["sources"]["ref"]["last_rejects"]
    command = gateway.command("decode", "--json", "json", "-", "--topic", "ref/a")
    done = await asyncio.to_thread(subprocess.run, command, input=b"21.5\n", capture_output=True, check=False)
    said = json.loads(done.stdout)
    assert said["source"] == "ref"
    assert said["refused"] == [{"reason": refused["reason"], "detail": refused["detail"]}]
    assert "temperature: nothing at t" in refused["detail"]
