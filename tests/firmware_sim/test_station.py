"""Stations that publish every so often, and the networks beside ChirpStack."""

import json

from firmware_sim.devices import actility, airgradient, ttn
from firmware_sim.parts.twin import NEVER
from firmware_sim.truth.ledger import Truth

NOON = 1_721_381_655_775_000_000


def test_a_reading_is_in_the_ledger_once_the_broker_has_it() -> None:
    truth = Truth()
    station = airgradient.TWIN("abc", truth, "seed")
    (message,) = station.tick(station.due(), NOON)
    assert len(truth) == 0
    message.heard(True)
    (taken,) = truth
    assert taken.fields["pm25"] == json.loads(message.payload)["pm02"]


def test_it_publishes_every_interval_until_it_is_stopped() -> None:
    station = airgradient.TWIN("abc", Truth(), "seed", interval=10.0)
    assert sum(len(station.tick(float(now), NOON + now)) for now in range(100)) == 10
    station.stop()
    assert station.due() == NEVER


def test_the_things_stack_leaves_out_what_is_zero() -> None:
    said = ttn.TheThingsStack("seed").uplink(
        "70b3d57ed0041234", name="one", port=2, payload=b"\x01", frame_counter=0, time=NOON, heard=lambda _: None
    )
    message = json.loads(said.payload)["uplink_message"]
    assert "f_cnt" not in message
    assert message["frm_payload"] == "AQ=="


def test_thingpark_writes_every_number_as_a_text() -> None:
    said = actility.ThingPark("seed").uplink(
        "70b3d57ed0041234", name="one", port=2, payload=b"\x01", frame_counter=7, time=NOON, heard=lambda _: None
    )
    message = json.loads(said.payload)["DevEUI_uplink"]
    assert (message["FPort"], message["FCntUp"], message["payload_hex"]) == ("2", "7", "01")
    assert message["Time"] == "2024-07-19T11:34:15.775+02:00"
