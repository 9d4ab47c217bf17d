"""Tests whose program logs: the log is kept out of their output; each test may capture it."""

import pytest
import structlog


@pytest.fixture(autouse=True)
def quiet_log() -> None:
    """Keep the log out of the tests' output; each test may capture it."""
    structlog.configure(processors=[structlog.testing.LogCapture()], cache_logger_on_first_use=False)
