"""JSON as people send it, through a real broker into the spool: the page's examples, and cases from the field."""

import json
import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import aiomqtt
import pytest

from drivers.common.times import nanoseconds
from firmware_sim.servers.servers import Mosquitto
from firmware_sim.truth.points import StoredPoint
from gateway.cli.driver_sheets.options import toml
from tests.project.test_json_doc import messages
from tests.support.message_cases import FOLDER, inputs
from tests.system.conftest import Gateway, Rig

pytestmark = pytest.mark.system

OWN_TAGS = frozenset({"case", "city", "gateway", "sensor"})

KINDS = ("air_quality", "parking", "traffic")

Reading = tuple[str, Mapping[str, Any], int | None]
"""Sensor, fields, tags included, and the time in nanoseconds, None for that of arrival."""


class Message(NamedTuple):
    """What is published; ``case`` names the source that hears it."""

    case: str
    topic: str
    payload: bytes


async def store(
    rig: Rig, sources: Mapping[str, tuple[str, Mapping[str, Any]]], sent: list[Message]
) -> tuple[Gateway, dict[str, list[StoredPoint]]]:
    """Publish to a gateway that has a source for each case, driver and options; return its lines by case."""
    broker = await rig.serve(Mosquitto)
    topics: dict[str, set[str]] = defaultdict(set)
    for message in sent:
        topics[message.case].add(message.topic)
    parts = [
        f'[sources.{case}]\ntype = "mqtt"\nurl = "{broker.url}"\ndriver = "{driver}"\nclient_id = "{case}"\n'
        f'topics = {toml(sorted(topics[case]))}\ntags = {{ case = "{case}" }}\noptions = {toml(options)}\n'
        for case, (driver, options) in sources.items()
    ]
    gateway = await rig.gateway(*parts)
    await gateway.listening()
    async with aiomqtt.Client("127.0.0.1", broker.port) as client:
        for message in sent:
            await client.publish(message.topic, message.payload, qos=1)
    state = await gateway.until(
        lambda state: sum(source["messages"] for source in state["sources"].values()) == len(sent)
    )
    await gateway.holds(sum(source["readings"] for source in state["sources"].values()))
    found: dict[str, list[StoredPoint]] = defaultdict(list)
    for point in gateway.spooled(torn=True):
        found[point.tags["case"]].append(point)
    return gateway, found


def readings(points: list[StoredPoint], wanted: list[Reading]) -> list[Reading]:
    """Return what was stored, in order; without the times where none are wanted."""
    timed = bool(wanted) and wanted[0][2] is not None
    found: list[Reading] = []
    for point in points:
        fields = {name: value for name, value in point.fields.items() if name != "quality"}
        tags = {name: value for name, value in point.tags.items() if name not in OWN_TAGS}
        found.append((point.tags["sensor"], fields | tags, point.time if timed else None))
    return found


def page_reading(line: str) -> Reading:
    """Return what a line of the page says, without the measurement."""
    _, sensor, *rest = line.split(" ")
    time = nanoseconds(rest[0])
    fields: dict[str, Any] = {}
    for part in rest[time is not None :]:
        name, mark, value = re.fullmatch(r"(\w+)([=:])(.*)", part).groups()  # type: ignore[union-attr] # it is our page
        fields[name] = value if mark == ":" else {"true": True, "false": False}.get(value) or json.loads(value)
    return sensor, fields, time


async def test_every_example_of_the_page_is_stored_as_the_page_says(rig: Rig) -> None:
    sources: dict[str, tuple[str, Mapping[str, Any]]] = {}
    wanted: dict[str, list[Reading]] = defaultdict(list)
    refused: dict[str, int] = defaultdict(int)
    sent = []
    for options, topic, message, said in messages():
        case = next((case for case, (_, known) in sources.items() if known == options), f"e{len(sources)}")
        sources[case] = ("json", options)
        sent.append(Message(case, topic, message.encode()))
        wanted[case] += [page_reading(line) for line in said if line.split(" ")[0] in KINDS]
        refused[case] += sum(line.startswith("refused: ") for line in said)
    gateway, found = await store(rig, sources, sent)
    state = await gateway.state()
    wrong = []
    for case in sources:
        stored = readings(found[case], wanted[case])
        if stored != wanted[case] or sum(state["sources"][case]["rejects"].values()) != refused[case]:
            wrong.append(f"{case}: {stored}, {state['sources'][case]['rejects']}; the page has {wanted[case]}")
    assert not wrong, "\n".join(wrong)


class Case(NamedTuple):
    """What a case from the field is to become; ``refused`` are messages of which nothing does, ``told`` is why."""

    options: Mapping[str, Any]
    stored: list[Reading]
    refused: int = 0
    driver: str = "json"
    topic: str = "box"
    prepare: Callable[[bytes], list[bytes]] | None = None
    told: str = ""


def split(text: bytes) -> list[bytes]:
    """Return the messages in a case's input: each object or list at the top, with what stands for other bytes."""
    text = re.sub(rb"\\x([0-9A-F]{2})", lambda found: bytes.fromhex(found[1].decode()), text.replace(b"<TAB>", b"\t"))
    found, depth, began = [], 0, 0
    for at, byte in enumerate(text):
        if byte in b"{[":
            began, depth = (at if depth == 0 else began), depth + 1
        elif byte in b"}]":
            depth -= 1
            if depth == 0:
                found.append(text[began : at + 1])
    return found


def air(**more: Any) -> dict[str, Any]:  # noqa: ANN401 -- any option
    return {"kind": "air_quality", "sensor": "topic:0", "fields": {"temperature": "t"}, **more}


def bay(**source: Any) -> dict[str, Any]:  # noqa: ANN401 -- any option
    return {"kind": "parking", "sensor": "topic:0", "fields": {"occupied": source}}


def at(text: str) -> int:
    found = nanoseconds(text)
    assert found is not None
    return found


WARM: Reading = ("box", {"temperature": 21.5}, None)
RADIO = {"temperature": "temperature_C"}
S = 10**9

CASES: dict[str, Case] = {
    "g08": Case(
        air(time="timestamp", fields={"temperature": "value"}),
        [("box", {"temperature": 31.3988}, at("2026-11-30T12:00:31Z"))],
    ),
    "g09": Case(
        air(fields={"temperature": "outdoorTemp", "battery_low": "wWActivated"}),
        [("box", {"temperature": 19.6, "battery_low": True}, None)],
    ),
    "g10": Case(
        air(fields={"temperature": "temperature", "battery_level": {"path": "battery", "scale": 0.01}}),
        [("box", {"temperature": 19.43, "battery_level": 1.0}, None)],
    ),
    "g12": Case(
        air(fields={"temperature": "t", "relative_humidity": {"path": "h", "scale": 0.01}, "rssi": "rssi"}),
        [("box", {"temperature": 15.0, "relative_humidity": 0.8, "rssi": -76.0}, None)],
    ),
    "g14": Case(bay(path="p"), [("box", {"occupied": True}, None)] * 3),
    "g15": Case(
        bay(path="state", equals="open"), [("box", {"occupied": True}, None)] * 2, refused=2, told="is no value"
    ),
    "g17": Case(air(fields={"pm25": "p"}), [("box", {"pm25": 12.0}, None), ("box", {"pm25": 12.5}, None)]),
    "g19": Case(
        air(
            fields={
                "battery_voltage": "batteryVoltage",
                "temperature": "temperature",
                "relative_humidity": {"path": "humidity", "unit": "%"},
            }
        ),
        [("box", {"battery_voltage": 3.88, "relative_humidity": 0.41}, None)],
    ),
    "g20": Case({}, [("x", {"pm25": 11.8, "pm10": 15.8}, None)], driver="tasmota", topic="tele/x/SENSOR"),
    "g21": Case(air(fields={"temperature": "t", "co2": "c"}), [WARM]),
    "g22": Case(air(), [WARM], prepare=lambda text: [split(text)[0] + b"\0"]),
    "g23": Case(
        air(),
        [WARM] * 3,
        prepare=lambda text: [
            b"\xef\xbb\xbf" + split(text)[0],
            split(text)[0].decode().encode("utf-16"),
            split(text)[0].decode().encode("utf-16-le"),
        ],
    ),
    "g24": Case(air(), [WARM]),
    "g25": Case(
        air(fields={"temperature": "t", "battery_low": "connected"}),
        [("box", {"temperature": 21.5, "battery_low": True}, None)],
    ),
    "g28": Case(air(), [WARM]),
    "g30": Case(
        air(sensor="id"),
        [(name, {"temperature": 21.5}, None) for name in ("18446744073709551617", "12345678901234567")],
    ),
    "g35": Case(
        air(
            fields={
                "pm25": {"path": "VINDRIKTNING.PM2\\.5", "optional": True},
                "pm10": {"path": "particles_2\\.5um", "optional": True},
                "co2": {"path": "1\\.7\\.0", "optional": True},
            }
        ),
        [("box", {"pm25": 5.0}, None), ("box", {"pm10": 5.0}, None), ("box", {"co2": 840.0}, None)],
    ),
    "g36": Case(
        air(time="params.ts", time_format="s", fields={"temperature": "params.temperature:0.tC"}),
        [("box", {"temperature": 20.3}, 1_796_046_725 * S + 270_000_000)],
    ),
    "g37": Case(
        air(each="values", sensor="id", time="t", time_format="ms", fields={"temperature": "v"}),
        [(name, {"temperature": value}, 1_796_046_725 * S) for name, value in (("Temp1", 21.5), ("Temp2", 22.5))],
        prepare=lambda text: split(text.replace(b"..", b"1796046725000")),
    ),
    "g38": Case(
        air(each="", time="time", fields={"temperature": "temperature"}),
        [
            ("box", {"temperature": value}, at(f"2026-11-30T{time}Z"))
            for value, time in ((25.0, "05:30:47"), (26.0, "05:30:48"), (27.0, "05:32:48"))
        ],
    ),
    "g39": Case(
        air(each="", sensor="1", time="0", time_format="s", fields={"temperature": "2.flowT"}),
        [
            ("emontx", {"temperature": value}, time * S)
            for value, time in ((30.0, 1_796_046_660), (31.0, 1_796_046_670))
        ],
    ),
    "g40": Case(
        air(each="", time="{key}", fields={"temperature": "temperature"}),
        [
            ("box", {"temperature": value}, time * S)
            for value, time in ((21.42, 1_796_046_660), (22.84, 1_796_046_674))
        ],
    ),
    "g41": Case(
        air(each="value1", time="$.dt", time_zone="UTC", step="10ms", fields={"co2": ""}),
        [
            ("box", {"co2": value}, at("2026-11-17T15:07:09Z") + number * 10_000_000)
            for number, value in enumerate((401.0, 404.0, 402.0))
        ],
    ),
    "g44": Case(
        air(each="history", time="timestamp", fields={"temperature": "temperature"}),
        [("box", {"temperature": value}, time * S) for value, time in ((21.1, 1_796_046_000), (21.3, 1_796_046_600))],
    ),
    "g46": Case(
        {
            "kind": "traffic",
            "sensor": "id",
            "time": "ts",
            "fields": {"intensity": "count", "lane_id": "lane"},
            "tags": {"lane": "lane"},
        },
        [
            ("cam1", {"intensity": count, "lane_id": lane, "lane": str(lane)}, 1_796_046_725 * S)
            for lane, count in ((1, 5), (2, 9))
        ],
        prepare=lambda text: split(text.replace(b":T", b":1796046725")),
    ),
    "g47": Case(
        air(sensor="{model}-{id}", fields=RADIO),
        [("Prologue-TH-5", {"temperature": 21.5}, None), ("Nexus-TH-5", {"temperature": -18.0}, None)],
    ),
    "g56": Case(
        air(time="time", time_zone="Europe/Ljubljana", fields=RADIO),
        [("box", {"temperature": 16.2}, at("2019-04-22T19:28:12Z"))],
    ),
    "g56, no zone": Case(air(time="time", fields=RADIO), [], refused=1, told="has no zone: set time_zone"),
    "g57": Case(air(time="ts", time_zone="UTC"), [("box", {"temperature": 21.5}, at("2026-11-30T12:00:28.695Z"))]),
    "g58": Case(air(time="ts"), [("box", {"temperature": 21.5}, at("2026-11-30T04:00:42.586Z"))]),
    "g59": Case(air(time="time", time_format="s", fields=RADIO), [("box", {"temperature": 21.5}, 1_796_046_725 * S)]),
    **{
        f"g61, {unit}": Case(air(time="ts", time_format=unit), [], refused=2, told="time_format = ")
        for unit in ("us", "ns")
    },
    "g61, ms": Case(
        air(time="ts", time_format="ms"),
        [("box", {"temperature": 21.5}, 1_796_046_725 * S)],
        refused=1,
        told='if it is in s: time_format = "s"',
    ),
    # One moment and value, in two units: one reading, and the same repeated.
    "g61, auto": Case(air(time="ts"), [("box", {"temperature": 21.5}, 1_796_046_725 * S)]),
}
"""By the case's name, and what is set otherwise."""


@pytest.mark.skipif(not FOLDER, reason="PREHOD_CASES names no folder of cases")
async def test_every_case_from_the_field_gives_its_values_or_is_refused(rig: Rig) -> None:
    said = {name: text.encode() for name, text in inputs().items()}
    names = {name: re.sub(r"\W+", "-", name) for name in CASES}
    sent = []
    for name, case in CASES.items():
        for payload in (case.prepare or split)(said[name[:3]]):
            prefix = case.topic if case.driver != "json" else f"{case.topic}/{names[name]}"
            sent.append(Message(names[name], prefix, payload))
    gateway, found = await store(rig, {names[name]: (one.driver, one.options) for name, one in CASES.items()}, sent)
    state = (await gateway.state())["sources"]
    wrong = []
    for name, case in CASES.items():
        stored, rejects = readings(found[names[name]], case.stored), state[names[name]]["rejects"]
        if stored != case.stored or sum(rejects.values()) != case.refused:
            wrong.append(f"{name}: {stored}, refused {rejects}; expected {case.stored}, {case.refused}")
        details = [one["detail"] for one in state[names[name]]["last_rejects"]]
        if not all(case.told in detail for detail in details):
            wrong.append(f"{name}: told {details}, not {case.told!r}")
    assert not wrong, "\n".join(wrong)
