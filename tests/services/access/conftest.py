"""A registry with accounts."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.clock import MovedClock
from tests.support.estate import Estate


@pytest.fixture
def estate(
    database_url: str, tmp_path: Path, clock: MovedClock, request: pytest.FixtureRequest
) -> Iterator[Estate]:
    """With one administrator, `boss`, on each database. Its journal must verify at the end."""
    if not database_url:
        _copy(request.getfixturevalue("new_file"), tmp_path)
    yield from _verified(Estate(tmp_path / "data", database_url, clock))


@pytest.fixture
def quick(new_file: Path, tmp_path: Path, clock: MovedClock) -> Iterator[Estate]:
    """The same on SQLite alone, for what no database has a part in."""
    _copy(new_file, tmp_path)
    yield from _verified(Estate(tmp_path / "data", "", clock))


def _copy(new_file: Path, folder: Path) -> None:
    (folder / "data").mkdir()
    shutil.copyfile(new_file, folder / "data" / "modelkeep.db")


def _verified(estate: Estate) -> Iterator[Estate]:
    yield estate
    report = estate.verify()
    estate.close()
    assert report.is_intact, report.problems
