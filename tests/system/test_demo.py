"""The demonstration, as a newcomer runs it."""

import json
import os
import signal
import subprocess
import sys

import pytest

from firmware_sim.patience import patience

pytestmark = pytest.mark.system


def test_the_demo_loses_nothing_and_ends_with_one_line_of_json() -> None:
    command = [sys.executable, "-m", "gateway.cli.main", "demo", "--seconds", "10", "--json"]
    done = subprocess.run(command, capture_output=True, timeout=patience(120), check=False)
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
    (line,) = done.stdout.decode().splitlines()
    outcome = json.loads(line)
    assert outcome["lost"] == outcome["duplicated"] == 0
    # What was on its way when the devices were switched off may be stored or not.
    assert 50 < outcome["measured"] <= outcome["stored"] <= outcome["measured"] + outcome["uncertain"]
    assert set(outcome["by_measurement"]) == {"parking", "air_quality", "traffic"}
    assert outcome["by_measurement"]["traffic"]["measured"] > 0
    assert outcome["broker"] in {"mosquitto", "iotcore"}
    assert outcome["database"]


def test_ctrl_c_in_the_terminal_ends_the_demo_in_good_order() -> None:
    """A terminal sends it to the whole process group, and so to whatever the demo has started in its own."""
    command = [sys.executable, "-u", "-m", "gateway.cli.main", "demo", "--seconds", "60"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    ) as demo:
        assert demo.stdout is not None
        head = next(line for line in demo.stdout if "in the database" in line)
        os.killpg(demo.pid, signal.SIGINT)
        rest = demo.stdout.read()
        assert demo.wait(patience()) == 0, head + rest
    assert rest.splitlines()[-1] == "nothing lost, nothing twice"
    assert "Traceback" not in rest
