"""What was refused is read again after the cause was mended: with its time of arrival, exactly once, under kills."""

import asyncio
import errno
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import drivers
from gateway.clock import Timekeeper
from gateway.config.models import Gateway
from gateway.contract import Command, Measurement, Reject, Remark, Uplink
from gateway.daemon.refused_requests import RefusedRequests
from gateway.health import Health
from gateway.ingest.committer import Committer
from gateway.ingest.delivery import Delivery
from gateway.ingest.fields import FieldEncoder
from gateway.ingest.intake import Intake, Origin
from gateway.ingest.settings import CommitSettings
from gateway.refused import Kept, Refusal, RefusedSettings, RefusedStore
from gateway.sources.messages import MessageReader
from gateway.sources.read_again import ReadAgain
from gateway.sources.serial_device import SerialDevice
from gateway.sources.text_lines import TextLines
from gateway.spool import Spool, SpoolSettings, decode_member
from gateway.spool.requests import Answer, Request, answer_to, submit
from tests.support.clock import BOOT, NOW, FakeClock
from tests.support.disk import SimulatedDisk
from tests.support.until import until

DATA = Path("/data")
OWN = Gateway(id="koper-01", city="Koper")


class Numbers:
    """A decoder of lists of numbers, as ``12.5 x 7``: with ``mended`` it also reads those with a comma."""

    def __init__(self, *, mended: bool) -> None:
        self._mended = mended

    def decode(self, topic: str, payload: bytes) -> Iterable[Measurement | Reject | Remark | Uplink | Command]:
        for number, word in enumerate(payload.decode().split()):
            text = word.replace(",", ".") if self._mended else word
            try:
                yield Measurement("air_quality", {"pm25": float(text)}, sensor=f"{topic}-{number}")
            except ValueError:
                yield Reject("noise", b"", f"{word} is no number")


class House:
    """The parts of the daemon that this is about, on one disk that may be cut off at any call."""

    def __init__(self, disk: SimulatedDisk, tmp_path: Path, *, mended: bool) -> None:
        self.clock = FakeClock(jumps=True)
        self.timekeeper = Timekeeper(self.clock, tmp_path / "clock")
        self.health = Health("koper-01", "Koper", self.clock)
        self.spool = Spool.open(DATA / "spool", SpoolSettings(min_free_bytes=0), sinks=["influx"], filesystem=disk)
        self.store = RefusedStore(DATA / "refused", RefusedSettings(), self.spool, filesystem=disk)
        self.committer = self.new_committer()
        self.intake = Intake(OWN, {}, timekeeper=self.timekeeper, health=self.health)
        self._mended = mended
        self._disk = disk

    def new_committer(self) -> Committer:
        settings = CommitSettings(commit_interval="1ms")
        return Committer(self.spool, BOOT, self.health, settings, keeper=self.store)

    def reader(self) -> MessageReader:
        return MessageReader(
            Numbers(mended=self._mended),
            Origin("broker", FieldEncoder({})),
            codecs=lambda _: None,
            max_message=1000,
            intake=self.intake,
            health=self.health.source("broker"),
        )

    def again(self) -> ReadAgain:
        return ReadAgain({"broker": self.reader()}, {}, self.intake, self.timekeeper)

    async def take(self, *payloads: bytes) -> None:
        """Take messages as they come, each at its second."""
        reader = self.reader()
        for number, payload in enumerate(payloads):
            delivery = Delivery()
            reader.read(f"t{number}", payload, delivery)
            self.committer.add(delivery)
            self.clock.pass_by(10**9)
        await self.commit()

    async def commit(self) -> None:
        self.committer.stop()
        await self.committer.run()

    async def carry_out(self) -> None:
        """Do what is asked, and commit it."""
        committer = self.new_committer()
        requests = RefusedRequests(self.store, committer, self.again, self.clock, self._disk)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(committer.run())
                await requests.look()
                committer.stop()
        finally:
            committer.close()

    def lines(self) -> Counter[str]:
        text = b"".join(decode_member(member.raw) for member in self.spool.reader().members())
        return Counter(line for line in text.decode().split("\n") if line and not line.startswith("#"))

    def kept(self) -> list[Refusal]:
        return [one.refusal for one in self.store.entries() if isinstance(one, Kept)]

    def close(self) -> None:
        self.committer.close()
        self.store.close()
        self.spool.close()


def ask(disk: SimulatedDisk, **request: Any) -> str:  # noqa: ANN401 -- a request's own values
    asked: Request = {"source": None, "reason": None, **request}
    return submit(disk, DATA / "refused", asked, 1)


def answered(disk: SimulatedDisk, name: str) -> Answer | None:
    return answer_to(disk, DATA / "refused", name)


def line(topic: int, place: int, value: str, at: int) -> str:
    return f"air_quality,city=Koper,gateway=koper-01,sensor=t{topic}-{place} pm25={value},quality=0i {at}"


PAYLOADS = (b"1 2,5 3", b"4,5", b"5,5 6", b"x")
STORED = {
    line(0, 0, "1", NOW),
    line(0, 1, "2.5", NOW),
    line(0, 2, "3", NOW),
    line(1, 0, "4.5", NOW + 10**9),
    line(2, 0, "5.5", NOW + 2 * 10**9),
    line(2, 1, "6", NOW + 2 * 10**9),
}


async def prepared(disk: SimulatedDisk, tmp_path: Path) -> None:
    house = House(disk, tmp_path, mended=False)
    await house.take(*PAYLOADS)
    house.close()


async def test_what_was_mended_is_stored_with_its_time_of_arrival_and_nothing_twice(
    disk: SimulatedDisk, tmp_path: Path
) -> None:
    await prepared(disk, tmp_path)
    house = House(disk, tmp_path, mended=True)
    assert [refusal.raw for refusal in house.kept()] == list(PAYLOADS)
    name = ask(disk, do="retry")
    await house.carry_out()
    assert answered(disk, name) == {
        "readings": 3,
        "messages": 4,
        "read": 3,
        "partly": 0,
        "refused": 1,
        "waits": 0,
        "words": ["1 x x is no number"],
    }
    assert house.lines() == Counter(STORED)
    assert [refusal.raw for refusal in house.kept()] == [b"x"]
    again = ask(disk, do="retry")
    await house.carry_out()
    assert (answered(disk, again) or {})["readings"] == 0
    assert house.lines() == Counter(STORED)
    house.close()


async def test_what_is_mended_in_part_keeps_the_rest_and_knows_what_it_gave(
    disk: SimulatedDisk, tmp_path: Path
) -> None:
    house = House(disk, tmp_path, mended=False)
    await house.take(b"1 2,5 y")
    house.close()
    for _ in range(2):
        house = House(disk, tmp_path, mended=True)
        ask(disk, do="retry")
        await house.carry_out()
        assert house.lines() == Counter({line(0, 0, "1", NOW), line(0, 1, "2.5", NOW)})
        assert [(refusal.words, refusal.time) for refusal in house.kept()] == [("y is no number", NOW)]
        house.close()


async def test_dropped_messages_are_in_the_ledger(disk: SimulatedDisk, tmp_path: Path) -> None:
    await prepared(disk, tmp_path)
    house = House(disk, tmp_path, mended=True)
    name = ask(disk, do="drop", reason="range")
    await house.carry_out()
    assert answered(disk, name) == {"messages": 0}
    name = ask(disk, do="drop", source="broker")
    await house.carry_out()
    assert answered(disk, name) == {"messages": 4}
    assert house.kept() == []
    assert [(entry["rule"], entry["count"]) for entry in house.spool.ledger.entries] == [("refused_dropped", 4)]
    house.close()


async def test_a_request_that_makes_no_sense_is_answered(disk: SimulatedDisk, tmp_path: Path) -> None:
    house = House(disk, tmp_path, mended=True)
    name = ask(disk, do="dance")
    await house.carry_out()
    assert "error" in (answered(disk, name) or {})
    house.close()


async def test_what_cannot_be_read_again_says_why(disk: SimulatedDisk, tmp_path: Path) -> None:
    house = House(disk, tmp_path, mended=True)
    one = Refusal("broker", "t", NOW, b"1", "noise", "why", size=1)
    for refusal in (
        replace(one, source="gone"),
        replace(one, device="aq", source="line"),
        replace(one, size=2),
        replace(one, raw=b"", size=0),
    ):
        house.store.keep([refusal], with_group=False)
    name = ask(disk, do="retry")
    await house.carry_out()
    answer = answered(disk, name) or {}
    assert answer["refused"] == 4
    assert sorted(answer["words"]) == [
        "1 x no device 'aq' is on a line called 'line'",
        "1 x no source of messages is called 'gone'",
        "1 x only 1 of its 2 bytes are kept",
        "1 x the driver makes nothing of it",
    ]
    assert len(house.kept()) == 4
    house.close()


class Frames:
    """A decoder of a serial line on which each feed is one number."""

    def start(self) -> Iterable[bytes]:
        return ()

    def poll(self) -> bytes:
        return b""

    def feed(self, data: bytes, now: int) -> Iterable[Measurement | Reject | Remark]:
        del now
        return [Measurement("air_quality", {"pm25": float(data)})] if data else []

    def finish(self) -> Iterable[Measurement | Reject | Remark]:
        return ()


async def test_a_frame_of_a_serial_line_is_read_again_by_its_device(disk: SimulatedDisk, tmp_path: Path) -> None:
    house = House(disk, tmp_path, mended=True)
    house.health.source("line")
    device = SerialDevice(Frames, Origin("line", FieldEncoder({}), sensor="aq"), 1.0, 1.0)
    kept = Kept(7, Refusal("line", "/dev/ttyUSB0", NOW, b"4.5", "range", "why", device="aq", size=3))
    delivery = Delivery()
    again = ReadAgain({}, {("line", "aq"): device}, house.intake, house.timekeeper)
    assert again.read(kept, delivery).state == "read"
    assert [at for _, at, _ in delivery.lines] == [NOW]
    assert delivery.resolved[0].number == 7
    house.close()


@pytest.mark.parametrize(
    ("driver", "raw", "field"),
    [
        (("text", {"kind": "air_quality", "columns": ["temperature"]}), b"21.5", b"temperature=21.5"),
        (("json", {"kind": "air_quality", "fields": {"temperature": "t"}}), b'{"t": 21.5}', b"temperature=21.5"),
        (("maxbotix", {"interval": "0s"}), b"R1234", b"distance=1234"),
        (("sds011", {"warm_up": "0s"}), bytes.fromhex("AAC0D4043A0AA1601DAB"), b"pm25=123.6"),
    ],
)
async def test_a_line_of_text_is_read_again_whose_end_is_not_kept(
    disk: SimulatedDisk, tmp_path: Path, driver: tuple[str, dict[str, Any]], raw: bytes, field: bytes
) -> None:
    house = House(disk, tmp_path, mended=True)
    house.health.source("line")
    device = device_of(*driver)
    kept = Kept(7, Refusal("line", "/dev/ttyUSB0", NOW, raw, "unsupported", "why", device="s-1", size=len(raw)))
    delivery = Delivery()
    again = ReadAgain({}, {("line", "s-1"): device}, house.intake, house.timekeeper)
    assert again.read(kept, delivery).state == "read"
    ((_, _, line),) = delivery.lines
    assert field in line
    house.close()


def device_of(driver: str, options: dict[str, Any]) -> SerialDevice:
    """Return the device of a serial line as the daemon makes it."""
    loaded = drivers.load(driver)
    parsed = loaded.options.model_validate(options)

    def decoder() -> Any:  # noqa: ANN401 -- either kind of decoder
        made: Any = loaded.decoder(parsed)
        return made if loaded.lines is None else TextLines(made, loaded.max_frame)

    return SerialDevice(decoder, Origin("line", FieldEncoder({}), sensor="s-1"), 1.0, 1.0)


async def test_a_message_of_a_boot_without_a_clock_gets_that_boots_time(disk: SimulatedDisk, tmp_path: Path) -> None:
    house = House(disk, tmp_path, mended=True)
    refusal = Refusal("broker", "t0", 30 * 10**9, b"4,5", "noise", "why", BOOT, size=3)
    house.store.keep([refusal], with_group=False)
    ask(disk, do="retry")
    await house.carry_out()
    assert house.lines() == Counter({line(0, 0, "4.5", NOW - 30 * 10**9)})
    house.close()


@pytest.mark.parametrize("calls", range(60))
async def test_a_kill_at_any_moment_of_a_retry_neither_loses_nor_doubles(
    disk: SimulatedDisk, tmp_path: Path, calls: int
) -> None:
    await prepared(disk, tmp_path)
    house = House(disk, tmp_path, mended=True)
    name = ask(disk, do="retry")
    before = len(disk.calls)
    disk.fail(calls, errno.EIO, times=1000)
    doing = asyncio.create_task(house.carry_out())
    # The daemon tries again and again: whatever it does after this call comes to nothing, as after a kill.
    await until(lambda: doing.done() or len(disk.calls) > before + calls + 3)
    doing.cancel()
    await asyncio.gather(doing, return_exceptions=True)
    house.committer.close()
    disk.heal()
    disk.power_cut()
    house = House(disk, tmp_path, mended=True)
    await house.carry_out()
    house = House(disk, tmp_path, mended=True)
    assert house.lines() == Counter(STORED)
    assert [refusal.raw for refusal in house.kept()] == [b"x"]
    assert answered(disk, name) is not None
