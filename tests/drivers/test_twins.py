"""One law for all twins: what a driver reads of its twin is what the twin has measured, and nothing else.

Twins, variants, sensors and networks are found in `firmware_sim.registry`: a new one is held to the law without a
line here. What a device needs beyond that is in the tables, by its name.
"""

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

import drivers
from firmware_sim.devices.chirpstack import ChirpStack
from firmware_sim.devices.tps110 import CODEC as TPS110
from firmware_sim.devices.tps110 import Tps110
from firmware_sim.parts.lorawan_node import Network, Node, Sensor
from firmware_sim.parts.twin import Message, MqttTwin
from firmware_sim.registry import networks, sensors, twins, variants
from firmware_sim.truth.compare import Report, compare
from firmware_sim.truth.ledger import Taken, Truth
from firmware_sim.truth.points import StoredPoint
from gateway.contract import VOCABULARY, Codec, FieldValue, Measurement, Options, Reject, Remark, SerialLink, Uplink
from gateway.sources.uplinks import measurements_of
from tests.support.conversation import Conversation

SEEDS = ("seed", *(f"seed {number}" for number in range(int(os.environ.get("PREHOD_SEEDS", "2")))))
"""Of the twin's air, road and faults. A release is worth PREHOD_SEEDS=50."""

SERIAL = sorted(
    name
    for name, entry in {**twins(), **variants()}.items()
    if isinstance(drivers.load(entry.driver).link, SerialLink)
)
MQTT = sorted(name for name, entry in twins().items() if not isinstance(drivers.load(entry.driver).link, SerialLink))
NOON = 1_721_381_655_775_000_000

# --- serial


@dataclass(frozen=True)
class Special:
    """What differs from most devices."""

    tolerance: float = 1e-9
    """By how much a number may differ from the ledger's: the driver rounds, or the device speaks in other units."""
    skipped: int = 0
    """So many of the first entries are not read: they are of the interval that the driver finds when it comes."""
    rejected: frozenset[str] = frozenset({"unsupported"})
    """Why frames of a sound device may be rejected: it has no fix yet, no interval, or is not ready."""
    seconds: int = 600
    faulty: float = 0.2
    """The share of frames with each fault: what the driver still is to read without a mistake."""
    corrupt: bool = True
    """Whether single bytes may be damaged, too: not where text without a sum takes any digit for the right one."""
    invented: int = 3
    """So many damaged frames may pass for good ones: a sum of eight bits lets one in 256 through."""
    lost: float = 0.0
    """The share of what was measured that may be lost beside: the frame behind a torn one goes with it."""


EXACT = Special(invented=0)
"""Its check lets nothing through."""
RANGING = Special(invented=6, lost=0.25)
SIX_DECIMALS = 5.1e-7
INTERVALS = Special(tolerance=SIX_DECIMALS, skipped=3, lost=0.25, seconds=660)

SPECIAL: Mapping[str, Special] = {
    **dict.fromkeys(("modbus", "senseair_k30", "senseair_s8", "senseair_s8_without_abc", "sm300d2_modbus"), EXACT),
    **dict.fromkeys(("nextpm_by_address", "nextpm_modbus", "nextpm_modbus_10s"), EXACT),
    **dict.fromkeys(("pms5003", "pms5003s", "pms5003st", "pms5003t", "sds011", "sds198"), EXACT),
    **dict.fromkeys(("a02yyuw", "aj_sr04m", "jsn_sr04t", "tfmini"), RANGING),
    **dict.fromkeys(("natch", "natch_clock"), Special(rejected=frozenset(), corrupt=False, invented=0)),
    **dict.fromkeys(("wavetronix_ss125", "wavetronix_ss125_7"), INTERVALS),
    "houston_dr500": Special(tolerance=0.005, invented=0),
    "nmea0183": Special(invented=15, lost=0.25),
    "rtms_g4": Special(faulty=0.1, invented=0),
    "rtms_g4_periods": Special(skipped=3, faulty=0.02, invented=0, lost=0.25, seconds=660),
    "sm300d2": Special(invented=6),
    "sps30": Special(tolerance=SIX_DECIMALS),
    "wavetronix_ss105": Special(skipped=2, invented=0, lost=0.25, seconds=660),
    "wavetronix_ss105_clock": Special(invented=0, lost=0.25, seconds=660),
    "wavetronix_ss125_clock": Special(tolerance=SIX_DECIMALS, lost=0.25, seconds=660),
    "wavetronix_ss125_events": Special(rejected=frozenset(), lost=0.25),
}

UNGUARDED = {
    "canoga": "an answer is 37 bytes without a header: among those of a torn one and the next a wrong count may pass",
    "maxbotix": "a distance in digits without a sum: a damaged one is another distance",
    "maxbotix_xl": "the same",
    "ops243": "what may go wrong on its line is not simulated",
}
"""Devices of which damage may be read as something else, and why."""

TOLD_BY_COUNT = {"adec_tdc"}
"""A stray E5 may be taken for this detector's answer; its vehicles are then told by its count alone."""

MORE: Mapping[str, set[str]] = {
    "natch": {"average_headway_time"},
    "nextpm": {"particles_up_to_1", "particles_up_to_10", "particles_up_to_25"},
    "nextpm_modbus": {"particles_up_to_1", "particles_up_to_10", "particles_up_to_25"},
    "nmea0183": {"altitude", "horizontal_dilution"},
    "houston_dr500": {"period"},
    "sm300d2": {"relative_humidity"},
    "rtms_g4": {
        *("average_gap_time", "average_headway_time", "average_vehicle_speed", "period", "speed_85th_percentile"),
        *(f"intensity_class_{number}" for number in range(4)),
    },
    "wavetronix_ss105": {"average_vehicle_speed", *(f"intensity_class_{number}" for number in range(3))},
    "wavetronix_ss125": {
        *("average_gap_time", "average_headway_time", "average_vehicle_length", "average_vehicle_speed", "period"),
        *("speed_85th_percentile", *(f"intensity_class_{number}" for number in range(4))),
    },
}
"""Driver -> fields of its readings that the ledger does not have; those of the device's health are no readings."""

TACIT: Mapping[str, bytes] = {
    **dict.fromkeys(("pms3003", "pms5003", "pms5003st", "pms5003t"), bytes.fromhex("42 4D E4 00 01")),
    "natch": b"DS,",
    "nextpm": b"\x81",  # answered a moment later
}
"""Driver -> how those of its commands begin that are not answered at once."""

Series = tuple[str, tuple[tuple[str, str], ...]]


def _special(name: str) -> Special:
    return SPECIAL.get(name, Special())


def _faults(twin: Any) -> Any:  # noqa: ANN401 -- each twin has its own
    wire = getattr(twin, "wire", None)
    return twin.faults if wire is None else wire.faults


def _set_faults(name: str, twin: Any, share: float) -> None:  # noqa: ANN401 -- any twin
    faults = _faults(twin)
    for fault in ("noise", "torn", "lost_byte", *(("corrupt",) if _special(name).corrupt else ())):
        if hasattr(faults, fault):
            setattr(faults, fault, share)


def _counts_vehicles(truth: Iterable[Taken]) -> bool:
    """Tell whether the ledger holds vehicles one by one, which the driver counts; see `truth.compare`."""
    return any("peak_speed" in taken.fields for taken in truth)


def _report(truth: Iterable[Taken], read: Iterable[Measurement]) -> Report:
    """Compare a ledger with what was read as if that were stored."""
    points = [StoredPoint(one.kind, {"sensor": "x", **one.tags}, one.fields, one.time or 0) for one in read]
    return compare(truth, points)


def _in_series(
    readings: Iterable[Measurement | Taken], names: set[str], tags: set[str]
) -> dict[Series, list[dict[str, FieldValue]]]:
    """Return what was measured of the fields so named, in order, by kind and by the tags so named."""
    found: dict[Series, list[dict[str, FieldValue]]] = defaultdict(list)
    for one in readings:
        if fields := {name: value for name, value in one.fields.items() if name in names}:
            place = tuple(sorted((tag, one.tags[tag]) for tag in tags & one.tags.keys()))
            found[one.kind, place].append(fields)
    return found


def _check_sound(name: str, talk: Conversation) -> None:
    """Check that everything was read once, in order, and nothing else."""
    special, read, truth = _special(name), talk.measured, list(talk.truth)[_special(name).skipped :]
    assert len(truth) >= 20, "too little was measured to tell anything"
    report = _report(truth, read)
    assert report.exact, "\n".join(report.differences)
    assert talk.reasons <= special.rejected
    assert talk.twin.quiet()
    if not _counts_vehicles(truth):
        names = {field for taken in truth for field in taken.fields}
        more = {field for one in read for field in one.fields if not VOCABULARY[field].health} - names
        assert more <= MORE.get(talk.entry.driver, set()), "fields that the ledger does not have"
        tags = {tag for taken in truth for tag in taken.tags}
        meant, given = _in_series(truth, names, tags), _in_series(read, names, tags)
        assert given.keys() == meant.keys()
        for series in meant:
            wanted = [pytest.approx(one, rel=0, abs=special.tolerance) for one in meant[series]]
            assert given[series] == wanted, series


@pytest.mark.parametrize("name", SERIAL)
def test_what_is_read_is_what_was_measured(name: str) -> None:
    for seed in SEEDS:
        talk = Conversation(name, seed)
        talk.go_on(_special(name).seconds)
        talk.end()
        _check_sound(name, talk)


@pytest.mark.parametrize("name", [name for name in SERIAL if name not in UNGUARDED])
def test_through_noise_and_damage_little_is_lost_and_less_is_invented(name: str) -> None:
    special = _special(name)
    for seed in SEEDS:
        talk = Conversation(name, seed)
        talk.go_on(10)
        _set_faults(name, talk.twin, special.faulty)
        talk.go_on(2 * special.seconds)
        _set_faults(name, talk.twin, 0.0)
        talk.end()
        truth = list(talk.truth)[special.skipped :]
        assert len(truth) >= 40, "too little was measured to tell anything"
        assert talk.reasons & {"checksum", "noise"}
        if name in TOLD_BY_COUNT:
            assert sum(int(one.fields.get("intensity", 0)) for one in talk.measured) == talk.twin.count
            continue
        report = _report(truth, talk.measured)
        differences = "\n".join(report.differences)
        assert report.duplicated <= special.invented, differences
        assert report.lost <= report.duplicated + special.lost * len(truth), differences


@pytest.mark.parametrize("name", SERIAL)
def test_after_a_power_cut_it_goes_on_and_nothing_is_invented(name: str) -> None:
    talk = Conversation(name)
    talk.go_on(240)
    before = len(talk.truth)
    talk.twin.power_cycle(talk.now)
    talk.go_on(240)
    talk.end()
    assert len(talk.truth) > before + 5 > 10
    if name not in TOLD_BY_COUNT:  # whose count tells of those that were lost
        report = _report(talk.truth, talk.measured)
        assert not report.duplicated, "\n".join(report.differences)


@pytest.mark.parametrize("name", SERIAL)
def test_every_command_is_understood(name: str) -> None:
    talk = Conversation(name)
    talk.go_on(_special(name).seconds)
    tacit = TACIT.get(talk.entry.driver)
    ignored = [data for data, answered in talk.answered.items() if not answered]
    assert [data.hex(" ") for data in ignored if tacit is None or not data.startswith(tacit)] == []


# --- messages and payloads

RADIO = {"frame_counter", "rssi", "snr"}
MESSAGES = 100


def _check_read(
    said: Iterable[Measurement | Reject | Remark], truth: Truth, unkept: frozenset[str] = frozenset()
) -> None:
    """Check that what was read is what was meant: each reading once, every field with its value and its type.

    ``unkept`` are fields that the ledger does not have.
    """
    read: list[Measurement] = []
    for one in said:
        assert isinstance(one, Measurement), one
        read.append(one)
    assert len(read) == len(truth) >= MESSAGES / 5
    for one, meant in zip(sorted(read, key=_place), sorted(truth, key=_place), strict=True):
        fields = {
            name: value for name, value in one.fields.items() if name not in (RADIO | unkept) - meant.fields.keys()
        }
        assert (one.sensor, _place(one)) == (meant.sensor, _place(meant))
        assert fields == pytest.approx(dict(meant.fields)), meant
        assert {name: type(value) for name, value in fields.items()} == {
            name: type(value) for name, value in meant.fields.items()
        }


def _place(one: Measurement | Taken) -> tuple[int, str, str, tuple[tuple[str, str], ...]]:
    return one.time or 0, one.sensor or "", one.kind, tuple(sorted(one.tags.items()))


def _messages(twin: MqttTwin, period: float) -> Iterable[Message]:
    for number in range(MESSAGES):
        yield from twin.tick(twin.due(), NOON + int(number * period * 1e9))


@pytest.mark.parametrize("name", MQTT)
def test_a_message_is_read_as_its_twin_meant_it(name: str) -> None:
    entry = twins()[name]
    driver = drivers.load(entry.driver)
    for seed in SEEDS:
        truth = Truth()
        decoder: Any = driver.decoder(driver.options.model_validate(entry.source.get("options", {})))
        said: list[Measurement | Reject | Remark] = []
        for message in _messages(entry.make("1234567", truth, seed), 60.0):
            said += decoder.decode(message.topic, message.payload)
            message.heard(True)
        _check_read([one for one in said if not _is_no_reading(one)], truth)


def _is_no_reading(one: Measurement | Reject | Remark) -> bool:
    """Tell whether it is a word about a sound message and no reading: an event that has not ended, a null."""
    return isinstance(one, Remark) or (isinstance(one, Reject) and one.reason == "unsupported")


def _check_uplinks(
    node: MqttTwin,
    network: str,
    codec: tuple[Codec, Options],
    truth: Truth,
    unkept: frozenset[str] = frozenset(),
) -> None:
    """Check the uplinks of one LoRaWAN device, each opened by the driver of its network."""
    envelope: Any = drivers.load(network).decoder(drivers.load(network).options())
    said: list[Measurement | Reject | Remark] = []
    keys: set[str | None] = set()
    for number, message in enumerate(_messages(node, 600.0)):
        (uplink,) = envelope.decode(message.topic, message.payload)
        assert isinstance(uplink, Uplink)
        assert uplink.fields["frame_counter"] == number
        assert uplink.fields.keys() == RADIO
        readings = list(measurements_of(uplink, codec))
        assert uplink.key not in keys
        keys.add(uplink.key)
        assert {one.key for one in readings if isinstance(one, Measurement)} <= {uplink.key}
        places = {_place(one) for one in readings if isinstance(one, Measurement)}
        assert len(places) == len(readings), "two readings of one message would be taken for one"
        said += readings
        message.heard(True)
    _check_read(said, truth, unkept)


PAYLOADS = [
    pytest.param(codec, make, id=f"{codec}-{make.__name__}") for codec, makers in sensors().items() for make in makers
]
EUI = "70b3d57ed0041234"


@pytest.mark.parametrize(("name", "make"), PAYLOADS)
def test_a_payload_is_read_as_its_sensor_meant_it(name: str, make: Callable[[], Sensor]) -> None:
    for seed in SEEDS:
        sensor, truth, codec = make(), Truth(), drivers.load_codec(name)
        node = Node(EUI, "one", sensor, truth, ChirpStack(seed), seed=seed)
        _check_uplinks(node, "chirpstack", (codec, codec.options.model_validate(sensor.options)), truth)


@pytest.mark.parametrize("name", networks())
def test_an_envelope_is_opened_as_its_network_meant_it(name: str) -> None:
    ((codec_name, (make, *_)), *_) = ((codec, makers) for codec, makers in sensors().items() if "dl_pm" in codec)
    network: Network = networks()[name]("seed")
    sensor, truth, codec = make(), Truth(), drivers.load_codec(codec_name)
    node = Node(EUI, "one", sensor, truth, network, seed="seed")
    _check_uplinks(node, name, (codec, codec.options.model_validate(sensor.options)), truth)


TPS110_UNKEPT = {one.name for one in drivers.load_codec(TPS110).fields if one.health}


def test_a_parking_spot_is_read_as_it_was_meant() -> None:
    truth, codec = Truth(), drivers.load_codec(TPS110)
    network = ChirpStack("seed")
    spot = Tps110(EUI, "one", truth, network, "seed", dwell=600.0, reports_temperature=True)
    _check_uplinks(spot, "chirpstack", (codec, codec.options()), truth, frozenset(TPS110_UNKEPT))


def test_every_driver_and_every_codec_has_its_twin_here() -> None:
    assert {*SERIAL, *MQTT, *networks()} >= set(drivers.names())
    assert {*sensors(), TPS110} == set(drivers.codec_names())
    assert set(SPECIAL) | UNGUARDED.keys() | TOLD_BY_COUNT <= set(SERIAL)
    assert {*MORE, *TACIT} <= set(drivers.names())
