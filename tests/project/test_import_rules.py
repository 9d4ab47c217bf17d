"""Who may import whom: the rules of pyproject.toml hold, and each of them can be broken."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from firmware_sim.patience import patience

ROOT = Path(__file__).parents[2]
PYPROJECT = ROOT / "pyproject.toml"
CONTRACTS = [
    contract["name"]
    for contract in tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
]

FLOORS = "the house has floors"
EDGES = "links, sinks and the spool do not know each other"
CIRCLES = "nothing imports in a circle"
DRIVERS = "drivers know of the gateway its contract alone"
PURE = "what decodes and encodes does no I/O and sees no clock"
TIME = "time and chance are passed in"
CATALOGUE = "only the catalogue imports drivers"
SIMULATED = "simulated devices share no code with what reads them"
DEMO = "only the demo and the simulator use simulated devices"

VIOLATIONS = [
    (FLOORS, "gateway/links/serial.py", "import gateway.ingest.intake"),
    (FLOORS, "gateway/spool/store.py", "from gateway.health import Health"),
    (FLOORS, "gateway/sinks/live_mqtt.py", "from gateway.config.models import Broker"),
    (FLOORS, "gateway/contract.py", "from gateway.errors import PrehodError"),
    (FLOORS, "gateway/vocabulary.py", "from gateway.contract import Driver"),
    (FLOORS, "gateway/units.py", "import gateway.vocabulary"),
    (FLOORS, "gateway/errors.py", "import gateway.spool"),
    (FLOORS, "gateway/clock.py", "from gateway.config.models import Gateway"),
    (FLOORS, "gateway/ingest/intake.py", "from gateway.config.models import Gateway"),
    (FLOORS, "gateway/settings.py", "from gateway.contract import Options"),
    (FLOORS, "gateway/credentials.py", "from gateway.mqtt.broker import BrokerSettings"),
    (FLOORS, "gateway/delivery/forwarder.py", "import gateway.sources.mqtt"),
    (FLOORS, "gateway/daemon/app.py", "import gateway.cli.check"),
    (FLOORS, "gateway/web/server.py", "import gateway.daemon.catalogue"),
    (FLOORS, "gateway/without_a_floor.py", "import json"),
    (EDGES, "gateway/spool/store.py", "from gateway.sinks import influxdb"),
    (EDGES, "gateway/sinks/influxdb.py", "from gateway.links.mqtt.settings import MqttSettings"),
    (EDGES, "gateway/links/mqtt/connection.py", "from gateway.spool import Identity"),
    (CIRCLES, "gateway/spool/member.py", "from gateway.spool.reader import SpoolReader"),
    (CIRCLES, "gateway/cli/numbers.py", "import gateway.cli.watch"),
    (DRIVERS, "drivers/sds011.py", "from gateway.units import parse_duration"),
    (DRIVERS, "drivers/codecs/bosch_tps110.py", "import gateway.clock"),
    (DRIVERS, "drivers/json.py", "from gateway import __version__"),
    (PURE, "drivers/sds011.py", "import time"),
    (PURE, "drivers/ops243.py", "import asyncio"),
    (PURE, "drivers/common/framing.py", "from socket import socket"),
    (PURE, "drivers/codecs/bosch_tps110.py", "import threading"),
    (PURE, "gateway/contract.py", "import time"),
    (PURE, "gateway/line_protocol.py", "import socket"),
    (PURE, "gateway/sources/ack_window.py", "import time"),
    (PURE, "gateway/sources/serial.py", "import asyncio"),
    (PURE, "gateway/ingest/intake.py", "import time"),
    (TIME, "gateway/delivery/courier.py", "import time"),
    (TIME, "gateway/supervise.py", "from random import uniform"),
    (CATALOGUE, "gateway/daemon/app.py", "import drivers"),
    (CATALOGUE, "gateway/daemon/assembly.py", "from drivers.sds011 import DRIVER"),
    (SIMULATED, "firmware_sim/devices/sds011.py", "import drivers.sds011"),
    (SIMULATED, "firmware_sim/servers/influx/line_protocol.py", "from gateway import line_protocol"),
    (DEMO, "gateway/cli/check.py", "import firmware_sim.bench.city"),
    (DEMO, "gateway/daemon/app.py", "from firmware_sim.bench.pty_line import SerialLine"),
    (DEMO, "drivers/sds011.py", "import firmware_sim.devices.sds011"),
]


def lint(directory: Path) -> subprocess.CompletedProcess[str]:
    """Lint what is in a folder: the working directory comes before what is installed."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--config", str(PYPROJECT)]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False, timeout=patience(300))


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the three packages, side by side as they are when installed."""
    directory = tmp_path_factory.mktemp("packages")
    for package in ("gateway", "drivers", "firmware-sim/firmware_sim"):
        shutil.copytree(ROOT / package, directory / Path(package).name, ignore=shutil.ignore_patterns("__pycache__"))
    return directory


def test_the_rules_hold(packages: Path) -> None:
    done = lint(packages)
    assert done.returncode == 0, done.stdout
    assert [name for name in CONTRACTS if f"{name} KEPT" not in done.stdout] == []


@pytest.mark.parametrize(
    ("contract", "file", "line"), VIOLATIONS, ids=[f"{file}: {line}" for _, file, line in VIOLATIONS]
)
def test_an_import_against_the_rules_breaks_the_one_it_is_against(
    contract: str, file: str, line: str, packages: Path
) -> None:
    path = packages / file
    before = path.read_text(encoding="utf-8") if path.exists() else None
    path.write_text(f"{line}\n{before or ''}", encoding="utf-8")
    try:
        done = lint(packages)
    finally:
        if before is None:
            path.unlink()
        else:
            path.write_text(before, encoding="utf-8")
    assert done.returncode == 1
    assert f"{contract} BROKEN" in done.stdout, done.stdout


def test_every_rule_has_an_import_that_breaks_it() -> None:
    assert {contract for contract, _, _ in VIOLATIONS} == set(CONTRACTS)
