"""Every serial driver with its twin over a real line: a pseudo terminal, cut as the kernel cuts."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

import drivers
from firmware_sim.bench.pty_line import SerialLine
from firmware_sim.patience import patience
from firmware_sim.registry import twins, variants
from firmware_sim.truth.compare import compare
from firmware_sim.truth.points import StoredPoint
from gateway.contract import Measurement, SerialLink
from gateway.links.line_settings import SerialSettings
from gateway.links.serial import Line
from tests.support.conversation import Conversation

ENTRIES = {**twins(), **variants()}
SERIAL = sorted(name for name, one in ENTRIES.items() if isinstance(drivers.load(one.driver).link, SerialLink))

RATE = 20.0
"""The twin's seconds in one of ours."""
RATES = {"ops243": 1.0}
"""A report that this twin gives half a second late is of a vehicle that is left out."""
OPTIONS: dict[str, dict[str, Any]] = {"ops243": {"interval": "2s"}}
ENOUGH = 6
"""Readings, and entries in the ledger."""
FOUND_FIRST = {"rtms_g4_periods": 3, "wavetronix_ss105": 2, "wavetronix_ss125": 3, "wavetronix_ss125_7": 3}
"""So many entries are of the interval that the driver finds when it comes, and does not read."""


async def _talk(line: Line, talk: Conversation, rate: float) -> None:
    """Ask whenever it is time, and let the driver hear what comes, until cancelled."""
    loop = asyncio.get_running_loop()
    began = asked = loop.time()
    every = min(talk.driver.link.interval, 4.0) / rate  # type: ignore[union-attr] # it is serial
    for command in talk.decoder.start():
        await line.send(command)
    while True:
        data = await line.receive(0.02)
        talk.heard_at = int((loop.time() - began) * rate * 1e9)
        talk.said += talk.decoder.feed(data, talk.heard_at)
        if loop.time() >= asked + every:
            asked = loop.time()
            if question := talk.decoder.poll():
                await line.send(question)


@pytest.mark.parametrize("name", SERIAL)
async def test_over_a_real_line_every_reading_arrives_once(name: str, tmp_path: Path) -> None:
    talk = Conversation(name, connected=False, **OPTIONS.get(name, {}))
    rate = RATES.get(name, RATE)
    async with asyncio.timeout(patience()), SerialLine(talk.twin, tmp_path / "tty", rate=rate) as end:
        line = Line(SerialSettings(str(tmp_path / "tty"), 9600))
        await line.open()
        talking = asyncio.create_task(_talk(line, talk, rate))
        while len(talk.measured) < ENOUGH or len(talk.truth) < ENOUGH:
            assert not talking.done(), talking
            await asyncio.sleep(0.02)
        end.twin.stop()
        await end.silent()
        talking.cancel()
        await asyncio.gather(talking, return_exceptions=True)
        talk.said += talk.decoder.feed(await line.receive(0), talk.heard_at)
        line.close()
    talk.said += talk.decoder.finish()
    read: list[Measurement] = talk.measured
    points = [StoredPoint(one.kind, {"sensor": "x", **one.tags}, one.fields, one.time or 0) for one in read]
    truth: list[Any] = list(talk.truth)[FOUND_FIRST.get(name, 0) :]
    report = compare(truth, points)
    assert report.exact, "\n".join(report.differences)
