"""What every test may say of itself."""

import pytest

from tests.support.requirements import require_program


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Look whether what the mark ``requires`` names is there, before fixtures start anything."""
    for mark in item.iter_markers("requires"):
        require_program(*mark.args)
