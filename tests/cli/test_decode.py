"""``prehod decode``: bytes in, words out: where in the bytes, what each value is worth, why something is refused."""

import io
import json
import re
import shlex
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

import drivers
from gateway.cli.decode import decode
from gateway.cli.driver_sheets.options import eager
from gateway.cli.main import main
from gateway.contract import Reject, SerialLink

Printed = pytest.CaptureFixture[str]

GOOD = "AA C0 D4 04 3A 0A A1 60 1D AB"
PAGE = Path(__file__).parents[2] / "docs" / "technician.md"
RECORDINGS = Path(__file__).parents[1] / "recordings"


def told(capsys: Printed, *arguments: str) -> list[dict[str, Any]]:
    main(["decode", "--json", *arguments])
    parts: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return parts


@pytest.mark.parametrize(
    "written",
    [
        GOOD,
        GOOD.lower().replace(" ", ""),
        GOOD.replace(" ", ":"),
        " ".join(f"0x{byte}" for byte in GOOD.split()),
        ", ".join(f"0x{byte}" for byte in GOOD.split()),
        GOOD.replace(" ", "-"),
        f"  {GOOD}\n",
    ],
)
def test_bytes_may_be_written_in_many_ways(written: str, capsys: Printed) -> None:
    (said,) = told(capsys, "sds011", written)
    assert [(one["name"], one["value"], one["unit"], one["verdict"]) for one in said["fields"]] == [
        ("pm25", 123.6, "ug/m3", "ok"),
        ("pm10", 261.8, "ug/m3", "ok"),
    ]
    assert said["quality"] == []


def test_each_part_of_a_stream_says_where_it_stands(capsys: Printed) -> None:
    damaged = GOOD.replace("1D", "1E")
    parts = told(capsys, "sds011", f"{GOOD} 01 02 {damaged} {GOOD}")
    assert [(one.get("kind") or one["reject"], one["start"], one["end"]) for one in parts] == [
        ("air_quality", 0, 10),
        ("noise", 10, 12),
        ("checksum", 12, 22),
        ("air_quality", 22, 32),
    ]
    assert parts[2]["detail"] == "sum 1D, frame says 1E"
    assert parts[2]["bytes"] == damaged.replace(" ", "").lower()


def test_people_get_a_table_with_units_verdicts_and_doubts(capsys: Printed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["decode", "sds011", f"{GOOD} 55 AA C0 FF FF 3A 0A A1 60 43 AB"]) == 0
    out = capsys.readouterr().out
    assert [line.split() for line in out.splitlines()] == [
        ["air_quality,", "good;", "bytes", "0", "to", "9"],
        ["pm25", "123.6", "ug/m3", "ok", "(0", "to", "999.9)"],
        ["pm10", "261.8", "ug/m3", "ok", "(0", "to", "999.9)"],
        ["rejected:", "noise,", "belongs", "to", "no", "frame", "of", "this", "device;", "byte", "10"],
        ["1", "byte", "that", "belongs", "to", "no", "frame"],
        ["55"],
        ["air_quality,", "values", "contradict", "each", "other;", "bytes", "11", "to", "20"],
        ["pm25", "6553.5", "ug/m3", "above", "999.9", "(0", "to", "999.9)"],
        ["pm10", "261.8", "ug/m3", "ok", "(0", "to", "999.9)"],
    ]
    assert max(map(len, out.splitlines())) <= 80
    assert out.count("\n  pm") == 4


def test_nothing_but_rejects_is_exit_code_1(capsys: Printed) -> None:
    assert main(["decode", "sds011", GOOD.replace("1D", "1E")]) == 1
    assert "rejected: checksum, a damaged frame; bytes 0 to 9" in capsys.readouterr().out


def test_a_frame_that_is_not_whole_is_told_apart_from_silence(capsys: Printed) -> None:
    assert main(["decode", "sds011", "AA C0 D4 04"]) == 1
    assert "rejected: noise" in capsys.readouterr().out
    assert main(["decode", "pms5003", "42 4D 00 04 E1 01 01 75"]) == 1
    assert "8 bytes, and pms5003 makes nothing of them" in capsys.readouterr().out


def test_a_line_of_text_gets_its_end(capsys: Printed) -> None:
    (said,) = told(capsys, "maxbotix", "--text", "R1234")
    assert said["fields"][0]["value"] == 1234.0
    sentence = "$GPGGA,092750.000,5321.6802,N,00630.3372,W,1,8,1.03,61.7,M,55.2,M,,*76"
    (said,) = told(capsys, "nmea0183", sentence)
    assert said["kind"] == "position"


def test_every_frame_is_a_reading_though_the_gateway_would_thin_them(capsys: Printed) -> None:
    assert len(told(capsys, "a02yyuw", "FF 07 A1 A7 FF 07 A1 A7")) == 2
    assert len(told(capsys, "a02yyuw", "FF 07 A1 A7 FF 07 A1 A7", "--option", 'interval="1h"')) == 1


def test_options_are_given_as_in_the_configuration(capsys: Printed) -> None:
    assert told(capsys, "jsn_sr04t", "FF 00 DE DE")[0]["reject"] == "checksum"
    (said,) = told(capsys, "jsn_sr04t", "FF 00 DE DE", "--option", "checksum=without_header")
    assert said["fields"][0]["value"] == 222.0
    (said,) = told(capsys, "jsn_sr04t", "FF 13 88 9A", "--option", "threshold_mm=6000", "--option", 'debounce="0s"')
    assert {one["name"]: one["value"] for one in said["fields"]} == {"distance": 5000.0, "occupied": True}


def test_a_payload_needs_its_port(capsys: Printed) -> None:
    (said,) = told(capsys, "dragino_ldds75", "0D3B 0AEF 00 0000 01", "--port", "2")
    assert {"name": "distance", "value": 2799.0, "unit": "mm", "verdict": "ok"} in said["fields"]
    assert (said["start"], said["end"]) == (0, 8)


def test_a_payload_may_come_as_the_object_of_the_network_server(capsys: Printed) -> None:
    (said,) = told(capsys, "bosch_tps110", '{"type": "heartbeat", "occupied": true}')
    assert said["kind"] == "parking"
    assert said["fields"][0] == {"name": "occupied", "value": True, "unit": "", "verdict": "ok"}


def test_a_message_comes_from_a_file_or_from_a_pipe(
    capsys: Printed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = {"deviceInfo": {"devEui": "0101010101010101"}, "deduplicationId": "a", "fPort": 1, "data": "qg=="}
    path = tmp_path / "up.json"
    path.write_text(json.dumps({**message, "time": "2022-07-18T09:34:15Z"}), encoding="utf-8")
    topic = ["--topic", "application/1/device/0101010101010101/event/up"]
    from_file = told(capsys, "chirpstack", str(path), *topic)
    assert [(one["uplink"], one["port"], one["payload"]) for one in from_file] == [("0101010101010101", 1, "aa")]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(path.read_bytes())))
    assert told(capsys, "chirpstack", "-", *topic) == from_file
    assert main(["decode", "chirpstack", str(path), *topic]) == 0
    assert "uplink of 0101010101010101, port 1" in capsys.readouterr().out


def test_a_message_of_ones_own_is_described_by_options(capsys: Printed) -> None:
    (said,) = told(capsys, "json", '{"dust": 12}', "--option", 'fields={ pm25 = "dust" }')
    assert said["fields"] == [{"name": "pm25", "value": 12.0, "unit": "ug/m3", "verdict": "ok"}]


def test_a_file_may_hold_raw_bytes_or_hexadecimal(capsys: Printed, tmp_path: Path) -> None:
    raw, written = tmp_path / "raw.bin", tmp_path / "dump.txt"
    raw.write_bytes(bytes.fromhex(GOOD))
    written.write_text(f"{GOOD}\n{GOOD}\n", encoding="utf-8")
    assert len(told(capsys, "sds011", str(raw))) == 1
    assert len(told(capsys, "sds011", str(written))) == 2


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["sds01", "AA"], "no driver or codec is called 'sds01'; did you mean 'sds011'?"),
        (["sds011", "AA C"], "'AA C': a byte is two hexadecimal digits, and one of them is missing"),
        (["sds011", "R1234"], "'R1234' is neither hexadecimal nor a file; a line of text needs --text"),
        (["sds011", ""], "no bytes to decode"),
        (["sds011", "/nowhere.hex"], "neither hexadecimal nor a file"),
        (["sds011", "AA", "--option", "warm_up"], "--option warm_up: write it as NAME=VALUE"),
        (["sds011", "AA", "--option", "warmup=1"], "no key is called 'warmup'; did you mean 'warm_up'?"),
        (["sds011", "AA", "--option", "warm_up=1"], "write a duration as a number and a unit"),
    ],
)
def test_wrong_use_says_what_is_wrong(arguments: list[str], says: str, capsys: Printed) -> None:
    assert main(["decode", *arguments]) == 2
    assert says in capsys.readouterr().err


def test_an_empty_file_and_a_directory_are_wrong_use(capsys: Printed, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.touch()
    assert main(["decode", "sds011", str(empty)]) == 2
    assert "no bytes" in capsys.readouterr().err
    assert main(["decode", "sds011", str(tmp_path)]) == 2
    assert "Is a directory" in capsys.readouterr().err


def test_the_technicians_page_shows_what_is_really_printed(capsys: Printed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    shown = re.findall(r"```\n\$ prehod (decode [^\n]+)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert shown
    for command, printed in shown:
        main(shlex.split(command))
        assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == printed.splitlines()
    for command in re.findall(r"\| `prehod (decode [^`$]+)` \|", PAGE.read_text(encoding="utf-8")):
        assert main(shlex.split(command)) == 0, command


def _streams() -> list[Path]:
    return [
        path
        for path in sorted(RECORDINGS.glob("*/*.toml"))
        if path.parent.name in drivers.names() and isinstance(drivers.load(path.parent.name).link, SerialLink)
    ]


@pytest.mark.parametrize("path", _streams(), ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_what_is_said_of_a_recorded_stream_lies_within_it_and_in_order(path: Path) -> None:
    recording = tomllib.loads(path.read_text(encoding="utf-8"))
    device = drivers.load(path.parent.name)
    data = b"".join(bytes.fromhex(one["hex"]) if "hex" in one else one["text"].encode() for one in recording["feed"])
    parts = list(decode(device, eager(device.options, recording.get("options", {})), data, topic=None, port=1))
    assert all(0 <= one.start <= one.end <= len(data) for one in parts)
    assert [one.end for one in parts] == sorted(one.end for one in parts)
    for one in parts:
        if isinstance(one.said, Reject) and 0 < len(one.said.raw) == one.end - one.start:
            assert data[one.start : one.end] == one.said.raw
