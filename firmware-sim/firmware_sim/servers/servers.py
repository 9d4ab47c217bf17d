"""Real servers for the demonstration, the tests and the torture runs: children of this process, on 127.0.0.1 only.

`choose_broker` and `choose_database` take the best of what is installed; neither starts anything.
"""

import asyncio
import importlib.util
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from firmware_sim.patience import patience
from firmware_sim.servers.influx.endpoint import InfluxEndpoint
from firmware_sim.servers.process import RealServer, ServerFailed, answers_http, answers_mqtt, find_program, free_port


@dataclass(frozen=True, slots=True)
class Tls:
    """Files for a second, encrypted listener of Mosquitto."""

    certificate: Path
    key: Path
    authority: Path
    client_certificates: bool = False


class Mosquitto(RealServer):
    """Eclipse Mosquitto, by default set up as a gateway needs it: nothing acknowledged is dropped by a limit.

    ``max_queued_messages`` 0 is no limit. ``autosave_interval`` in seconds: what came since the last save is lost
    when the broker is killed. ``password_file`` as mosquitto_passwd writes it; without one every client may connect.
    """

    name = "mosquitto"
    description = "Eclipse Mosquitto, a real MQTT broker"

    def __init__(
        self,
        directory: Path,
        port: int = 0,
        *,
        persistence: bool = True,
        max_inflight_messages: int = 1000,
        max_queued_messages: int = 0,
        autosave_interval: int = 30,
        password_file: Path | None = None,
        tls: Tls | None = None,
    ) -> None:
        super().__init__(directory, port)
        self.persistence = persistence
        self.max_inflight_messages = max_inflight_messages
        self.max_queued_messages = max_queued_messages
        self.autosave_interval = autosave_interval
        self.password_file = password_file
        self.tls = tls
        self.tls_port = 0
        """The encrypted listener's port, once started with ``tls``."""

    @classmethod
    def available(cls) -> bool:
        """Tell whether the Debian package ``mosquitto`` is there."""
        return find_program("mosquitto") is not None

    @property
    def url(self) -> str:
        """The plain listener."""
        return f"mqtt://127.0.0.1:{self.port}"

    def _command(self) -> list[str]:
        lines = [
            f"listener {self.port} 127.0.0.1",
            f"allow_anonymous {_switch(self.password_file is None)}",
            f"persistence {_switch(self.persistence)}",
            f"persistence_location {self.directory.resolve()}/",
            f"autosave_interval {self.autosave_interval}",
            f"max_inflight_messages {self.max_inflight_messages}",
            f"max_queued_messages {self.max_queued_messages}",
            "log_dest stderr",
        ]
        if os.geteuid() == 0:
            lines.append("user root")  # it would become "mosquitto", who may not write here
        if self.password_file is not None:
            lines.append(f"password_file {self.password_file.resolve()}")
        if self.tls is not None:
            self.tls_port = self.tls_port or free_port()
            lines += [
                f"listener {self.tls_port} 127.0.0.1",
                f"certfile {self.tls.certificate.resolve()}",
                f"keyfile {self.tls.key.resolve()}",
                f"cafile {self.tls.authority.resolve()}",
                f"require_certificate {_switch(self.tls.client_certificates)}",
            ]
        configuration = self.directory / "mosquitto.conf"
        configuration.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return [_program("mosquitto"), "-c", str(configuration.resolve())]

    async def _answers(self) -> bool:
        return await answers_mqtt(self.port)


class Iotcore(RealServer):
    """The broker inside the Python package iotcore (rumqttd): for watching a demonstration, not for proofs.

    Seen of version 0.4.0: it keeps sessions, delivers in order what came meanwhile (20,000 messages), and sends again
    what was not acknowledged, but without the DUP mark. All of it in memory only: a restart loses every session.
    """

    name = "iotcore"
    description = "iotcore, a small MQTT broker from a Python package (keeps nothing over a restart)"

    def __init__(self, directory: Path, port: int = 0) -> None:
        super().__init__(directory, port)
        self.port_v5 = 0
        """It speaks MQTT 5 on a port of its own."""

    @classmethod
    def available(cls) -> bool:
        """Tell whether the extra ``demo`` is installed."""
        return importlib.util.find_spec("iotcore") is not None

    @property
    def url(self) -> str:
        """The listener for MQTT 3.1.1."""
        return f"mqtt://127.0.0.1:{self.port}"

    def _command(self) -> list[str]:
        self.port_v5 = self.port_v5 or free_port()
        parts = [_ROUTER]
        for version, port in (("v4", self.port), ("v5", self.port_v5)):
            parts.append(_LISTENER.format(version=version, port=port))
        configuration = self.directory / "rumqttd.toml"
        configuration.write_text("".join(parts), encoding="utf-8")
        serve = "import sys; from iotcore import IotCoreBroker; IotCoreBroker(config_path=sys.argv[1]).run_forever()"
        return [sys.executable, "-I", "-c", serve, str(configuration.resolve())]

    async def _answers(self) -> bool:
        return await answers_mqtt(self.port)


class Influxd(RealServer):
    """InfluxDB 1.x, with one database, created at every start where it is missing."""

    name = "influxd"
    description = "InfluxDB 1.x, a real time series database"
    api = "v1"

    def __init__(self, directory: Path, port: int = 0, *, database: str = "city") -> None:
        super().__init__(directory, port)
        self.database = database

    @classmethod
    def available(cls) -> bool:
        """Tell whether the Debian package ``influxdb`` is there."""
        return find_program("influxd") is not None

    @property
    def url(self) -> str:
        """The HTTP API, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Start it, wait until it serves, and see to the database."""
        await super().start()
        # It says 200 to whatever it understands, and on a busy machine what it serves first does not know yet what it
        # was told: the database is there when it is listed.
        said = ""
        async with aiohttp.ClientSession(self.url) as client:
            loop = asyncio.get_running_loop()
            deadline = loop.time() + patience()
            while loop.time() < deadline:
                for query in (f'CREATE DATABASE "{self.database}"', "SHOW DATABASES"):
                    async with client.post("/query", data={"q": query}) as answer:
                        said = await answer.text()
                if f'["{self.database}"]' in said:
                    return
                await asyncio.sleep(0.05)
        raise ServerFailed(f"influxd did not create the database: {said}")

    def _command(self) -> list[str]:
        configuration = self.directory / "influxdb.conf"
        data = json.dumps(str(self.directory.resolve()))[1:-1]  # TOML strings are written as JSON's
        configuration.write_text(_INFLUXD.format(data=data, port=self.port), encoding="utf-8")
        return [_program("influxd"), "run", "-config", str(configuration.resolve())]

    async def _answers(self) -> bool:
        return await answers_http(f"{self.url}/ping")


class VictoriaMetrics(RealServer):
    """VictoriaMetrics: takes the v2 write API, keeps duplicates, and answers 204 to almost anything."""

    name = "victoria-metrics"
    description = "VictoriaMetrics, a real time series database for numbers"
    api = "v2"

    @classmethod
    def available(cls) -> bool:
        """Tell whether the Debian package ``victoria-metrics`` is there."""
        return find_program("victoria-metrics") is not None

    @property
    def url(self) -> str:
        """The HTTP API, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    def _command(self) -> list[str]:
        return [
            _program("victoria-metrics"),
            f"-httpListenAddr=127.0.0.1:{self.port}",
            f"-storageDataPath={(self.directory / 'data').resolve()}",
            "-retentionPeriod=100y",
            "-memory.allowedPercent=10",
        ]

    async def _answers(self) -> bool:
        return await answers_http(f"{self.url}/health")


Broker = Mosquitto | Iotcore
Database = Influxd | VictoriaMetrics | InfluxEndpoint


def choose_broker(directory: Path) -> Broker:
    """Return the best broker that is installed; ``ServerFailed`` says what to install when there is none."""
    if Mosquitto.available():
        return Mosquitto(directory)
    if Iotcore.available():
        return Iotcore(directory)
    raise ServerFailed("no MQTT broker: sudo apt-get install mosquitto, or pip install 'prehod[demo]'")


def choose_database(directory: Path, database: str = "city") -> Database:
    """Return the best database that is installed, at worst our own endpoint, which stores in memory."""
    if Influxd.available():
        return Influxd(directory, database=database)
    if VictoriaMetrics.available():
        return VictoriaMetrics(directory)
    return InfluxEndpoint()


def _program(name: str) -> str:
    path = find_program(name)
    if path is None:
        raise ServerFailed(f"{name} is not installed")
    return path


def _switch(value: bool) -> str:
    return "true" if value else "false"


_ROUTER = """\
id = 0
[router]
id = 0
max_connections = 1000
max_outgoing_packet_count = 200
max_segment_size = 104857600
max_segment_count = 10
"""

_LISTENER = """\
[{version}.1]
name = "{version}"
listen = "127.0.0.1:{port}"
next_connection_delay_ms = 1
[{version}.1.connections]
connection_timeout_ms = 60000
max_payload_size = 1048576
max_inflight_count = 1000
dynamic_filters = true
"""

# Every listener that is on by default is named: its default address may be open to all.
_INFLUXD = """\
reporting-disabled = true
bind-address = "127.0.0.1:0"
[meta]
dir = "{data}/meta"
[data]
dir = "{data}/data"
wal-dir = "{data}/wal"
query-log-enabled = false
[http]
bind-address = "127.0.0.1:{port}"
log-enabled = false
[monitor]
store-enabled = false
[subscriber]
enabled = false
"""
