"""``prehod drivers NAME``: the whole sheet of a driver or codec, and a block to start from that really loads."""

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field, ValidationError

import drivers
from gateway.cli.driver_sheets.options import options, toml
from gateway.cli.driver_sheets.samples import sample
from gateway.cli.driver_sheets.sheet import docstring, reflow
from gateway.cli.main import main
from gateway.config.load import check
from gateway.contract import Codec, Driver, Duration, MqttLink, Options
from gateway.sources.settings import MqttSourceSettings, SerialSourceSettings

Printed = pytest.CaptureFixture[str]

GATEWAY = '[gateway]\nid = "koper-01"\ncity = "Koper"\n\n'
DEVICES: list[Driver | Codec] = [*drivers.load_all(), *drivers.load_all_codecs()]

each = pytest.mark.parametrize("device", DEVICES, ids=lambda device: device.name)


def uncommented(block: str) -> str:
    """Return the block with all that it offers as a comment switched on."""
    return re.sub(r"^# (?=\[|\w+ = )", "", block, flags=re.MULTILINE)


@each
def test_the_sample_of_every_driver_and_codec_loads(device: Driver | Codec) -> None:
    loaded = check(tomllib.loads(GATEWAY + sample(device)), drivers)
    (source,) = loaded.sources.values()
    if isinstance(device, Codec):
        assert [one.codec for one in loaded.sensors.values()] == [device.name]
    elif isinstance(device.link, MqttLink):
        assert isinstance(source, MqttSourceSettings)
        assert source.driver == device.name
    else:
        assert isinstance(source, SerialSourceSettings)
        assert [one.driver for one in source.all_devices()] == [device.name]


@each
def test_what_a_sample_offers_as_a_comment_loads_as_well(device: Driver | Codec) -> None:
    shown = uncommented(sample(device))
    assert all(f"\n{one.name} = " in shown for one in options(device.options) if one.default)
    check(tomllib.loads(GATEWAY + shown), drivers)


@each
def test_every_option_is_described_and_what_has_to_be_set_has_an_example(device: Driver | Codec) -> None:
    for one in options(device.options):
        assert one.about
        assert one.type
        assert one.example or not one.required
        assert not (one.default and one.required)


@each
def test_what_need_not_be_set_has_an_example_only_where_nothing_loads_without_it_or_its_like(
    device: Driver | Codec,
) -> None:
    known, fields = options(device.options), device.options.model_fields
    if [one.name for one in known if one.example and not one.required]:
        with pytest.raises(ValidationError):
            device.options.model_validate({one.name: fields[one.name].examples[0] for one in known if one.required})  # type: ignore[index] # what is required has examples


@each
def test_every_sheet_is_found_and_fits_a_terminal(
    device: Driver | Codec, capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["drivers", device.name]) == 0
    out = capsys.readouterr().out
    assert "…" not in out
    assert docstring(device).splitlines()[0].split()[0] in out
    assert sample(device).rstrip() in out
    tables = out.partition("\nFields\n")[2].partition("\nIn the configuration\n")[0]
    assert all(len(line.rstrip()) <= 80 for line in tables.splitlines())


@pytest.mark.parametrize("columns", [80, 100, 110, 160])
def test_the_list_breaks_no_name_on_any_terminal(
    columns: int, capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    assert main(["drivers"]) == 0
    out = capsys.readouterr().out
    assert all(len(line) <= columns for line in out.splitlines())
    # Measures, and only they, are words with a comma between them.
    words = set(re.split(r"[,\s]+", out))
    few = [one for one in DEVICES if sum(not field.health for field in one.fields) <= 30 and one.kinds]
    assert {field.name for one in few for field in one.fields if not field.health} <= words
    assert {one.name for one in DEVICES} <= words


def test_no_option_is_described_in_the_words_of_python() -> None:
    said = " ".join(one.about for device in DEVICES for one in options(device.options))
    assert "None" not in said


def test_a_sheet_says_how_the_device_is_reached_and_what_may_be_set(capsys: Printed) -> None:
    assert main(["drivers", "senseair_s8"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    for words in (
        "senseair_s8: SenseAir S8",
        "serial, 9600 8N1, several on a line, by address",
        "then asks, which changes nothing",
        "co2 float ppm 250 to 10000",
        "address whole number, 1 to 254; default 254",
        "the period of the automatic baseline correction",
    ):
        assert words in out


def test_an_experimental_driver_says_so_and_a_codec_says_where_it_comes_in(capsys: Printed) -> None:
    assert main(["drivers", "maxbotix"]) == 0
    assert "experimental" in capsys.readouterr().out
    assert main(["drivers", "bosch_tps110"]) == 0
    assert "LoRaWAN" in capsys.readouterr().out


def test_the_technicians_page_shows_a_real_sheet(capsys: Printed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    page = (Path(__file__).parents[2] / "docs" / "technician.md").read_text(encoding="utf-8")
    shown = page.partition("$ prehod drivers mhz19\n")[2].partition("```")[0].splitlines()
    assert main(["drivers", "mhz19"]) == 0
    printed = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    left_out = shown.index("...")
    assert printed[:left_out] == shown[:left_out]
    assert printed[-len(shown) + left_out + 1 :] == shown[left_out + 1 :]


def test_machines_are_told_the_same(capsys: Printed) -> None:
    assert main(["drivers", "nextpm_modbus", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["serial"]["parity"] == "E"
    assert told["sheet"].startswith("TERA NextPM over Modbus RTU")
    assert [one["name"] for one in told["options"]] == ["address", "average"]
    assert told["options"][0]["default"] == "1"
    check(tomllib.loads(GATEWAY + told["sample"]), drivers)


def test_a_name_that_there_is_not_is_wrong_use_and_the_nearest_is_named(capsys: Printed) -> None:
    assert main(["drivers", "sds01"]) == 2
    assert "no driver or codec is called 'sds01'; did you mean 'sds011'?" in capsys.readouterr().err


class Every(Options):
    """One of each type.

    ``text``: said in the class,
    on two lines
    """

    text: str
    period: Annotated[Duration, Field(le=1800)] = 90.0
    """Said below the key."""
    ratio: Annotated[float, Field(gt=0)] | None = None
    count: int = Field(default=3, ge=1, le=9)
    which: Literal["a", 2] = "a"
    some: tuple[str, ...] = ("x", "y")
    deep: dict[str, int] = Field(default_factory=dict)
    given: Mapping[str, int] = Field(default_factory=dict)
    rows: tuple[dict[str, int], ...] = ()
    sure: bool = True


def test_options_are_told_in_words() -> None:
    told = {one.name: one for one in options(Every)}
    assert {name: one.type for name, one in told.items()} == {
        "text": "text",
        "period": "duration, up to 30min",
        "ratio": "number, above 0",
        "count": "whole number, 1 to 9",
        "which": '"a" | 2',
        "some": "list of text",
        "deep": "table",
        "given": "table",
        "rows": "list of tables",
        "sure": "true | false",
    }
    assert [told[name].default for name in ("period", "count", "some", "ratio")] == ['"90s"', "3", '["x", "y"]', ""]
    assert told["text"].about == "said in the class, on two lines"
    assert told["period"].about == "Said below the key."
    assert told["sure"].about == "One of each type."
    assert told["text"].required


@pytest.mark.parametrize("value", ['a "quoted" \\ text', 5, 0.25, 1e9, True, ["x", 1], {"a": {"b c": [1.5]}}, {}])
def test_what_is_written_as_toml_reads_back(value: object) -> None:
    assert tomllib.loads(f"value = {toml(value)}")["value"] == value


def test_paragraphs_are_filled_and_drawings_are_left_alone() -> None:
    text = "One two\nthree::\n\n    AA   BB\n    CC\n\n=====  ====\nx      y"
    assert reflow(text, 20) == "One two three:\n\n    AA   BB\n    CC\n\n=====  ====\nx      y"
