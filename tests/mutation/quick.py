"""A pytest plugin for the tests of a mutant: what is likely to notice comes first, nothing is random, no network."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, settings


def pytest_configure(config: pytest.Config) -> None:
    # Laws that need more examples than this say so. Nothing is shrunk: that a law fails is enough.
    phases = (Phase.explicit, Phase.generate)
    settings.register_profile("mutation", max_examples=25, derandomize=True, deadline=None, phases=phases)
    settings.load_profile("mutation")
    sys.addaudithook(_stay_here)
    import gateway  # noqa: PLC0415 -- the mutant may be in what this imports, and that must fail here

    if not Path(gateway.__file__).is_relative_to(config.rootpath):
        raise pytest.UsageError(f"these tests are about {gateway.__file__}, which is not the copy")


@pytest.hookimpl(trylast=True)  # after Hypothesis has marked its own
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the tests of the mutated module first and laws last; within each, keep the order of the command line."""
    own = f"test_{os.environ.get('MUTATED')}"
    listed = [config.rootpath / name for name in config.invocation_params.args if str(name).startswith("tests/")]

    def order(item: pytest.Item) -> tuple[bool, bool, int]:
        is_law = item.get_closest_marker("hypothesis") is not None
        place = next(number for number, path in enumerate(listed) if item.path.is_relative_to(path))
        return item.path.stem != own, is_law, place

    items.sort(key=order)


def _stay_here(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        host = str(arguments[1][0])
        if not host.startswith(("127.", "::1", "localhost")):
            raise PermissionError(f"the test of a mutant connects to {host}")
