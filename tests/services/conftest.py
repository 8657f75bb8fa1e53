"""A running core for the tests of use cases, on both databases."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.clock import MovedClock
from tests.support.core import Core


@pytest.fixture
def core(database_url: str, tmp_path: Path, clock: MovedClock) -> Iterator[Core]:
    """A core with nothing in it. Whatever a test did, its journal must verify at the end."""
    core = Core(tmp_path / "data", database_url, clock)
    yield core
    report = core.verify()
    core.close()
    assert report.is_intact, report.problems
