"""The one place where the gateway meets the drivers; everything else gets them passed in as a `Catalogue`."""

from pathlib import Path

import drivers
from gateway.config.load import Catalogue, load
from gateway.config.models import Configuration

CATALOGUE: Catalogue = drivers
"""All drivers and codecs, ours and those that other packages add by entry points."""


def load_configuration(path: Path) -> Configuration:
    """Read and check a configuration file; raises `gateway.errors.ConfigurationError`."""
    return load(path, CATALOGUE)
