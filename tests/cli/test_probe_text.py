"""``prehod probe`` where a device prints text: its form is said and a block printed, and no device is seen in it."""

import asyncio
import json
import os
import threading
import tomllib
import tty
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

import drivers
from firmware_sim.bench.tcp_line import SerialServer
from firmware_sim.devices.modbus import LD120
from firmware_sim.devices.sds011 import Sds011
from firmware_sim.truth.ledger import Truth
from gateway.cli import probe
from gateway.cli.main import main
from gateway.cli.probing.evidence import Candidate, Setting, ranked, variants
from gateway.cli.probing.search import Patience, Probe, Report
from gateway.cli.probing.text_lines import begins, recognise
from gateway.config.load import check
from gateway.daemon.catalogue import CATALOGUE

Printed = pytest.CaptureFixture[str]

GATEWAY = '[gateway]\nid = "koper-01"\ncity = "Koper"\n\n'


def lines(pattern: str, count: int = 12) -> bytes:
    """Return lines in which ``{0}`` and ``{1}`` are numbers that change, after the end of one that began before."""
    told = [pattern.replace("{0}", f"{20 + at / 4:.2f}").replace("{1}", f"{55 + at}") for at in range(count)]
    return ("alf a line\r\n" + "".join(f"{line}\r\n" for line in told) + told[0][:2]).encode()


FORMS = [
    ("{0},{1}", "columns", "text", {"columns": ["temperature", ""]}),
    ("{0}, {1}.5", "columns", "text", {"columns": ["temperature", ""]}),
    ("node7;{0};{1};ok", "columns", "text", {"columns": ["", "temperature", "", ""], "separator": ";"}),
    ("{1},5;{1},2", "columns", "text", {"separator": ";", "decimal": ","}),
    ("T={1},5 H={1}", "a sentence with numbers", "text", {"pattern": "T={temperature} H={}", "decimal": ","}),
    ("{0}C / {1}%", "a sentence with numbers", "text", {"pattern": "{temperature}C / {}%"}),
    ("{1}\t{0}", "columns", "text", {"columns": ["temperature", ""], "separator": "\t"}),
    ("{1} {0}", "columns", "text", {"columns": ["temperature", ""], "separator": " "}),
    (
        "T={0} H={1}",
        "names with values",
        "text",
        {"pairs": True, "fields": {"temperature": "T", "relative_humidity": {"path": "H", "scale": 0.01}}},
    ),
    ("co2:{1};tempC:{0}", "names with values", "text", {"fields": {"co2": "co2", "temperature": "tempC"}}),
    ("foo={0}&bar={1}", "names with values", "text", {"fields": {"temperature": "foo"}}),
    (
        '{"env":{"temp":{0}},"PM2.5":{1},"ok":true}',
        "JSON",
        "json",
        {"fields": {"temperature": "env.temp", "pm25": "PM2\\.5"}},
    ),
    ('{"dist":"{1}"}', "JSON", "json", {"kind": "parking", "fields": {"distance": "dist"}}),
    (
        "livingroom,sensor=sensor1 temperature={0}",
        "InfluxDB line protocol",
        "line_protocol",
        {"fields": {"temperature": "temperature"}},
    ),
    ("air co2={1}i,t={0} 1700000000000000000", "InfluxDB line protocol", "line_protocol", {}),
    ("{0}", "one number a line", "value", {"fields": {"temperature": ""}}),
    ("{1}", "one number a line", "value", {}),
    ("Temperature: {0} C, humidity: {1} %", "a sentence with numbers", "text", {}),
    ("Distance: {1} cm", "a sentence with numbers", "text", {"pattern": "Distance: {temperature} cm"}),
]


@pytest.mark.parametrize(("pattern", "form", "driver", "options"), FORMS)
def test_text_is_recognised_by_its_form(pattern: str, form: str, driver: str, options: dict[str, object]) -> None:
    text = recognise(lines(pattern))
    assert text is not None
    assert (text.form, text.driver) == (form, driver)
    assert {name: text.options[name] for name in options} == options


@pytest.mark.parametrize("pattern", [pattern for pattern, *_ in FORMS])
def test_no_driver_takes_text_of_others_for_its_device(pattern: str) -> None:
    heard = lines(pattern)
    found = [
        Candidate(driver, options=options) for driver in probe.serial_drivers() for options in ({}, *variants(driver))
    ]
    for one in found:
        one.feed(heard, 0)
        one.feed(b"", 10**12)
        one.close()
    assert [one.name for one in ranked(found)] == []


@pytest.mark.parametrize("pattern", [pattern for pattern, *_ in FORMS])
def test_the_block_passes_the_check(pattern: str) -> None:
    text = recognise(lines(pattern))
    assert text is not None
    block = probe.block("/dev/ttyACM0", Report(text=text, setting=Setting(115200)))
    loaded = check(tomllib.loads(GATEWAY + block), CATALOGUE)
    (source,) = loaded.sources.values()
    assert (source.driver, source.port, source.baudrate) == (text.driver, "/dev/ttyACM0", 115200)  # type: ignore[union-attr] # a serial one


@pytest.mark.parametrize(
    "heard",
    [
        b"",
        b"21.50,55.30\r\n21.60,55.10\r\n",  # too few whole lines
        b"OK\r\n" * 12,
        b"--------\r\n" * 12,
        bytes(range(256)) * 8,
        b"\xff\xfe\r\n" * 20,
        b"21.5\0\r\n" * 20,
    ],
)
def test_what_is_no_text_or_says_nothing_is_not_taken_for_text(heard: bytes) -> None:
    assert recognise(heard) is None


def test_headings_and_remarks_between_lines_are_passed_over() -> None:
    heard = b"x\r\nDHT22 test\r\n# warm\r\n" + b"".join(b"21.%d,55\r\n" % at for at in range(9)) + b"2"
    text = recognise(heard)
    assert text is not None
    assert text.example == "21.8,55"


def test_text_that_has_begun_is_listened_to_for_longer_and_noise_is_not() -> None:
    assert begins(b"21.50,55.30\r\n21.6")
    assert not begins(lines("{0},{1}")), "its form is known"
    assert not begins(b"\x80\x1c\xe0" * 20)
    assert not begins(b"")


@given(st.binary(max_size=400))
def test_any_bytes_are_looked_at_without_harm(heard: bytes) -> None:
    recognise(heard)
    begins(heard)


# --- over real ports


@contextmanager
def arduino(say: bytes) -> Iterator[str]:
    """Yield the path of a port on which a board prints."""
    master, slave = os.openpty()
    tty.setraw(slave)
    port = os.ttyname(slave)
    os.close(slave)
    os.set_blocking(master, False)
    ended = threading.Event()

    def talk() -> None:
        while not ended.wait(0.002):
            with suppress(OSError):  # it is full, or has no reader
                os.write(master, say)

    talker = threading.Thread(target=talk)
    talker.start()
    try:
        yield port
    finally:
        ended.set()
        talker.join()
        os.close(master)


@pytest.fixture
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(probe, "Patience", lambda *_: Patience(0.5, 0.01, 0.01))


@pytest.mark.usefixtures("_quick")
def test_an_arduino_is_no_radar_and_its_block_is_printed(capsys: Printed) -> None:
    with arduino(b"21.50,55.30\r\n") as port:
        assert main(["probe", port]) == 0
        out = capsys.readouterr().out
        assert "text: columns" in out
        assert "ops243" not in out.partition("text: ")[2]
        assert "of no device that has a driver of its own" in out
        assert 'driver = "text"' in out
        assert "# 21.50,55.30" in out
        assert main(["probe", port, "--json"]) == 0
        said = json.loads(capsys.readouterr().out)
        assert (said["found"], said["driver"]) == (False, None)
        assert said["text"] == {"form": "columns", "example": "21.50,55.30", "driver": "text"}
        assert said["configuration"].startswith("[sources.lines]")


async def _probed(url: str, *names: str) -> Report:
    able = [drivers.load(name) for name in names] if names else probe.serial_drivers()
    probing = Probe(url, able, Patience(0.5, 0.3, 0.01), lambda *_: None, named=False)
    return await asyncio.wait_for(probing.run([]), 60)


async def test_a_device_behind_a_serial_server_is_found_as_the_server_is_set_up() -> None:
    async with SerialServer(Sds011("x", Truth(), "seed"), rate=20) as server:
        url = f"socket://127.0.0.1:{server.port}"
        report = await _probed(url)
        assert report.found is not None
        assert report.found.driver.name == "sds011"
        assert str(report.setting) == "as set up"
        (source,) = check(tomllib.loads(GATEWAY + probe.block(url, report)), CATALOGUE).sources.values()
        assert source.port == url  # type: ignore[union-attr] # a serial one


async def test_a_unit_behind_modbus_tcp_is_found_by_its_refusal() -> None:
    async with SerialServer(LD120("x", Truth(), "seed", address=2), "modbus") as server:
        url = f"modbus://127.0.0.1:{server.port}"
        report = await _probed(url)
        assert report.found is not None
        assert (report.found.driver.name, report.found.address) == ("modbus", 2)
        (source,) = check(tomllib.loads(GATEWAY + probe.block(url, report)), CATALOGUE).sources.values()
        assert source.port == url  # type: ignore[union-attr] # the same


def test_a_port_that_is_written_otherwise_is_told_in_words(capsys: Printed) -> None:
    with pytest.raises(SystemExit):
        main(["probe", "tcp://10.0.0.5:4001"])
    assert "write socket://10.0.0.5:4001" in capsys.readouterr().err
