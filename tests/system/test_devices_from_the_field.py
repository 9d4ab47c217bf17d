"""Frames and messages from the field through real parts: a broker or a pseudo-terminal, a gateway, the spool.

Each line of ``devices.jsonl`` has a source of its own, and payloads of LoRaWAN devices come in the envelopes of two
network servers; one gateway reads them all. What lies in the spool is held against what the same line expects of its
driver alone; see `tests.support.device_cases`.
"""

import json
import os
import tty
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from functools import partial
from typing import Any

import aiomqtt
import pytest

import drivers
from firmware_sim.bench.toml import table
from firmware_sim.servers.servers import Mosquitto
from firmware_sim.truth.points import StoredPoint
from gateway.contract import Measurement, Quality, Reject, Remark, SerialLink
from tests.support.device_cases import (
    Heard,
    differences,
    impossible,
    messages_of,
    needs_cases,
    options_of,
    payload_of,
    read_cases,
    reader_of,
)
from tests.support.until import until
from tests.system.conftest import Gateway, Rig, State

pytestmark = [pytest.mark.system, needs_cases]

Case = Mapping[str, Any]

OWN_TAGS = frozenset({"case", "city", "gateway", "sensor"})

LEVELS = {"airgradient": -1, "ecowitt": -1, "senml": -1, "sensor_community": -1, "zigbee2mqtt": -1}
"""The level of a topic that is free to tell one case from another; elsewhere it is the second."""

ASKED = {"jsn_sr04t": b"\x01"}
"""What a case of a question expects to hear of the gateway; the device that it is of answers nothing else."""


class Line:
    """The device's side of a pseudo-terminal."""

    def __init__(self) -> None:
        self.fd, slave = os.openpty()
        self.port = os.ttyname(slave)
        tty.setraw(slave)
        os.close(slave)
        os.set_blocking(self.fd, False)
        self.heard = b""

    def say(self, data: bytes) -> None:
        assert os.write(self.fd, data) == len(data)

    def has_heard(self, wanted: bytes) -> bool:
        with suppress(BlockingIOError):
            self.heard += os.read(self.fd, 65536)
        return wanted in self.heard

    def close(self) -> None:
        os.close(self.fd)


def is_serial(case: Case) -> bool:
    return case["driver"] in drivers.names() and isinstance(drivers.load(case["driver"]).link, SerialLink)


def is_payload(case: Case) -> bool:
    return case["driver"] in drivers.codec_names()


def apart(number: int, case: Case, topic: str) -> str:
    """Return the topic with a level of this case alone: several have one topic."""
    if case["driver"] == "frigate":
        return topic
    levels = topic.split("/")
    at = LEVELS.get(case["driver"], 1)
    name, mark, tenant = levels[at].partition("@")
    levels[at] = f"{name}{number}{mark}{tenant}"
    return "/".join(levels)


def eui(number: int) -> str:
    return f"70b3d57ed0{number:06x}"


def uplink(number: int, case: Case) -> tuple[str, bytes]:
    """Return a payload in an envelope: of ChirpStack for even numbers, of The Things Stack for odd ones."""
    data, port = b64encode(payload_of(case)).decode(), case["meta"]["f_port"]
    if number % 2 == 0:
        said: dict[str, Any] = {"deviceInfo": {"devEui": eui(number)}, "fPort": port, "data": data}
        return f"application/{number}/device/{eui(number)}/event/up", json.dumps(said).encode()
    said = {
        "end_device_ids": {"device_id": f"d{number}", "dev_eui": eui(number).upper()},
        "uplink_message": {"f_port": port, "frm_payload": data},
    }
    return f"v3/city{number}@ttn/devices/d{number}/up", json.dumps(said).encode()


def published(number: int, case: Case) -> list[tuple[str, bytes]]:
    if is_serial(case):
        return []
    if is_payload(case):
        return [uplink(number, case)]
    return [(apart(number, case, topic), payload) for topic, payload in messages_of(case)]


def parts_of(number: int, case: Case, url: str, port: str) -> Iterator[str]:
    """Return the parts of a configuration for a case: its source, and the sensor where that has a codec."""
    name, options = f"case-{number}", options_of(case)
    tags = {"case": str(number)}
    if is_serial(case):
        link = {"type": "serial", "port": port, "sensor": name}
        if case["driver"] in ASKED:
            link["interval"] = "50ms"
        yield table(f"sources.{name}", **link, driver=case["driver"], tags=tags, options=options)
        return
    topics = sorted({topic for topic, _ in published(number, case)})
    driver = case["driver"]
    codec = {"codec": case.get("meta", {}).get("codec", "-")}
    sensor = "70b3d57ed0009912"
    if is_payload(case):
        driver, sensor, codec, options = ("ttn" if number % 2 else "chirpstack"), eui(number), {"codec": driver}, {}
        codec |= {"options": options_of(case)} if options_of(case) else {}
    yield table(f"sources.{name}", type="mqtt", url=url, topics=topics, driver=driver, tags=tags, options=options)
    if codec["codec"] != "-":
        yield table(f'sensors."{sensor}"', **codec)


def heard_of(number: int, case: Case, points: list[StoredPoint], gateway: Gateway, state: State) -> Heard:
    """Return what became of a case in the form in which a driver alone says it."""
    heard, name = Heard(case["device"]), f"case-{number}"
    for point in points:
        if point.tags["case"] == str(number):
            fields = {name: value for name, value in point.fields.items() if name != "quality"}
            tags = {name: value for name, value in point.tags.items() if name not in OWN_TAGS}
            quality = Quality(int(point.fields["quality"]))
            heard.add([Measurement(point.measurement, fields, point.tags["sensor"], point.time, None, quality, tags)])
    for reason, count in state["sources"][name]["rejects"].items():
        heard.add([Reject(reason, b"")] * count)
    for kind in ("left out", "mended", "doubtful"):
        for entry in gateway.logged(event=f"message {kind}", source=name):
            heard.add([Remark(kind, entry["what"], entry["detail"])])
    return heard


def lacking(case: Case, heard: Heard) -> Iterator[str]:
    """Yield what is not as the case expects, and what no case says but every one means."""
    yield from differences(case, heard)
    if not heard.measured and not heard.refused and not heard.remarks and case["kind"] != "command":
        yield "nowhere: neither stored nor refused"
    for measured in heard.measured:
        for what in impossible(reader_of(case), Heard(case["device"], [measured])):
            if not measured.quality:
                yield f"stored as good: {what}"


async def test_every_case_of_a_device_is_stored_as_it_expects_or_refused(rig: Rig) -> None:
    broker, cases = await rig.serve(Mosquitto), dict(enumerate(read_cases(), 1))
    with ExitStack() as stack:
        lines = {number: Line() for number, case in cases.items() if is_serial(case)}
        for line in lines.values():
            stack.callback(line.close)
        parts: list[str] = []
        for number, case in cases.items():
            parts += parts_of(number, case, broker.url, lines[number].port if number in lines else "")
        gateway = await rig.gateway(*parts)
        await gateway.listening()
        sent = {}
        async with aiomqtt.Client("127.0.0.1", broker.port) as client:
            for number, case in cases.items():
                messages = published(number, case)
                for topic, payload in messages:
                    await client.publish(topic, payload, qos=1)
                said = number in lines and case["kind"] != "command"
                if said:
                    lines[number].say(payload_of(case))
                sent[f"case-{number}"] = len(messages) + said
        await gateway.until(
            lambda state: all(state["sources"][name]["messages"] >= count for name, count in sent.items())
        )
        unasked = []
        for number, case in cases.items():
            if case["kind"] == "command":
                with suppress(AssertionError):
                    await until(partial(lines[number].has_heard, ASKED[case["driver"]]))
                    continue
                unasked.append(f"{number} {case['device']}: heard {lines[number].heard!r}")
        state = await gateway.state()
        await gateway.stop()  # what a decoder still holds is stored with its end
    points = gateway.spooled()
    offenders = [
        f"{number} {case['device']} ({case['driver']}): {difference}"
        for number, case in cases.items()
        for difference in lacking(case, heard_of(number, case, points, gateway, state))
    ]
    assert not offenders + unasked, "\n".join(offenders + unasked)
