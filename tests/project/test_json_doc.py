"""The examples of docs/json.md: options that load, and messages of which becomes what the page says."""

import re
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from drivers.common.field_sources import Source
from drivers.common.json_messages import Output
from drivers.json import Decoder, JsonOptions
from gateway.config.load import check
from gateway.contract import Measurement, Reject, Remark
from gateway.daemon.catalogue import CATALOGUE
from gateway.errors import ConfigurationError

PAGE = (Path(__file__).parents[2] / "docs" / "json.md").read_text(encoding="utf-8")
SOURCE = {"type": "mqtt", "url": "mqtt://127.0.0.1", "topics": ["#"], "driver": "json"}


def options() -> list[dict[str, Any]]:
    return [tomllib.loads(text) for text in re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)]


def messages() -> Iterator[tuple[dict[str, Any], str, str, list[str]]]:
    """Yield the options that stand before each message, its topic, the message, and what the page says of it."""
    blocks = re.compile(r"```toml\n(.*?)```|`([^`\n]+)`\n\n```json\n(.*?)\n```\n\n```text\n(.*?)\n```", re.DOTALL)
    given: dict[str, Any] = {}
    for toml, topic, message, said in blocks.findall(PAGE):
        if toml:
            given = tomllib.loads(toml)
        else:
            yield given, topic, message, said.splitlines()


def words(one: Output) -> str:
    if isinstance(one, Remark):
        return f"{one.kind}: {one.what}: {one.detail}"
    if isinstance(one, Reject):
        return f"refused: {one.detail}"
    assert isinstance(one, Measurement)
    parts = [one.kind, str(one.sensor)]
    if one.time is not None:
        whole = datetime.fromtimestamp(one.time // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        parts.append(f"{whole}.{one.time % 10**9:09}".rstrip("0").rstrip(".") + "Z")
    parts += [f"{name}={str(value).lower()}" for name, value in one.fields.items()]
    return " ".join([*parts, *(f"{name}:{value}" for name, value in one.tags.items())])


def test_every_message_of_the_page_becomes_what_the_page_says() -> None:
    wrong, examples = [], [*messages()]
    for given, topic, message, said in examples:
        found = [words(one) for one in Decoder(JsonOptions.model_validate(given)).decode(topic, message.encode())]
        if found != said:
            wrong.append(f"{message}\n  is   {found}\n  page {said}")
    assert not wrong, "\n".join(wrong)
    assert len(examples) == PAGE.count("```json")


def test_the_options_of_every_example_load() -> None:
    problems: list[str] = []
    for number, given in enumerate(options(), 1):
        source = {**SOURCE, "options": given}
        data = {"gateway": {"id": "koper-01", "city": "Koper"}, "sources": {"json": source}}
        try:
            check(data, CATALOGUE, f"example {number}")
        except ConfigurationError as error:
            problems += error.problems
    assert problems == []


def test_the_page_explains_every_option() -> None:
    explained = {*re.findall(r"`(\w+)`", PAGE), *(key for given in options() for key in given)}
    assert {*JsonOptions.model_fields, *Source.model_fields} - explained == set()
