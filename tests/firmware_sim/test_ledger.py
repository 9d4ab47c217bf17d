from pathlib import Path

from firmware_sim.truth.ledger import Truth


def test_a_ledger_can_be_read_back_from_its_file_while_it_grows(tmp_path: Path) -> None:
    path = tmp_path / "truth.jsonl"
    with Truth(path, {"70b3": "spot-1"}) as truth:
        truth.record("70b3", "parking", {"occupied": True}, 1_721_381_655_775_023_242)
        truth.record("radar-1", "traffic", {"peak_speed": 43.5}, tags={"direction": "inbound"}, certain=False)
        loaded = Truth.load(path)
        assert list(loaded) == list(truth)
        assert [taken.stored_as for taken in loaded] == ["spot-1", "radar-1"]
        assert loaded.counts == {"parking": 1}


def test_a_torn_last_line_does_not_count(tmp_path: Path) -> None:
    path = tmp_path / "truth.jsonl"
    with Truth(path) as truth:
        truth.record("aq-1", "air_quality", {"pm25": 1.0})
    with path.open("a") as file:
        file.write('{"sensor": "aq-1", "ki')
    assert len(Truth.load(path)) == 1


def test_a_ledger_goes_on_where_its_file_ended(tmp_path: Path) -> None:
    path = tmp_path / "truth.jsonl"
    for value in (1.0, 2.0):
        with Truth(path) as truth:
            truth.record("aq-1", "air_quality", {"pm25": value})
    assert [taken.fields["pm25"] for taken in Truth.load(path)] == [1.0, 2.0]
