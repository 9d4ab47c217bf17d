"""A configuration is checked without the libraries of the parts that it is for: a small board starts slowly."""

import subprocess
import sys

import pytest

HEAVY = ("aiohttp", "aiomqtt", "influxdb_client", "paho", "prometheus_client", "rich", "serial")


@pytest.mark.parametrize("module", ["gateway.config.load", "gateway.daemon.catalogue", "gateway.cli.check"])
def test_reading_a_configuration_imports_none_of_the_libraries_of_its_parts(module: str) -> None:
    code = f"import sys, {module}; print(*(name for name in {HEAVY} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
