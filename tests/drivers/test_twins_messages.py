"""Each driver of MQTT messages against its twin: what was meant is what is read."""

from collections.abc import Callable
from typing import Any

import pytest

import drivers
from firmware_sim.devices import actility, ttn
from firmware_sim.devices.decentlab import DlPm
from firmware_sim.parts.lorawan_node import Network, Node
from firmware_sim.parts.station import Reporter
from firmware_sim.registry import twins
from firmware_sim.truth.ledger import Truth
from gateway.contract import Measurement, Uplink
from gateway.sources.uplinks import measurements_of

NOON = 1_721_381_655_775_000_000
RADIO = {"frame_counter", "rssi", "snr"}
MESSAGES = 100


@pytest.mark.parametrize("network", [actility.ThingPark("seed"), ttn.TheThingsStack("seed")], ids=["actility", "ttn"])
def test_an_envelope_is_opened_as_its_twin_meant(network: Network) -> None:
    truth, codec = Truth(), drivers.load_codec("decentlab_dl_pm")
    driver = drivers.load({actility.ThingPark: actility.DRIVER, ttn.TheThingsStack: ttn.DRIVER}[type(network)])
    decoder: Any = driver.decoder(driver.options())
    node = Node("70b3d57ed0041234", "one", DlPm(), truth, network, seed="seed")
    said = []
    for number in range(MESSAGES):
        (message,) = node.tick(node.due(), NOON + number * 600_000_000_000)
        (uplink,) = decoder.decode(message.topic, message.payload)
        assert isinstance(uplink, Uplink)
        assert (uplink.fields["frame_counter"], set(uplink.fields)) == (number, RADIO)
        said += [one for one in measurements_of(uplink, (codec, codec.options())) if isinstance(one, Measurement)]
        message.heard(True)
    assert len({one.key for one in said}) == len(said) == len(truth) == MESSAGES
    for one, meant in zip(said, truth, strict=True):
        fields = {name: value for name, value in one.fields.items() if name not in RADIO}
        assert (one.sensor, one.kind, one.time) == (meant.sensor, meant.kind, meant.time)
        assert fields == pytest.approx(dict(meant.fields))


def reporters() -> dict[str, Callable[..., Any]]:
    """Return what makes each station that `firmware_sim.parts.station` carries, by its driver's name."""
    return {name: one.make for name, one in twins().items() if getattr(one.make, "func", None) is Reporter}


@pytest.mark.parametrize("name", reporters())
def test_a_driver_reads_what_its_twin_meant(name: str) -> None:
    truth, driver = Truth(), drivers.load(name)
    decoder: Any = driver.decoder(driver.options())
    twin = reporters()[name]("1234567", truth, "seed")
    said: list[Measurement] = []
    for number in range(MESSAGES):
        for message in twin.tick(twin.due(), NOON + number * 60_000_000_000):
            said += [one for one in decoder.decode(message.topic, message.payload) if isinstance(one, Measurement)]
            message.heard(True)
    assert len(said) == len(truth) >= MESSAGES / 5
    for one, meant in zip(said, truth, strict=True):
        assert (one.sensor, one.kind, one.time, one.tags) == (meant.sensor, meant.kind, meant.time, meant.tags)
        assert set(one.fields) == set(meant.fields)
        for field, value in meant.fields.items():
            assert one.fields[field] == (pytest.approx(value) if isinstance(value, float) else value), field
