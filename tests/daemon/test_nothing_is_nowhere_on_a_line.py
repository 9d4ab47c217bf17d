"""Serial lines with noise and damage: each sound frame is a reading or kept, each damaged one is counted.

Nobody sends a frame again, so what a power cut takes before it is on disk is gone, and what comes while the disk is
full is counted as lost. Beyond that nothing is.
"""

import asyncio
import errno
import random
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import drivers
from gateway.clock import Timekeeper
from gateway.config.models import Gateway
from gateway.contract import Driver, Measurement, Reject, Remark
from gateway.errors import LinkDown
from gateway.health import Health
from gateway.ingest.committer import Committer
from gateway.ingest.delivery import Delivery
from gateway.ingest.fields import FieldEncoder
from gateway.ingest.intake import Intake, Origin
from gateway.ingest.settings import CommitSettings
from gateway.links.line_settings import SerialSettings
from gateway.refused import Counted, Kept, RefusedSettings, RefusedStore
from gateway.sources.serial import SerialIngest
from gateway.sources.serial_device import SerialDevice
from gateway.sources.text_lines import TextLines
from gateway.spool import Spool, SpoolSettings, decode_member
from tests.support.clock import BOOT, FakeClock
from tests.support.disk import SimulatedDisk
from tests.support.recordings import Recording, chunk, recordings_of
from tests.support.until import until

Said = Measurement | Reject | Remark

DATA = Path("/data")
DRIVERS = [driver for driver in drivers.load_all() if driver.serial is not None]
SECOND = 10**9
LATER = 1_893_456_000 * SECOND
"""The year 2030: no recording is of a time to come."""
ROUNDS = 3
"""How often each recording is played to the gateway, with other noise."""
DAMAGED = 40
"""Damaged streams of each recording."""


class Opened:
    """A decoder that notes what it says; of a line on which nothing was heard for a while."""

    def __init__(self, decoder: Any, heard: list[Said]) -> None:  # noqa: ANN401 -- either kind of decoder
        self.decoder = decoder
        self.heard = heard

    def start(self) -> Iterable[bytes]:
        return self.decoder.start()  # type: ignore[no-any-return]

    def poll(self) -> bytes:
        return self.decoder.poll()  # type: ignore[no-any-return]

    def feed(self, data: bytes, now: int) -> list[Said]:
        said = list(self.decoder.feed(data, now))
        self.heard += said
        return said

    def finish(self) -> list[Said]:
        said = list(self.decoder.finish())
        self.heard += said
        return said


def decoder_of(driver: Driver, recording: Recording) -> Any:  # noqa: ANN401 -- either kind of decoder
    decoder: Any = driver.decoder(driver.options.model_validate(recording.get("options", {})))
    return TextLines(decoder, driver.max_frame) if driver.lines is not None else decoder


def chunks_of(driver: Driver, recording: Recording) -> list[tuple[int, bytes]]:
    """Return what arrives, and when (ns); messages that are text end as lines do."""
    found, at = [], 0.0
    for feed in recording["feed"]:
        at = feed.get("at", at)
        data = chunk(feed)
        found.append((int(at * SECOND), data if driver.lines is None else data.strip() + b"\r\n"))
    return found


def played(driver: Driver, recording: Recording, chunks: Iterable[tuple[int, bytes]]) -> list[Said]:
    """Return what is said of chunks on a line that was silent before, and silent after."""
    opened = Opened(decoder_of(driver, recording), [])
    opened.feed(b"", 0)
    now = SECOND
    for at, data in chunks:
        now = at + SECOND
        opened.feed(data, now)
    opened.feed(b"", now + SECOND)
    opened.finish()
    return opened.heard


def counted(said: Iterable[Said]) -> Counter[str]:
    return Counter(map(repr, said))


def damaged(chunks: list[tuple[int, bytes]], chance: random.Random) -> list[tuple[int, bytes]]:
    """Return chunks of which one byte has its upper bit turned over, or is another, or is missing."""
    place = chance.choice([number for number, (_, data) in enumerate(chunks) if data])
    at, data = chunks[place]
    changed = bytearray(data)
    which = chance.randrange(len(changed))
    match chance.randrange(3):
        case 0:
            changed[which] ^= 0x80
        case 1:
            changed[which] = chance.randrange(0x80, 0x100)
        case 2:
            del changed[which]
    return [*chunks[:place], (at, bytes(changed)), *chunks[place + 1 :]]


def lost_in_silence(driver: Driver) -> Iterator[str]:
    chance = random.Random(driver.name)  # noqa: S311 -- repeatable
    for recording in recordings_of(driver.name):
        chunks = chunks_of(driver, recording)
        whole = played(driver, recording, chunks)
        readings = counted(one for one in whole if isinstance(one, Measurement))
        for _ in range(DAMAGED):
            changed = damaged(chunks, chance)
            said = counted(played(driver, recording, changed))
            if (lost := readings - said) and not said - counted(whole):
                yield f"{recording['name']}: {changed} costs {list(lost)[:1]}, and nothing is said"


@pytest.mark.parametrize("driver", DRIVERS, ids=lambda driver: driver.name)
def test_a_damaged_frame_costs_no_reading_in_silence(driver: Driver) -> None:
    assert [*lost_in_silence(driver)] == []


class Wire:
    """A line on which chunks arrive one after the other, and which is unplugged after the last."""

    def __init__(self, chunks: list[bytes], clock: FakeClock) -> None:
        self.chunks = chunks
        self.clock = clock

    async def open(self) -> None:
        """It is there."""

    async def receive(self, timeout: float) -> bytes:  # noqa: ASYNC109 -- as the real one
        await self.clock.sleep(0)
        if not self.chunks:
            raise LinkDown("unplugged")
        self.clock.pass_by(int(min(timeout, 0.5) * SECOND) + 1)
        return self.chunks.pop(0)

    async def send(self, data: bytes) -> None:
        """Whatever is sent, what is recorded comes."""

    async def shared(self) -> str:
        return ""

    def close(self) -> None:
        """It is gone already."""


@dataclass
class Line:
    """A serial source with all that is behind it, and what its decoders said."""

    driver: Driver
    directory: Path
    disk: SimulatedDisk = field(default_factory=lambda: SimulatedDisk(1))
    clock: FakeClock = field(default_factory=lambda: FakeClock(utc=LATER, jumps=True))
    heard: list[Said] = field(default_factory=list)
    lines: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.driver.name)  # noqa: S311 -- repeatable
        self.all_health = Health("koper-01", "Koper", self.clock)
        self.health = self.all_health.source("line")
        self.spool, self.store = self.opened()
        settings = CommitSettings(commit_interval="1ms")
        self.committer = Committer(self.spool, BOOT, self.all_health, settings, keeper=self.store)
        self.intake = Intake(
            Gateway(id="g", city="c"),
            {},
            timekeeper=Timekeeper(self.clock, self.directory),
            health=self.all_health,
        )

    def opened(self) -> tuple[Spool, RefusedStore]:
        kept = SpoolSettings(min_free_bytes=0, on_full="refuse_new")
        spool = Spool.open(DATA / "spool", kept, sinks=["db"], filesystem=self.disk)
        return spool, RefusedStore(DATA / "refused", RefusedSettings(), spool, filesystem=self.disk)

    async def play(self, recording: Recording, chunks: list[bytes]) -> None:
        """Hear chunks until the line is unplugged."""
        add = self.committer.add

        def look(delivery: Delivery) -> None:
            self.lines += [line for _, _, line in delivery.lines]
            add(delivery)

        self.committer.add = look  # type: ignore[method-assign]
        origin = Origin("line", FieldEncoder({field.name: field for field in self.driver.fields}), sensor="s-1")
        link = self.driver.serial
        assert link is not None
        ingest = SerialIngest(
            SerialSettings("/dev/ttyUSB0", link.baudrate),
            [SerialDevice(lambda: Opened(decoder_of(self.driver, recording), self.heard), origin, 1.0, 1.0)],
            intake=self.intake,
            committer=self.committer,
            health=self.health,
            clock=self.clock,
            make_line=lambda _: Wire([b"", *chunks, b""], self.clock),  # type: ignore[arg-type, return-value]
        )
        with pytest.raises(LinkDown):
            await ingest.run()
        self.committer.add = add  # type: ignore[method-assign]


def noisy(driver: Driver, recording: Recording, chance: random.Random) -> Iterator[bytes]:
    """Yield a recording, whole or damaged, with noise that no text device can have meant around it."""
    chunks = chunks_of(driver, recording)
    for _, data in chance.choice((chunks, damaged(chunks, chance))):
        if chance.randrange(2):
            yield bytes(chance.randrange(0x80, 0x100) for _ in range(chance.randrange(60))) + b"\r\n"
        yield data


@pytest.mark.parametrize("driver", DRIVERS, ids=lambda driver: driver.name)
async def test_every_frame_is_a_reading_or_kept_or_counted(driver: Driver, tmp_path: Path) -> None:
    line = Line(driver, tmp_path)
    task = asyncio.create_task(line.committer.run())
    for _ in range(ROUNDS):
        for recording in recordings_of(driver.name):
            if line.chance.randrange(2):
                line.disk.fail(line.chance.randrange(6), line.chance.choice((errno.ENOSPC, errno.EIO)), times=5)
            # Of a disk that takes nothing more than a few lines are not waited for.
            line.committer.most_lines = line.chance.choice((3, 20_000))
            await line.play(recording, [*noisy(driver, recording, line.chance)])
        await until(lambda: not line.committer.pending)
    line.disk.heal()
    line.committer.stop()
    await task
    line.committer.close()
    line.disk.power_cut()
    check(line)


def check(line: Line) -> None:
    spool, store = line.opened()
    health, heard = line.health, line.heard
    text = b"\n".join(decode_member(member.raw) for member in spool.reader().members()).split(b"\n")
    assert sorted(one for one in text if one and not one.startswith(b"#")) == sorted(line.lines)
    given_up = line.all_health.refused
    refused = [one for one in heard if isinstance(one, Reject)]
    measured = sum(isinstance(one, Measurement) for one in heard)
    assert health.readings == len(line.lines)
    assert health.readings + health.repeated + health.rejects.total() + given_up == measured + len(refused)
    assert health.remarks.total() == sum(isinstance(one, Remark) for one in heard)
    sound = Counter(one.raw for one in refused if one.raw and one.reason in {"unsupported", "range"})
    entries = list(store.entries())
    kept = Counter(one.refusal.raw for one in entries if isinstance(one, Kept))
    assert not kept - sound
    only_counted = sum(one.count for one in entries if isinstance(one, Counted))
    gone = sum(entry["count"] for entry in spool.ledger.entries)  # the oldest file, on a full disk
    not_stored = health.rejects.total() - len(refused)
    """Readings that the intake refused: counted with its words, for their bytes are gone."""
    assert kept.total() + only_counted + gone == sound.total() + not_stored
    # What values of a topic mean their topic says.
    assert line.lines or line.driver.name == "value", "nothing that was recorded is a reading"
