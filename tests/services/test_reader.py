"""Reads: searches that must look at very many rows get a lane of their own, and a deadline."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from modelkeep.domain.errors import LimitExceeded
from modelkeep.storage.sql import reader, schema
from modelkeep.storage.sql.dialects import dialect_for
from modelkeep.storage.sql.reader import Reader
from tests.support.clock import MovedClock

FOREVER = 10**12
SCANNED_S = 4  # far longer than the few reads beside take, on any machine


def count_to(work: Any, number: int) -> int:
    """A statement that takes as long as one wants."""
    return work.db.one(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
        " SELECT count(*) FROM n",
        number,
    )[0]


@pytest.fixture
def reads(
    request: pytest.FixtureRequest, database_url: str, tmp_path: Path, clock: MovedClock
) -> Iterator[Reader]:
    """Of a search it takes a second at most, or as many as a test says."""
    dialect = dialect_for(database_url, tmp_path)
    schema.ensure(dialect)
    reads = Reader(dialect, clock, search_timeout_s=getattr(request, "param", 1))
    yield reads
    reads.close()


@pytest.mark.parametrize("reads", [60], indirect=True, ids=["a minute"])
def test_a_search_may_be_quick_or_take_its_time(reads: Reader) -> None:
    async def both() -> list[int]:
        return [await reads.search(count_to, n) for n in (10, 500_000, 10)]

    assert asyncio.run(both()) == [10, 500_000, 10]


def test_a_search_that_takes_too_long_is_given_up_and_says_how_to_narrow_it(
    reads: Reader,
) -> None:
    with pytest.raises(LimitExceeded, match=r"given up after 1 s .* Narrow it by comparing a name"):
        asyncio.run(reads.search(count_to, FOREVER))
    assert asyncio.run(reads.search(count_to, 10)) == 10  # its connection is as good as before


@pytest.mark.parametrize("reads", [SCANNED_S], indirect=True, ids=["some seconds"])
def test_reads_do_not_wait_for_searches_that_scan(reads: Reader) -> None:
    """More of these than there are threads, and none will ever end by itself."""

    async def story() -> list[object]:
        scans = [
            asyncio.create_task(reads.search(count_to, FOREVER)) for _ in range(2 * reader.THREADS)
        ]
        for _ in range(5):
            assert await reads.submit(count_to, 10) == 10
            assert await reads.search(count_to, 10) == 10
        assert not all(scan.done() for scan in scans)
        return await asyncio.gather(*scans, return_exceptions=True)

    began = time.monotonic()
    outcomes = asyncio.run(story())
    assert all(isinstance(outcome, LimitExceeded) for outcome in outcomes)
    # Who had waited in vain was turned away, and not run for so long after all.
    assert time.monotonic() - began < SCANNED_S * reader.THREADS


def test_other_reads_have_no_deadline(reads: Reader) -> None:
    with pytest.raises(LimitExceeded):
        asyncio.run(reads.search(count_to, FOREVER))
    assert reads.run(count_to, 500_000) == 500_000
    assert asyncio.run(reads.submit(count_to, 500_000)) == 500_000
