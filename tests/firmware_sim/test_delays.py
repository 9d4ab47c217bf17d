"""How late the machine is counts for what a kill may cost."""

import asyncio
from pathlib import Path

import pytest

from firmware_sim.torture.delays import Delays
from tests.support.until import until


async def test_a_slow_disk_shows_as_a_delay_while_it_lasts_and_for_a_while_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, disk = 1000.0, 0.0
    delays = Delays(tmp_path, lambda: now)
    write, seen = delays._write, []

    def slowly() -> None:
        nonlocal now
        now += disk
        seen.append(delays.worst)
        write()

    monkeypatch.setattr(delays, "_write", slowly)
    assert delays.worst == 0.0
    await delays.measure()
    assert delays.worst == 0.0
    disk = 3.0
    await delays.measure()
    assert seen == [0.0, pytest.approx(3.0, abs=0.1)]
    assert delays.worst == pytest.approx(3.0, abs=0.1)
    disk = 0.0
    now += 19.0
    await delays.measure()
    assert delays.worst == pytest.approx(3.0, abs=0.1)
    now += 2.0
    assert delays.worst == 0.0
    await delays.measure()
    assert len(delays._found) == 2, "what is too old is forgotten"
    assert (tmp_path / "delays").read_bytes() == b"x"


async def test_a_disk_that_takes_nothing_is_no_error_and_measuring_goes_on(tmp_path: Path) -> None:
    delays = Delays(tmp_path / "nowhere")
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(delays.run())
        await until(lambda: len(delays._found) >= 2)
        running.cancel()
