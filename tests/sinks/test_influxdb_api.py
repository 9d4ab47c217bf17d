"""influxdb-client's packages, of which nothing is imported that is not asked for."""

import json
import subprocess
import sys

COUNT = """
import json, sys, gateway.sinks.influxdb
print(json.dumps(sorted(name for name in sys.modules if name.split(".")[0] in ("influxdb_client", "reactivex"))))
"""

COMPARE = """
import inspect, json, sys
if sys.argv[1] == "lazily":
    import gateway.sinks.influxdb
import influxdb_client
import influxdb_client.client.bucket_api
from influxdb_client.client.influxdb_client_async import InfluxDBClientAsync
from influxdb_client.client.write_api import SYNCHRONOUS
packages = [influxdb_client, influxdb_client.client, influxdb_client.domain, influxdb_client.service]
names = json.loads(sys.argv[2]) or [
    [package.__name__, name]
    for package in packages
    for name, value in vars(package).items()
    if (inspect.isclass(value) and value.__module__.startswith("influxdb_client")) or name == "__version__"
]
found = {f"{package} {name}": repr(getattr(sys.modules[package], name, None)) for package, name in names}
print(json.dumps([names, found]))
"""


def answer(code: str, *arguments: str) -> str:
    return subprocess.run([sys.executable, "-c", code, *arguments], check=True, capture_output=True, text=True).stdout


def test_the_sink_imports_of_influxdb_client_what_writing_needs() -> None:
    modules = json.loads(answer(COUNT))
    assert "influxdb_client._async.api_client" in modules
    assert len(modules) <= 15, modules


def test_whoever_else_uses_influxdb_client_finds_all_of_it() -> None:
    names, real = json.loads(answer(COMPARE, "plainly", "[]"))
    assert len(names) > 300
    assert json.loads(answer(COMPARE, "lazily", json.dumps(names)))[1] == real
