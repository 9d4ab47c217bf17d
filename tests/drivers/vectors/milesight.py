"""What Milesight's codecs read, in the names of the external vectors."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from drivers.codecs import milesight_udl
from gateway.contract import Measurement
from tests.drivers.vectors.common import Reader, Vector
from tests.drivers.vectors.lorawan import by_codec, events_of


def _counters(said: Iterable[Measurement]) -> dict[str, object]:
    names: dict[str, object] = {}
    for one in said:
        line, region, way = (one.tags.get(tag) for tag in ("line", "region", "direction"))
        for field, word in (("total_count", "total"), ("intensity", "period")):
            if field in one.fields:
                names[f"{word}_{way}"] = one.fields[field]
                names[f"line_{line}_{word}_{way}"] = one.fields[field]
                names["people_" + (f"total_{way}" if word == "total" else str(way))] = one.fields[field]
                names[f"{'total' if word == 'total' else 'periodic'}_counter_{way}"] = one.fields[field]
                names |= dict.fromkeys((str(way), f"flow_{way}", f"{way}_count"), one.fields[field])
        stays = {"people_count": "count", "average_dwell_time": "avg_dwell", "max_dwell_time": "max_dwell"}
        for field, word in stays.items():
            if region and field in one.fields:
                words = (word, "_".join(reversed(word.split("_"))))
                ends = [f"region_{region}_{name}{unit}" for name in words for unit in ("", "_s")]
                names |= dict.fromkeys(ends, one.fields[field])
                names["dwell_region"] = names["dwell_id"] = int(region)
    return names


def _then(_: Vector, __: bytes, said: list[Measurement]) -> dict[str, object]:
    return {**_counters(said), "pir": any(one.fields.get("motion") for one in said)}


def _milesight(vector: Vector, data: bytes, said: list[Measurement]) -> dict[str, object]:
    now = [one for one in said if one.time is None]
    names, events = _counters(now), events_of(now)
    for what in ("total", "count", "temperature", "distance"):
        alarm = next((code for code, word in ALARMS.items() if f"{what} {word}" in events), 0)
        word = "period" if what == "count" else what
        names |= dict.fromkeys((f"{word}_alarm", f"{word}_count_alarm"), Alarm(alarm))
    tilted = next((one.fields["tilted"] for one in now if "tilted" in one.fields), None)
    names |= {"position": "tilt" if tilted else "normal", "tilt": tilted}
    seats = [one.fields["occupied"] for one in now if "occupied" in one.fields and not one.tags]
    names["occupancy"] = "occupied" if any(seats) else "vacant"
    names["pir"] = any(one.fields.get("motion") for one in now)
    bays = {
        int(one.tags["region"]): bool(one.fields["occupied"]) for one in now if "occupied" in one.fields and one.tags
    }
    taken = [region for region, occupied in bays.items() if occupied]
    names |= {"region_count": len(bays), "regions_occupied": taken, "regions": [int(one) for one in bays.values()]}
    names["region_mask"] = sum(1 << region - 1 for region in taken)
    names |= {f"region_{region}": occupied for region, occupied in bays.items()}
    people = next((one.fields["people_count"] for one in now if "people_count" in one.fields and not one.tags), None)
    names |= {"people_count": people, "people_count_all": people}
    if vector["kind"] == "nbiot":
        header = milesight_udl.cellular(data)
        assert header is not None
        names |= {"data_length": len(header[1]), "csq": (float(str(header[0]["rssi"])) + 113) / 2}
        names |= {"imei": data[33:48].decode(), "imsi": data[48:63].decode(), "iccid": data[63:83].decode()}
    return names


ALARMS = {1: "alarm", 2: "jump"}


@dataclass(frozen=True, eq=False)
class Alarm:
    """Whether a bound was passed, equal to each of the vendor's codes for it: 1 and 3 yes, 0 and 4 over, 2 a jump."""

    code: int

    def __eq__(self, other: object) -> bool:
        """Compare what the codes mean."""
        if isinstance(other, str):
            return bool(self.code) == ("alarm" in other and "release" not in other)
        return isinstance(other, int) and self.code == {3: 1, 4: 0}.get(other, other)

    def __hash__(self) -> int:
        """Return the same for all of them."""
        return 0


_MILESIGHT = {
    **dict.fromkeys(("am102", "am103", "am104", "am107"), "am"),
    **dict.fromkeys(("em310-udl", "em400-mud", "em400-tld", "em400-udl", "em500-udl"), "udl"),
    **dict.fromkeys(("em400-mud-nbiot", "em400-tld-nbiot", "em400-udl-nbiot"), "udl"),
    "em500-co2": "em500_co2",
    "vs121": "vs121",
    **dict.fromkeys(("vs132", "vs133", "vs135"), "vs13x"),
    **dict.fromkeys(("vs330", "vs340", "vs341", "vs370"), "vs340"),
    **dict.fromkeys(("vs350", "vs351"), "vs350"),
}
_AM_MODELS = {
    **{name: name for name in ("am307", "am308")},
    **dict.fromkeys(("am319", "am319-o3"), "am319_o3"),
    "am319-hcho": "am319_hcho",
}

_LEFT_OUT_MILESIGHT = frozenset(
    (
        *("protocol_version", "ipso_version", "tsl_version", "lorawan_class", "device_status", "reset_event"),
        *(f"{light}{end}" for end in ("", "_lux", "_raw") for light in ("infrared", "ir", "visible_infrared")),
        *(
            f"{light}{end}"
            for end in ("", "_lux", "_raw")
            for light in ("infrared_and_visible", "visible_and_infrared")
        ),
        *("buzzer", "buzzer_status"),
        *(
            "temperature_change_C",
            "temperature_mutation_C",
            "temperature_delta_C",
            "calibration",
            "calibration_status",
        ),
        *("distance_change_mm", "distance_mutation_mm", "distance_delta_mm", "timestamp", "learning", "light"),
        *("latitude", "longitude", "motion_status", "geofence_status"),
        *("frame_count", "frame_cnt", "flag", "id", "length", "start_flag"),
    )
)
"""What the devices say of their settings and interfaces, and changes of what is given itself."""

READ = partial(by_codec, more=_milesight, then=_then)

DEVICES: Mapping[str, Reader] = {
    **{f"milesight-{name}": partial(READ, f"milesight_{codec}") for name, codec in _MILESIGHT.items()},
    **{f"milesight-{name}": partial(READ, "milesight_am", model=model) for name, model in _AM_MODELS.items()},
}

LEFT_OUT = dict.fromkeys(DEVICES, _LEFT_OUT_MILESIGHT)
