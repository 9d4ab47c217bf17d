"""``prehod decode --config``: what the gateway itself would store, with the file's source, options and sensors."""

import gzip
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.main import main

CONFIGURATION = """
[gateway]
id = "koper-01"
city = "Koper"

[sources.stations]
type = "mqtt"
url = "mqtt://127.0.0.1"
driver = "json"
topics = ["ref/+"]
tags = { net = "a" }
options = { kind = "air_quality", sensor = "topic:1", fields = { temperature = "t" } }

[sources.spots]
type = "mqtt"
url = "mqtt://127.0.0.1"
driver = "json"
topics = ["spots/+"]
unknown_sensors = "hold"
options = { kind = "parking", sensor = "topic:1", fields = { occupied = "o" } }

[sources.tito]
type = "serial"
port = "/dev/ttyUSB0"
driver = "sds011"
sensor = "aq-tito"
options = { warm_up = "0s" }

[fields.rain]
type = "float"
unit = "mm"
range = [0, 500]
kinds = ["weather"]

[sources.packed]
type = "mqtt"
url = "mqtt://127.0.0.1"
driver = "json"
topics = ["weather/+"]
compression = "auto"
options = { kind = "weather", sensor = "topic:1", fields = { rain = "r" } }

[sources.arduino]
type = "serial"
port = "/dev/ttyACM0"
driver = "text"
sensor = "rain-1"
options = { kind = "weather", columns = ["rain"] }

[sources.ranger]
type = "serial"
port = "/dev/ttyUSB1"
driver = "maxbotix"
sensor = "bay-1"
options = { interval = "0s" }

[sensors.a]
id = "station-a"
"""
Printed = pytest.CaptureFixture[str]


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "prehod.toml"
    path.write_text(CONFIGURATION, encoding="utf-8")
    return str(path)


def told(capsys: Printed, *arguments: str) -> dict[str, Any]:
    main(["decode", "--json", *arguments])
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_a_message_is_stored_as_the_gateway_would_with_its_tags_and_names(file: str, capsys: Printed) -> None:
    found = told(capsys, "json", '{"t":21.5}', "--topic", "ref/a", "--config", file)
    assert (found["source"], found["refused"], found["notes"]) == ("stations", [], [])
    (line,) = found["stored"]
    assert line.startswith(
        "air_quality,city=Koper,gateway=koper-01,net=a,sensor=station-a temperature=21.5,quality=0i "
    )


def test_what_comes_in_by_a_pipe_is_the_message_as_it_is(
    file: str, capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"2155")))
    found = told(capsys, "json", "-", "--topic", "ref/a", "--config", file)
    assert found["stored"] == []
    detail = 'temperature: nothing at t; this looks like a bare value: driver = "value"'
    assert found["refused"] == [{"reason": "unsupported", "detail": detail}]


def test_the_topic_tells_which_source_is_meant_and_a_stranger_is_parked(file: str, capsys: Printed) -> None:
    found = told(capsys, "json", '{"o":true}', "--topic", "spots/7", "--config", file)
    assert found["source"] == "spots"
    (parked,) = found["parked"]
    assert parked["reason"] == "unknown sensor 7"


def test_a_frame_of_a_serial_line_is_stored_under_its_sensor(file: str, capsys: Printed) -> None:
    found = told(capsys, "AA C0 D4 04 3A 0A A1 60 1D AB", "--source", "tito", "--config", file)
    (line,) = found["stored"]
    assert "sensor=aq-tito pm10=261.8,pm25=123.6" in line
    found = told(capsys, "AA C0 D4 04 3A 0A A1 60 1E AB", "--source", "tito", "--config", file)
    assert found["stored"] == []
    assert found["refused"][0]["reason"] == "checksum"


@pytest.mark.parametrize("packed", [True, False])
def test_a_field_of_ones_own_is_stored_of_a_message_that_is_packed_or_not(
    file: str, tmp_path: Path, capsys: Printed, packed: bool
) -> None:
    message = tmp_path / "message"
    message.write_bytes(gzip.compress(b'{"r":2.5}') if packed else b'{"r":2.5}')
    found = told(capsys, str(message), "--topic", "weather/a", "--source", "packed", "--config", file)
    (line,) = found["stored"]
    assert line.startswith("weather,city=Koper,gateway=koper-01,sensor=station-a rain=2.5,quality=0i ")


@pytest.mark.parametrize("given", [("--text", "2.5"), ("32 2e 35",), ("32 2e 35 0d 0a",)])
def test_a_line_of_text_is_whole_and_ends_where_it_is_typed(
    file: str, capsys: Printed, given: tuple[str, ...]
) -> None:
    found = told(capsys, *given, "--source", "arduino", "--config", file)
    (line,) = found["stored"]
    assert "sensor=rain-1 rain=2.5" in line


def test_a_line_of_a_device_that_prints_may_be_typed(file: str, capsys: Printed) -> None:
    found = told(capsys, "--text", "R1234", "--source", "ranger", "--config", file)
    (line,) = found["stored"]
    assert "sensor=bay-1 distance=1234" in line
    assert found["refused"] == []


def test_people_are_told_what_would_never_come_and_what_is_refused(file: str, capsys: Printed) -> None:
    assert main(["decode", '{"x":1}', "--topic", "other/a", "--source", "stations", "--config", file]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "source stations, topic other/a",
        "it would never come: stations asks for ref/+",
        "refused and kept: unsupported: temperature: nothing at t",
        '    {"x":1}',
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["json", "{}"], "3 sources fit; give --source with one of: stations, spots, packed"),
        (
            ["{}", "--source", "station"],
            "no source is called 'station'; there are: stations, spots, tito, packed, arduino, ranger",
        ),
        (["ttn", "{}"], "no source fits 'ttn'"),
        (["json", "{}", "--option", "kind=traffic"], "the options are those of the configuration"),
    ],
)
def test_what_is_not_clear_is_said(file: str, capsys: Printed, arguments: list[str], words: str) -> None:
    assert main(["decode", *arguments, "--config", file]) == 2
    assert words in capsys.readouterr().err


def test_without_a_configuration_a_driver_has_to_be_named(capsys: Printed) -> None:
    assert main(["decode", "{}"]) == 2
    assert "name a driver or a codec" in capsys.readouterr().err
