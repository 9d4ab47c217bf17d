"""What was stored with times that are still to come is found for the series that it is of, and for no other."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.ingest.intake import FAR
from gateway.ingest.recent_times import still_to_come
from gateway.spool import Batch, Spool, SpoolSettings

NOW = 1_732_281_600_000_000_000


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with Spool.open(tmp_path, SpoolSettings(min_free_bytes=0)) as opened:
        yield opened


def store(spool: Spool, *lines: tuple[str, int], boot: bytes | None = None) -> None:
    times = [time for _, time in lines]
    text = "".join(f'{series}x=1,y="a b" {time}\n' for series, time in lines)
    spool.writer.append(Batch(text.encode(), len(lines), min(times), max(times), boot))


def test_each_series_has_its_newest_time_that_is_near(spool: Spool) -> None:
    late, early, odd = "air,sensor=late ", "air,sensor=early ", r"air,sensor=a\ b\,c "
    store(spool, (late, NOW + 5), (early, NOW - 1), (odd, NOW + 7), (late, NOW + FAR))
    store(spool, (late, NOW + 3))
    store(spool, (early, NOW + 9), boot=bytes(16))
    assert still_to_come(spool.reader(), spool.next_seq, NOW) == {late.encode(): NOW + 5, odd.encode(): NOW + 7}
    assert still_to_come(spool.reader(), spool.next_seq, None) == {}


def test_only_the_newest_readings_are_looked_at(spool: Spool) -> None:
    for number in range(3):
        store(spool, (f"air,sensor={number} ", NOW + 5))
    found = still_to_come(spool.reader(), spool.next_seq, NOW, readings=2)
    assert sorted(found) == [b"air,sensor=1 ", b"air,sensor=2 "]


def test_damage_is_passed_over(spool: Spool) -> None:
    store(spool, ("a ", NOW + 5))
    store(spool, ("b ", NOW + 5))
    path = spool.root / f"{0:020}.lp.gz"
    content = bytearray(path.read_bytes())
    content[90] ^= 1
    path.write_bytes(content)
    assert still_to_come(spool.reader(), spool.next_seq, NOW) == {b"b ": NOW + 5}
