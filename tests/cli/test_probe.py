"""``prehod probe`` against every simulated device over a pseudo terminal, and against ports where nothing good is."""

import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import tomllib
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import drivers
from firmware_sim.bench.pty_line import SerialLine
from firmware_sim.patience import patience
from firmware_sim.registry import twins
from firmware_sim.truth.ledger import Truth
from gateway.cli import probe
from gateway.cli.main import main
from gateway.cli.probing import search as probing
from gateway.cli.probing.evidence import Candidate, Setting, addresses, ranked, replay, settings
from gateway.cli.probing.search import Patience, Probe, Report
from gateway.config.load import check
from gateway.contract import SerialLink
from gateway.errors import LinkRefused
from gateway.links.line_settings import SerialSettings
from gateway.links.ports import Plugged, UsbPort
from gateway.links.serial import Line
from tests.support.until import until

Printed = pytest.CaptureFixture[str]
Make = Callable[[Truth], Any]

GATEWAY = '[gateway]\nid = "koper-01"\ncity = "Koper"\n\n'
RECORDINGS = Path(__file__).parents[1] / "recordings"
PATIENT = Patience(listen=0.5, answer=0.4, gap=0.01)
SHORT = Patience(listen=0.05, answer=0.2, gap=0.01)
"""For a device that does not talk by itself."""
RATE = 20.0
"""A twin's seconds in one of ours: what reports every 2.3 s does so eight times a second."""

UNNAMED = {
    *("a02yyuw", "hpma115", "jsn_sr04t", "maxbotix", "mhz19", "modbus", "nextpm", "nextpm_modbus", "nmea0183"),
    *("ops243", "pms3003", "pms5003", "pms5003st", "pms5003t", "sds011", "sds198", "senseair_k30", "senseair_s8"),
    *("sm300d2", "sps30", "tfmini", "winsen_ze"),
}
"""Found without being named. Every other device has to be found at least when it is named."""

ALIKE = {"winsen_zh": "pms3003"}
"""As delivered, a ZH03B sends the very frames of a PMS3003: nobody can tell before it is told to be asked."""


TWINS: dict[str, Make] = {
    name: lambda truth, make=one.make: make("x", truth, "seed")  # type: ignore[misc] # bound here
    for name, one in twins().items()
    if isinstance(drivers.load(name).link, SerialLink)
}
"""What makes the twin of each serial driver."""


def _line(settings: SerialSettings) -> Line:
    """Return a line without parity: a pseudo terminal knows none, and refuses it."""
    return Line(replace(settings, parity="N"))


async def _probe(port: Path, *named: str, patience: Patience = PATIENT, among: tuple[str, ...] = ()) -> Report:
    every = probe.serial_drivers()
    wanted = [one for one in every if one.name in (named or among or drivers.names())]
    probing_ = Probe(str(port), wanted, patience, lambda *_: None, named=bool(named), make_line=_line)
    return await probing_.run(settings(every))


@pytest.fixture(scope="module")
def reports() -> dict[str, list[Report]]:
    """Probe every twin, all at the same time, for they wait more than they work; the shy ones once more, named."""

    async def probed(name: str, named: tuple[str, ...], folder: Path) -> Report:
        path = folder / "-".join((name, *named))
        async with SerialLine(TWINS[name](Truth()), path, rate=RATE):
            return await _probe(path, *named)

    async def every(folder: Path) -> dict[str, list[Report]]:
        shy = [name for name in TWINS if name not in UNNAMED]
        found = await asyncio.gather(
            *(probed(name, (), folder) for name in TWINS), *(probed(name, (name,), folder) for name in shy)
        )
        return {name: [one for at, one in zip([*TWINS, *shy], found, strict=True) if at == name] for name in TWINS}

    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(every(Path(folder)))


def _name(report: Report) -> str | None:
    return report.found.driver.name if report.found else None


@pytest.mark.parametrize("name", TWINS)
def test_every_simulated_device_is_recognised_as_what_it_is(name: str, reports: dict[str, list[Report]]) -> None:
    first, *rest = map(_name, reports[name])
    assert first == ALIKE.get(name, name) or (first is None and name not in UNNAMED)
    assert all(one == name for one in rest)


@pytest.mark.parametrize("name", sorted(UNNAMED - {"modbus"}))
def test_what_is_found_says_what_it_measures(name: str, reports: dict[str, list[Report]]) -> None:
    found = reports[name][0].found
    assert found is not None
    assert found.readings
    assert found.kind in found.driver.kinds
    assert found.fields.keys() <= {field.name for field in found.driver.fields}
    assert found.complaints.total() <= found.readings


@pytest.mark.parametrize("name", TWINS)
def test_what_is_to_be_pasted_loads(name: str, reports: dict[str, list[Report]]) -> None:
    report = reports[name][-1]
    loaded = check(tomllib.loads(GATEWAY + probe.block("/dev/ttyUSB0", report)), drivers)
    (source,) = loaded.sources.values()
    (device,) = source.all_devices()  # type: ignore[union-attr] # a serial one, or it fails here
    assert device.driver == name
    assert report.found is not None
    assert device.address == report.found.address


def test_a_meter_that_would_be_asked_is_named_beside_the_one_that_talks(
    reports: dict[str, list[Report]],
) -> None:
    """Frames of an A02YYUW are frames of a JSN-SR04T as well; only that nobody asked speaks for the first."""
    assert [one.driver.name for one in reports["a02yyuw"][0].others] == ["jsn_sr04t"]
    assert not reports["jsn_sr04t"][0].others


def test_a_modbus_device_that_nobody_knows_is_found_by_its_refusal(
    reports: dict[str, list[Report]],
) -> None:
    found = reports["modbus"][0].found
    assert found is not None
    assert (found.address, found.readings) == (254, 0)
    assert "refused" in found.why_not


# --- what is sent


class _Ear:
    """A device that says nothing and remembers what it heard; see `firmware_sim.parts.twin.SerialTwin`."""

    def __init__(self) -> None:
        self.heard = bytearray()

    def receive(self, data: bytes, now: float) -> list[Any]:  # noqa: ARG002 -- it has no clock
        self.heard += data
        return []

    def tick(self, now: float) -> list[Any]:  # noqa: ARG002 -- the same
        return []

    def due(self) -> float:
        return float("inf")

    def power_cycle(self, now: float) -> None: ...

    def stop(self) -> None: ...

    def quiet(self) -> bool:
        return True


async def test_a_silent_device_hears_harmless_questions_only(tmp_path: Path) -> None:
    ear = _Ear()
    async with SerialLine(ear, tmp_path / "tty"):
        report = await _probe(tmp_path / "tty", patience=Patience(0.01, 0.06, 0.01))
    assert report.found is None
    silent = len(settings(probe.serial_drivers()))
    assert {step.doing for step in report.steps[:silent]} == {"listening"}, "before anybody is asked"
    assert b"\xff\x01\x86" in ear.heard, "a Winsen module is asked"
    assert b"U?" in ear.heard, "a radar is asked for its units"
    for spared in (b"\xaa\xb4", b"\x42\x4d", b"\xff\x01\x78", b"\x5a", b"OJ"):
        assert spared not in ear.heard, "nothing that sets a mode is sent to a device that was not named"


async def test_a_device_that_is_named_is_woken_as_the_gateway_would(tmp_path: Path) -> None:
    twin = TWINS["sds011"](Truth())
    twin.asleep = True
    async with SerialLine(twin, tmp_path / "tty", rate=RATE):
        assert (await _probe(tmp_path / "tty", patience=SHORT, among=("sds011",))).found is None
        report = await _probe(tmp_path / "tty", "sds011")
    assert _name(report) == "sds011"
    assert not twin.asleep


async def test_an_asked_device_with_another_sum_is_found_and_its_option_written(tmp_path: Path) -> None:
    module = import_module("firmware_sim.devices.jsn_sr04t")
    async with SerialLine(module.JsnSr04t("x", Truth(), "seed", header=False), tmp_path / "tty", rate=RATE):
        report = await _probe(tmp_path / "tty", patience=SHORT, among=("jsn_sr04t", "maxbotix"))
    block = probe.block("/dev/ttyUSB0", report)
    assert "\n[sources.jsn_sr04t.options]\n" in block
    assert '\nchecksum = "without_header"\n' in block
    check(tomllib.loads(GATEWAY + block), drivers)


async def test_a_device_set_to_another_address_is_found_there(tmp_path: Path) -> None:
    module = import_module("firmware_sim.devices.nextpm_modbus")
    async with SerialLine(module.NextPmModbus("x", Truth(), "seed", 3), tmp_path / "tty", rate=RATE):
        report = await _probe(tmp_path / "tty", patience=SHORT, among=("nextpm_modbus", "modbus"))
    assert report.found is not None
    assert (report.found.driver.name, report.found.address) == ("nextpm_modbus", 3)
    assert "address = 3\n" in probe.block("/dev/ttyUSB0", report)


# --- what speaks for whom


def test_random_bytes_are_nobodys() -> None:
    noise = random.Random(11).randbytes(40_000)  # noqa: S311 -- a seed in which a false echo occurs
    listeners = [Candidate(driver) for driver in probe.serial_drivers()]
    for one in listeners:
        for at in range(0, len(noise), 500):
            one.feed(noise[at : at + 500], at * 10**6)
        one.close()
    assert [(one.driver.name, one.readings) for one in ranked(listeners)] == []


def test_no_recorded_stream_is_taken_for_another_device() -> None:
    known = {driver.name for driver in probe.serial_drivers()}
    right = 0
    for path in sorted(RECORDINGS.glob("*/*.toml")):
        if path.parent.name not in known:
            continue
        listeners = [Candidate(driver) for driver in probe.serial_drivers()]
        for feed in tomllib.loads(path.read_text(encoding="utf-8"))["feed"]:
            data = bytes.fromhex(feed["hex"]) if "hex" in feed else feed["text"].encode()
            for one in listeners:
                one.feed(data, int(feed.get("at", 0) * 1e9))
        for one in listeners:
            one.close()
        names = [one.driver.name for one in ranked(listeners)[:1]]
        assert names in ([], [path.parent.name]), path
        right += bool(names)
    assert right > len(known), "most devices are known by what was recorded of them"


@pytest.mark.parametrize(
    ("stream", "wanted"),
    [
        (b"$GPGSV,3,1,11,03,03,111,00,04,15,270,00,06,01,010,00,13,06,292,00*74\r\n" * 5, []),
        (b"Raspbian GNU/Linux 12 koper ttyAMA0\r\n\r\nkoper login: \r\n" * 5, []),
        (b"R1234\rR1235\rR1233\r", ["maxbotix"]),
        (b"HELLO WORLD\r\n" * 20, []),
        (b"booting\r\n045\r\n", []),
        (b"\x00" * 500, []),
        (b"\xff" * 500, []),
    ],
    ids=["sentences without a place", "a login console", "a MaxSonar", "text", "a number", "zeros", "ones"],
)
def test_text_and_rests_of_wires_are_not_taken_for_a_device(stream: bytes, wanted: list[str]) -> None:
    listeners = [Candidate(driver) for driver in probe.serial_drivers()]
    for one in listeners:
        one.feed(stream, 0)
        one.close()
    assert [one.driver.name for one in ranked(listeners)] == wanted


def test_damage_is_counted_and_does_not_hide_the_device() -> None:
    good = bytes.fromhex("AA C0 D4 04 3A 0A A1 60 1D AB")
    found = Candidate(drivers.load("sds011"))
    found.feed(good + b"\x01\x02" + good[:8] + b"\0\xab" + good, 0)
    assert ranked([found]) == [found]
    assert (found.readings, dict(found.complaints)) == (2, {"noise": 1, "checksum": 1})


@pytest.mark.parametrize(
    ("stream", "wanted"),
    [
        (b"R123\rR124\rR123\rR125\r", [("maxbotix", {"unit": "cm"}), ("maxbotix", {"unit": "inch"})]),
        (bytes.fromhex("FF00DEDE") * 4, [("jsn_sr04t", {"checksum": "without_header"})]),
        (b"HELLO WORLD\r\n" * 20, []),
    ],
    ids=["an XL-MaxSonar", "an AJ-SR04M", "text"],
)
def test_another_model_of_a_known_device_is_found_by_its_option(
    stream: bytes, wanted: list[tuple[str, dict[str, str]]]
) -> None:
    found = ranked(replay(probe.serial_drivers(), stream))
    assert [(one.driver.name, one.options) for one in found][: len(wanted) or 1] == wanted


def test_addresses_begin_with_the_one_as_delivered() -> None:
    assert addresses(drivers.load("senseair_s8")) == [254, 1, 2, 3, 4]
    assert addresses(drivers.load("nextpm_modbus")) == [1, 2, 3, 4]
    assert addresses(drivers.load("nextpm")) == [None]
    assert addresses(drivers.load("sds011")) == [None]


def test_the_most_common_setting_is_tried_first() -> None:
    first, *others = settings(probe.serial_drivers())
    assert str(first) == "9600 8N1"
    assert "115200 8E1" in map(str, others)


# --- the command


@pytest.fixture
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(probe, "Patience", lambda *_: Patience(0.01, 0.01, 0.01))


@contextmanager
def _pty(say: Callable[[], bytes] = bytes) -> Iterator[str]:
    """Yield the path of a port on which ``say`` is sent again and again."""
    master, slave = os.openpty()
    tty.setraw(slave)
    port = os.ttyname(slave)
    os.close(slave)
    os.set_blocking(master, False)
    ended = threading.Event()

    def talk() -> None:
        while not ended.wait(0.002):
            with suppress(OSError):  # it is full, or has no reader
                os.write(master, say())

    talker = threading.Thread(target=talk)
    talker.start()
    try:
        yield port
    finally:
        ended.set()
        talker.join()
        os.close(master)


@pytest.mark.usefixtures("_quick")
def test_a_device_is_found_and_its_block_printed(capsys: Printed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "Patience", lambda *_: Patience(2.0, 0.01, 0.01))
    frame = bytes.fromhex("AA C0 D4 04 3A 0A A1 60 1D AB")
    with _pty(lambda: frame) as port:
        assert main(["probe", port]) == 0
        out = capsys.readouterr().out
        assert main(["probe", port, "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
    assert "\nfound: sds011\n  Nova Fitness SDS011\n  at 9600 8N1\n" in out
    assert "  pm25  123.6  ug/m3" in out
    assert max(map(len, out.splitlines())) <= 80
    assert told["fields"]["pm25"] == {"value": 123.6, "unit": "ug/m3", "verdict": "ok"}
    assert (told["found"], told["driver"], told["setting"], told["rejects"]) == (True, "sds011", "9600 8N1", {})
    assert told["configuration"] in out
    check(tomllib.loads(GATEWAY + told["configuration"]), drivers)


@pytest.mark.usefixtures("_quick")
def test_silence_is_told_with_what_to_look_at(capsys: Printed) -> None:
    with _pty() as port:
        assert main(["probe", port]) == 1
        out = " ".join(capsys.readouterr().out.split())
    assert "not found: no byte came at any setting" in out
    assert "TX and RX" in out
    assert "listened for:" in out
    assert "sds011" in out
    assert "nmea0183" not in out, "a receiver takes no commands: naming it would send nothing"


@pytest.mark.usefixtures("_quick")
def test_noise_is_told_apart_from_silence_and_rare_settings_are_tried(capsys: Printed) -> None:
    source = random.Random(3)  # noqa: S311 -- a seed makes it repeatable
    with _pty(lambda: source.randbytes(20)) as port:
        assert main(["probe", port]) == 1
        out = capsys.readouterr().out
        assert main(["probe", port, "--json"]) == 1
        told = json.loads(capsys.readouterr().out)
    assert "not found: bytes came" in out
    assert str(probing.RARE[0]) in out
    assert not told["found"]
    assert "bytes came" in told["problem"]
    assert told["settings"][0]["bytes"] > 0


@pytest.mark.usefixtures("_quick")
def test_a_port_that_somebody_holds_is_told_with_the_holder(capsys: Printed) -> None:
    program = "import serial, sys; p = serial.Serial(sys.argv[1], exclusive=True); print('held', flush=True); input()"
    with (
        _pty() as port,
        subprocess.Popen(
            [sys.executable, "-c", program, port], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as holder,
    ):
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        try:
            assert main(["probe", port]) == 1
        finally:
            holder.communicate("\n", timeout=patience())
    err = capsys.readouterr().err
    assert f"(pid {holder.pid})" in err
    assert "sudo systemctl stop prehod" in err


@pytest.mark.usefixtures("_quick")
def test_a_port_that_is_not_there_is_told_with_those_that_are(
    capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = [Plugged("/dev/ttyUSB7", UsbPort(0x1A86, 0x7523, "", "1-1.2"))]
    monkeypatch.setattr("gateway.links.ports.plugged_in", lambda: there)
    assert main(["probe", "/nowhere/tty"]) == 1
    err = capsys.readouterr().err
    assert "/nowhere/tty: no such port; is it plugged in?" in err
    assert "there is: /dev/ttyUSB7 (usb:1a86:7523@1-1.2)" in err
    assert main(["probe", "/nowhere/tty", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["hint"].startswith("there is: /dev/ttyUSB7")


@pytest.mark.usefixtures("_quick")
@pytest.mark.parametrize("path", ["/dev/null", "/dev"])
def test_what_is_no_serial_port_is_said_in_words(path: str, capsys: Printed) -> None:
    assert main(["probe", path]) == 1
    assert f"{path}: it is there, and is no serial port" in capsys.readouterr().err


def test_a_port_that_is_not_ours_to_open_is_told_with_the_group(
    capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(self: Line) -> None:  # noqa: ARG001 -- it is called as a method
        raise LinkRefused("/dev/ttyUSB0: permission denied; add janez to the group dialout")

    monkeypatch.setattr(Line, "open", refuse)
    assert main(["probe", "/dev/ttyUSB0"]) == 1
    assert "add janez to the group dialout" in capsys.readouterr().err


async def test_a_port_that_does_not_know_a_setting_is_probed_at_the_others(tmp_path: Path) -> None:
    """A pseudo terminal refuses parity, as some adapters do."""
    async with SerialLine(TWINS["mhz19"](Truth()), tmp_path / "tty", rate=RATE):
        every = probe.serial_drivers()
        report = await Probe(str(tmp_path / "tty"), every, SHORT, lambda *_: None, named=False).run(settings(every))
    assert _name(report) == "mhz19"
    assert {step.setting.parity for step in report.steps} == {"N"} < {setting.parity for setting in settings(every)}


async def test_a_device_that_is_pulled_out_ends_the_probe(tmp_path: Path, capsys: Printed) -> None:
    async with SerialLine(_Ear(), tmp_path / "tty") as line:
        probing_ = asyncio.create_task(
            asyncio.to_thread(main, ["probe", str(tmp_path / "tty"), "--driver", "sds011"])
        )
        await until(lambda: line.open or probing_.done())
        line.unplug()
        assert await probing_ == 1
    assert "the device is gone (unplugged?)" in capsys.readouterr().err


def test_what_was_found_by_its_number_is_written_by_its_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    there = [Plugged("/dev/ttyUSB7", UsbPort(0x1A86, 0x7523, "", "1-1.2"))]
    monkeypatch.setattr("gateway.links.ports.plugged_in", lambda: there)
    found = Candidate(drivers.load("nmea0183"))
    block = probe.block("/dev/ttyUSB7", Report("/dev/ttyUSB7", "", found, Setting(4800)))
    assert 'port = "usb:1a86:7523@1-1.2" # the adapter in this socket, now /dev/ttyUSB7' in block
    assert "baudrate = 4800\n" in block
    assert "parity" not in block


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["usb:1a86"], "write a USB port as usb:VID:PID"),
        (["tty", "--driver", "sds01"], "no driver is called 'sds01'; did you mean 'sds011'?"),
        (["tty", "--driver", "chirpstack"], "'chirpstack' reads MQTT messages, no serial port"),
        (["tty", "--seconds", "0"], "'0': a number of seconds, up to 3600"),
        ([], "the following arguments are required: PORT"),
    ],
)
def test_wrong_use_is_exit_code_2(arguments: list[str], says: str, capsys: Printed) -> None:
    with pytest.raises(SystemExit) as end:
        main(["probe", *arguments])
    assert end.value.code == 2
    assert says in capsys.readouterr().err
