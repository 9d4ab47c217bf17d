"""Each LoRaWAN codec against its twin, through the network server's envelope: what was meant is what is read."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import drivers
from firmware_sim.devices.chirpstack import ChirpStack
from firmware_sim.parts.lorawan_node import Node, Sensor
from firmware_sim.registry import sensors
from firmware_sim.truth.ledger import Taken, Truth
from gateway.contract import FieldValue, Measurement, Reject, Uplink
from gateway.sources.uplinks import measurements_of

EUI = "70b3d57ed0041234"
NOON = 1_721_381_655_775_023_242
RADIO = {"frame_counter", "rssi", "snr"}
UPLINKS = 100


def twins() -> Iterator[Any]:
    """Return each codec's name with each sensor that simulates it."""
    for name, makers in sensors().items():
        yield from (pytest.param(name, maker, id=f"{name}-{maker.__name__}") for maker in makers)


def series(one: Measurement | Reject | Taken) -> tuple[str, tuple[tuple[str, str], ...], int]:
    assert not isinstance(one, Reject), one
    return one.kind, tuple(sorted(one.tags.items())), one.time or 0


def own_fields(one: Measurement) -> dict[str, FieldValue]:
    return {name: value for name, value in one.fields.items() if name not in RADIO}


@pytest.mark.parametrize(("name", "make"), list(twins()))
def test_a_codec_reads_what_its_twin_meant(name: str, make: Callable[[], Sensor]) -> None:
    sensor, truth, codec = make(), Truth(), drivers.load_codec(name)
    node = Node(EUI, "one", sensor, truth, ChirpStack("seed"), seed="seed")
    options = codec.options.model_validate(sensor.options)
    envelope: Any = drivers.load("chirpstack").decoder(drivers.load("chirpstack").options())
    read: list[Measurement | Reject] = []
    for _ in range(UPLINKS):
        now = node.due()
        (message,) = node.tick(now, NOON + int(now * 1e9))
        (uplink,) = envelope.decode(message.topic, message.payload)
        assert isinstance(uplink, Uplink)
        said = list(measurements_of(uplink, (codec, options)))
        assert len({series(one) for one in said}) == len(said), "two readings of one message would be taken for one"
        read += said
        message.heard(True)
    assert len(read) == len(truth)
    for one, meant in zip(sorted(read, key=series), sorted(truth, key=series), strict=True):
        assert isinstance(one, Measurement), one
        assert series(one) == series(meant)
        assert own_fields(one) == pytest.approx(dict(meant.fields))
        assert [type(value) for value in own_fields(one).values()] == [
            type(meant.fields[key]) for key in own_fields(one)
        ]


def test_every_codec_with_a_table_of_twins_is_a_codec() -> None:
    assert {param.values[0] for param in twins()} <= set(drivers.codec_names())
