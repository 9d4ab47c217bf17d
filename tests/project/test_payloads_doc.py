"""The examples of docs/payloads.md are configurations that load."""

import re
import tomllib
from pathlib import Path

from gateway.config.load import check
from gateway.daemon.catalogue import CATALOGUE
from gateway.errors import ConfigurationError

PAGE = Path(__file__).parents[2] / "docs" / "payloads.md"
GATEWAY = '[gateway]\nid = "koper-01"\ncity = "Koper"\n'


def test_every_example_of_the_page_is_a_configuration_that_loads() -> None:
    examples = re.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert examples
    problems: list[str] = []
    for number, example in enumerate(examples, 1):
        try:
            check(tomllib.loads(GATEWAY + example), CATALOGUE, f"example {number}")
        except ConfigurationError as error:
            problems += error.problems
    assert problems == []
