"""The payload makers against frames worked by hand from the sheets."""

from random import Random

import pytest

from firmware_sim.devices.decentlab import DlMbx
from firmware_sim.devices.dragino import Ldds75, Lht52
from firmware_sim.devices.elsys import EltPulse
from firmware_sim.devices.libelium_smart_parking import SmartParking, SmartParking2
from firmware_sim.devices.milesight import Vs133, Vs340
from firmware_sim.devices.nwave import Ncc405, Nps405, packed_minutes
from firmware_sim.devices.parametric import Pcr2, Tcr
from firmware_sim.devices.pni_placepod import PlacePod, PlacePodCounter
from firmware_sim.parts.lorawan_node import Payload, Sensor

NOON = 1_721_381_655_000_000_000


def said(sensor: Sensor, count: int, seed: int = 1) -> list[Payload]:
    random = Random(seed)  # noqa: S311 -- a twin is to say the same again
    return [sensor.payload(random, NOON + n) for n in range(count)]


@pytest.mark.parametrize(
    ("minutes", "packed", "known"),
    [
        (74, 74, 74),
        (89, 89, 89),
        (90, 90, 90),
        (97, 91, 95),
        (239, 119, 235),
        (240, 120, 240),
        (659, 126, 600),
        (660, 127, None),
    ],
)
def test_minutes_are_packed_into_seven_bits(minutes: int, packed: int, known: int | None) -> None:
    assert packed_minutes(minutes) == (packed, known)


def test_a_bay_of_the_nps405_is_in_the_upper_bit_and_starts_up_first() -> None:
    first, *others = said(Nps405(), 50)
    assert (first.port, first.data.hex()) == (3, "010d000200")
    for one in others:
        assert one.readings[0].fields["occupied"] is bool(one.data[0] & 0x80)


def test_the_counter_begins_again_after_sixteen_bits() -> None:
    counts = [one.readings[0].fields["total_count"] for one in said(Ncc405(), 40) if one.port == 1]
    assert max(map(int, counts)) > 65_000
    assert min(map(int, counts)) < 1_000


def test_a_placepod_reboots_first_and_a_counter_says_80_for_it() -> None:
    assert said(PlacePod(), 1)[0].data.hex() == "3f0101"
    assert said(PlacePodCounter(), 1)[0].data.hex() == "210080"
    assert all(one.data[2] < 0x80 for one in said(PlacePodCounter(), 300)[1:])


@pytest.mark.parametrize("make", [SmartParking, SmartParking2])
def test_every_frame_of_a_libelium_node_has_eleven_bytes_and_counts_on(make: type[SmartParking]) -> None:
    frames = [one.data for one in said(make(), 300)]
    assert {len(frame) for frame in frames} == {11}
    assert [frame[1] for frame in frames] == [n & 0xFF for n in range(300)]
    assert [frame[0] & 0x0F for frame in frames[:2]] == [4, 5]


def test_a_seat_is_three_bytes_behind_the_battery() -> None:
    for one in said(Vs340(), 10):
        assert one.data[2] == round(float(one.readings[0].fields["battery_level"]) * 100)
        assert one.data[3:] == bytes((3, 0, bool(one.readings[0].fields["occupied"])))


def test_totals_of_the_vs133_go_on() -> None:
    totals = [int(one.readings[0].fields["total_count"]) for one in said(Vs133(), 10)]
    assert totals == sorted(totals)


def test_a_decentlab_frame_is_as_long_as_its_groups() -> None:
    for one in said(DlMbx(), 30):
        assert len(one.data) == 5 + {2: 2, 3: 6}[one.data[4]]
        assert one.data[:3].hex() == "021b50"


def test_pulses_and_their_sum_agree() -> None:
    total = 0
    for one in said(EltPulse(), 10):
        total += int(one.readings[0].fields["intensity"])
        assert one.readings[0].fields["total_count"] == total


def test_too_near_is_sent_as_twenty_millimetres() -> None:
    near = [one for one in said(Ldds75(), 50) if "distance" not in one.readings[0].fields]
    assert near
    assert all(one.data[2:4] == b"\x00\x14" for one in near)


def test_what_an_lht52_kept_is_older_than_now() -> None:
    kept = [meant.time for one in said(Lht52(), 30) if one.port == 3 for meant in one.readings]
    assert kept
    assert all(time is not None and time < NOON for time in kept)


def test_a_tcr_tells_its_settings_first_and_then_counts() -> None:
    first, second = said(Tcr(), 2)
    assert (first.port, len(first.data), second.port, len(second.data)) == (190, 27, 15, 33)


def test_the_forms_of_a_pcr2_are_told_apart_by_their_first_byte() -> None:
    assert {(one.data[0], len(one.data)) for one in said(Pcr2(), 50)} == {(0xBE, 17), (0x0A, 9)}
