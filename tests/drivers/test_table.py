"""How drivers and codecs are found by name."""

import subprocess
import sys
from pathlib import Path

import pytest

import drivers

PLUGIN = """
from gateway.contract import Codec, Driver, MqttLink

DRIVER = Driver("city_clock", "City clock", MqttLink(("clock/#",)), (), 100, lambda options: None)
CODEC = Codec("city_payload", "City payload", (), lambda port, payload, options: [])
WRONG = "no driver at all"
"""

ENTRY_POINTS = """
[prehod.drivers]
city_clock = city_plugin:DRIVER
whole_module = city_plugin
wrong_clock = city_plugin:WRONG
sds011 = city_plugin:DRIVER

[prehod.codecs]
city_payload = city_plugin:CODEC
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "city_plugin.py").write_text(PLUGIN, encoding="utf-8")
    metadata = tmp_path / "city_plugin-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: city-plugin\nVersion: 1.0\n", encoding="utf-8")
    (metadata / "entry_points.txt").write_text(ENTRY_POINTS, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "city_plugin", raising=False)


def test_a_module_in_the_folder_is_a_driver_under_its_file_name() -> None:
    assert {"sds011", "ops243", "chirpstack", "json"} <= set(drivers.names())
    assert drivers.load("sds011").name == "sds011"


def test_shared_parts_and_the_codecs_are_no_drivers() -> None:
    assert not [name for name in drivers.names() if name.startswith("_") or name == "codecs"]
    assert "bosch_tps110" not in drivers.names()
    assert "bosch_tps110" in drivers.codec_names()


def test_an_unknown_driver_names_the_nearest() -> None:
    with pytest.raises(drivers.UnknownName, match="no driver is called 'sds01'; did you mean 'sds011'"):
        drivers.load("sds01")


def test_an_unknown_codec_names_the_nearest() -> None:
    with pytest.raises(LookupError, match="no codec is called 'bosch_tps'; did you mean 'bosch_tps110'"):
        drivers.load_codec("bosch_tps")


@pytest.mark.parametrize("name", ["", "common", "common.framing", "../json", "codecs", "codecs.bosch_tps110", "os"])
def test_what_is_no_driver_cannot_be_loaded_as_one(name: str) -> None:
    with pytest.raises(drivers.UnknownName):
        drivers.load(name)


def test_listing_and_loading_import_nothing_else() -> None:
    program = (
        "import sys, drivers; drivers.names(); drivers.codec_names(); drivers.load('ops243');"
        "print(*sorted(name for name in sys.modules if name.startswith('drivers.')))"
    )
    printed = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    assert printed.split() == [
        "drivers.codecs",
        "drivers.common",
        "drivers.common.framing",
        "drivers.common.passages",
        "drivers.ops243",
    ]


@pytest.mark.usefixtures("plugin")
def test_another_package_adds_a_driver_and_a_codec() -> None:
    assert "city_clock" in drivers.names()
    assert drivers.load("city_clock").title == "City clock"
    assert drivers.load_codec("city_payload").title == "City payload"


@pytest.mark.usefixtures("plugin")
def test_an_entry_point_may_name_the_whole_module() -> None:
    assert drivers.load("whole_module").name == "city_clock"


@pytest.mark.usefixtures("plugin")
def test_our_own_driver_wins_over_another_of_its_name() -> None:
    assert drivers.load("sds011").title == "Nova Fitness SDS011"
    assert drivers.names().count("sds011") == 1


@pytest.mark.usefixtures("plugin")
def test_an_entry_point_that_is_no_driver_is_told_so() -> None:
    with pytest.raises(TypeError, match=r"'wrong_clock'.*no Driver"):
        drivers.load("wrong_clock")


@pytest.mark.usefixtures("plugin")
def test_listing_does_not_import_another_package() -> None:
    drivers.names()
    assert "city_plugin" not in sys.modules
