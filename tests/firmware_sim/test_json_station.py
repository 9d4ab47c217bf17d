import json

from firmware_sim.devices.json_station import JsonStation
from firmware_sim.parts.twin import NEVER
from firmware_sim.truth.ledger import Truth

NOON = 1_721_381_655_775_023_242


def test_a_station_says_what_the_ledger_holds() -> None:
    truth = Truth()
    station = JsonStation("air-1", truth, "seed", interval=10.0)
    (message,) = station.tick(station.due(), NOON)
    assert message.topic == "city/air-1/air"
    assert len(truth) == 0, "the broker has not acknowledged it"
    message.heard(True)
    said, (taken,) = json.loads(message.payload), truth
    assert said["ts"] == 1_721_381_655_775
    assert taken.time == 1_721_381_655_775_000_000
    assert taken.fields == {
        **{name: said[name] for name in ("pm25", "pm10", "no2", "temperature")},
        "relative_humidity": said["humidity"] / 100,
    }


def test_no_two_readings_share_a_millisecond() -> None:
    station = JsonStation("air-1", Truth(), "seed", interval=0.001)
    times = []
    for _ in range(100):
        (message,) = station.tick(station.due(), NOON)
        times.append(json.loads(message.payload)["ts"])
    assert times == list(range(times[0], times[0] + 100))


def test_it_publishes_every_interval_until_it_is_stopped() -> None:
    station = JsonStation("air-1", Truth(), "seed", interval=10.0)
    assert sum(len(station.tick(float(now), NOON + now)) for now in range(100)) == 10
    station.stop()
    assert station.due() == NEVER
    assert station.tick(1000.0, NOON) == []
