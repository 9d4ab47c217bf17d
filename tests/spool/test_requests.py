"""What people ask of a spool is done once, wherever its owner is stopped."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from gateway.errors import SpoolError
from gateway.spool import UNKNOWN_SENSORS, Policy, Spool, SpoolSettings, SpoolTuning, decode_member, of_boot
from gateway.spool.requests import ANSWERS_KEPT, answer_to, submit
from tests.support.disk import SimulatedDisk
from tests.support.spool import Batches

ROOT = Path("/spool")
T0 = 1732281600000000000
BOOT = bytes(range(16))
SEEDS = 4
LINES = [b"air_quality,sensor=aq-%d pm10=%di %d" % (n % 3, n, T0 + n) for n in range(10)]


@pytest.fixture(autouse=True)
def small_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.spool.requests.PORTION", 3)


def opened(disk: SimulatedDisk, *, segment_bytes: int = 4 << 20, on_full: Policy = "drop_oldest") -> Spool:
    settings, tuning = SpoolSettings(min_free_bytes=0, on_full=on_full), SpoolTuning(segment_bytes=segment_bytes)
    return Spool.open(ROOT, settings, tuning=tuning, sinks=["influx"], filesystem=disk)


def ask(disk: SimulatedDisk, **request: object) -> str:
    return submit(disk, ROOT, request, 1)


def stored(spool: Spool) -> Counter[bytes]:
    """Return the lines in the spool, without comments."""
    texts = (decode_member(member.raw) for member in spool.reader().members())
    return Counter(line for text in texts for line in text.splitlines() if not line.startswith(b"#"))


def held(disk: SimulatedDisk, name: str = "influx.lp") -> Counter[bytes]:
    path = ROOT / "quarantine" / name
    lines = bytes(disk.content(path)).splitlines() if path in disk.files() else []
    return Counter(line for line in lines if not line.startswith(b"#"))


def lay_aside(spool: Spool) -> None:
    spool.quarantine.append("influx", b"\n".join(LINES[:5]), "a type conflict")
    spool.quarantine.append("influx", b"\n".join(LINES[5:]), "outside the retention policy")


def interrupted(disk_type: type[SimulatedDisk], batches: Batches, **request: object) -> Iterator[SimulatedDisk]:
    """Yield disks on which the request was broken off after one more step each, by a kill or by a power cut."""
    steps, after = 1, 0
    while after <= steps:
        for seed in range(SEEDS):
            disk = disk_type(seed)
            with opened(disk) as spool:
                spool.writer.append(batches(3))
                lay_aside(spool)
                ask(disk, **request)
                began = len(disk.calls)
                disk.fail(after, times=10_000)
                with suppress(SpoolError):
                    spool.carry_out_requests()
                steps = max(steps, len(disk.calls) - began)
            if seed:
                disk.power_cut()
            disk.heal()
            yield disk
        after += 1


@pytest.mark.parametrize("match", [None, "sensor=aq-1", "type conflict"])
def test_a_requeued_line_is_in_one_place_wherever_its_owner_is_stopped(
    disk_type: type[SimulatedDisk], batches: Batches, match: str | None
) -> None:
    wanted = {
        None: Counter(LINES),
        "sensor=aq-1": Counter(line for line in LINES if b"aq-1" in line),
        "type conflict": Counter(LINES[:5]),
    }[match]
    for disk in interrupted(disk_type, batches, do="requeue", sink="influx", match=match):
        with opened(disk) as spool:
            # What a sink refuses before the request is taken up again stays where it is.
            spool.quarantine.append("influx", b"new x=1 5", "no")
            assert sum((stored(spool), held(disk)), Counter()).total() >= 4
            spool.carry_out_requests()
            spool.carry_out_requests()
            requeued = Counter(
                {line: count for line, count in stored(spool).items() if line in LINES or line[:3] == b"new"}
            )
            assert +(requeued - Counter([b"new x=1 5"])) == wanted
            assert requeued + held(disk) == Counter([*LINES, b"new x=1 5"])
        assert not [path for path in disk.files() if "requeue" in path.name or path.parent.name == "requests"]


def test_a_dropped_line_is_in_the_ledger_once_wherever_its_owner_is_stopped(
    disk_type: type[SimulatedDisk], batches: Batches
) -> None:
    for disk in interrupted(disk_type, batches, do="drop", sink="influx", match="aq-2"):
        with opened(disk) as spool:
            spool.carry_out_requests()
            assert held(disk) == Counter(line for line in LINES if b"aq-2" not in line)
            [entry] = spool.ledger.entries
            assert (entry["rule"], entry["count"], entry["sensors"]) == ("dropped", 3, ["aq-2"])
        with opened(disk) as spool:
            assert len(spool.ledger.entries) == 1
            assert stored(spool).total() == 3


def test_a_requeue_keeps_times_and_boots_and_numbers_the_readings_anew(disk: SimulatedDisk, batches: Batches) -> None:
    with opened(disk) as spool:
        spool.writer.append(batches(7))
        spool.quarantine.append(UNKNOWN_SENSORS, b"a,sensor=x y=1 60000", f"{of_boot(BOOT)}; unknown sensor x")
        spool.quarantine.append(
            UNKNOWN_SENSORS, b"a,sensor=x y=2 %d" % T0, "unknown sensor times are since boot " + "0" * 32
        )
        name = ask(disk, do="requeue", sink=UNKNOWN_SENSORS)
        spool.carry_out_requests()
        assert answer_to(disk, ROOT, name) == {"readings": 2, "left_bytes": 0}
        since_boot, utc = list(spool.reader().members())[1:]
        assert (since_boot.header.first, since_boot.header.boot, since_boot.header.t_max) == (7, BOOT, 60000)
        assert (utc.header.first, utc.header.boot, utc.header.t_min) == (8, None, T0)


def test_what_is_no_line_with_a_time_stays_in_quarantine(disk: SimulatedDisk) -> None:
    with opened(disk) as spool:
        spool.quarantine.append("influx", b"mended by hand\nx y=1 5", "no")
        name = ask(disk, do="requeue", sink="influx")
        spool.carry_out_requests()
        answer = answer_to(disk, ROOT, name)
        assert answer is not None
        assert answer["readings"] == 1
        assert held(disk) == Counter([b"mended by hand"])


def test_a_full_spool_takes_requeued_lines_once_there_is_room(disk: SimulatedDisk, batches: Batches) -> None:
    with opened(disk, on_full="refuse_new") as spool:
        spool.writer.append(batches(3))
        lay_aside(spool)
        name = ask(disk, do="requeue", sink="influx")
        disk.free = 0
        for _ in range(3):
            with pytest.raises(SpoolError):
                spool.carry_out_requests()
            assert answer_to(disk, ROOT, name) is None
        disk.free = 1 << 30
        spool.carry_out_requests()
        assert +(stored(spool) & Counter(LINES)) == Counter(LINES)
        assert answer_to(disk, ROOT, name) == {"readings": 10, "left_bytes": 0}


@pytest.mark.parametrize("sink", ["influx.eu", "influx/a", "rest", "a.b.c.requeue"])
def test_any_name_of_a_sink_will_do(disk: SimulatedDisk, sink: str) -> None:
    with opened(disk) as spool:
        spool.quarantine.append(sink, b"a x=1 1\nb x=1 2", "no")
        ask(disk, do="requeue", sink=sink, match="a x")
        spool.carry_out_requests()
        assert stored(spool) == Counter([b"a x=1 1"])
        assert spool.quarantine.sinks == [sink]
        assert spool.status().quarantined_bytes.keys() == {sink}


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{", b'{"do": "fly"}', b'{"do": "requeue"}', b'{"do": "replay", "sink": "x", "since": "y"}'],
)
def test_a_request_that_makes_no_sense_is_answered_so(disk: SimulatedDisk, content: bytes) -> None:
    with opened(disk) as spool:
        disk.put(ROOT / "requests" / "7-1.json", content)
        [(_, answer)] = spool.carry_out_requests()
        assert "error" in answer
        assert answer_to(disk, ROOT, "7-1") == answer
        assert not spool.carry_out_requests()


def test_a_request_that_is_half_written_is_left_alone(disk: SimulatedDisk) -> None:
    with opened(disk) as spool:
        disk.put(ROOT / "requests" / "7-1.json.tmp", b'{"do":')
        assert not spool.carry_out_requests()


def test_old_answers_go(disk: SimulatedDisk) -> None:
    with opened(disk) as spool:
        for _ in range(ANSWERS_KEPT + 5):
            ask(disk, do="requeue", sink="influx")
            spool.carry_out_requests()
    assert len([path for path in disk.files() if path.parent.name == "done"]) == ANSWERS_KEPT


def test_a_repair_beside_readers_sets_aside_and_the_next_start_closes_the_hole(
    disk: SimulatedDisk, batches: Batches
) -> None:
    with opened(disk, segment_bytes=1) as spool:
        for _ in range(3):
            spool.writer.append(batches(10))
        path = ROOT / f"{10:020}.lp.gz"
        disk.content(path)[90] ^= 1
        name = ask(disk, do="repair")
        spool.carry_out_requests()
        answer = answer_to(disk, ROOT, name)
        assert answer is not None
        [place] = answer["set_aside"]
        assert place.startswith(path.name)
        [entry] = spool.ledger.entries
        assert (entry["rule"], entry["from"], entry["to"], entry["count"]) == ("damaged", 10, 19, 10)
        assert path in disk.files()
        assert spool.status().damaged == 1
    with opened(disk) as spool:
        assert path not in disk.files()
        assert len(spool.ledger.entries) == 1
        assert not spool.verify().damaged


def test_lines_of_any_length_are_requeued(disk: SimulatedDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.spool.requests.PORTION", 2_000)
    lines = [b'a,sensor=s t="%s" %d' % (b"x" * 9_000, n) for n in range(2_000)]
    with opened(disk) as spool:
        spool.quarantine.append(UNKNOWN_SENSORS, b"\n".join(lines), "unknown sensor s")
        name = ask(disk, do="requeue", sink=UNKNOWN_SENSORS, match=None)
        spool.carry_out_requests()
        assert answer_to(disk, ROOT, name) == {"readings": 2_000, "left_bytes": 0}
        assert stored(spool) == Counter(lines)


def test_a_time_that_no_database_takes_stays_where_somebody_can_mend_it(disk: SimulatedDisk) -> None:
    with opened(disk) as spool:
        spool.quarantine.append(UNKNOWN_SENSORS, b"a x=1 %d\na x=1 %d" % (2**63, 2**63 - 1), "unknown sensor s")
        for verb in ("requeue", "drop"):
            ask(disk, do=verb, sink=UNKNOWN_SENSORS, match=None)
            spool.carry_out_requests()
        assert stored(spool) == Counter([b"a x=1 %d" % (2**63 - 1)])
        assert held(disk, "unknown.lp") == Counter([b"a x=1 %d" % 2**63])


def test_what_cannot_be_requeued_is_kept_and_said_so(disk: SimulatedDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> None:
        raise ValueError("this batch breaks a rule")

    with opened(disk) as spool:
        lay_aside(spool)
        monkeypatch.setattr(spool, "commit", refuse)
        name = ask(disk, do="requeue", sink="influx", match=None)
        for _ in range(2):
            spool.carry_out_requests()
        answer = answer_to(disk, ROOT, name)
        assert answer is not None
        assert "breaks a rule" in answer["error"]
        [taken] = spool.quarantine.taken()
        assert [one.line for one in spool.quarantine.read_taken(taken)] == LINES


def test_the_ledgers_line_names_twenty_sensors_and_counts_all(disk: SimulatedDisk) -> None:
    with opened(disk) as spool:
        spool.quarantine.append(UNKNOWN_SENSORS, b"\n".join(b"a,sensor=s%02d x=1 5" % n for n in range(30)), "no")
        ask(disk, do="drop", sink=UNKNOWN_SENSORS)
        spool.carry_out_requests()
    [line] = bytes(disk.content(ROOT / "losses.jsonl")).splitlines()
    entry = json.loads(line)
    assert entry["sensors"] == [f"s{n:02}" for n in range(20)]
    assert (entry["sensor_count"], entry["from"], entry["to"]) == (30, None, None)
