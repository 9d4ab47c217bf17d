"""What docs/http.md shows can be typed in: its configuration runs, and its commands answer what it says."""

import asyncio
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from firmware_sim.servers.process import free_port
from gateway.config.load import check
from gateway.daemon.catalogue import CATALOGUE
from tests.system.conftest import Rig

pytestmark = pytest.mark.system

PAGE = (Path(__file__).parents[2] / "docs" / "http.md").read_text(encoding="utf-8")
ADDRESS = "127.0.0.1:8090"


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.requires("curl")
async def test_the_commands_of_the_page_answer_what_it_says(rig: Rig, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("TOKEN\n", encoding="utf-8")
    address = f"127.0.0.1:{free_port()}"
    token = f'"{tmp_path / "token"}"'
    sources = re.sub(r'"/run/credentials/[^"]+"', token, blocks("toml")[0].replace(ADDRESS, address))
    assert tomllib.loads(sources)["sources"].keys() == {"stations", "lora", "weather", "any"}
    gateway = await rig.gateway(sources)
    await gateway.listening()
    (commands,) = blocks("sh")
    pairs = re.findall(r"(curl .*)\n# (.*)", commands)
    assert len(pairs) == commands.count("curl ") == 7
    for command, says in pairs:
        typed = ["sh", "-c", command.replace(ADDRESS, address)]
        ran = await asyncio.to_thread(subprocess.run, typed, capture_output=True, check=True)
        answer = ran.stdout.decode().strip()
        assert answer == says or (says.endswith("...") and answer.startswith(says[:-3])), command
    await gateway.holds(5)


def test_the_addresses_that_the_page_asks_are_configured_rightly() -> None:
    own = 'gateway = { id = "koper-01", city = "Koper" }\n'
    for block in blocks("toml"):
        assert check(tomllib.loads(own + block), CATALOGUE).sources
