"""`world`: the estate of `tests/cli/world.py` in a folder of its own; recorded once, and copied for each test."""

import shutil
from pathlib import Path

import pytest

from tests.cli.world import World, estate


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return estate(tmp_path_factory.mktemp("estate")).database


@pytest.fixture
def world(tmp_path: Path, recorded: Path) -> World:
    shutil.copy(recorded, tmp_path / "watcher.db")
    return World(tmp_path)


@pytest.fixture
def empty_world(tmp_path: Path) -> World:
    """A configuration without a database."""
    return World(tmp_path)
