"""How a search in many rows is run: by their order, or by what they are selected by.

Rows that few others resemble are found by an index on what they have (a tag, a model's name, a
run) and then sorted; rows of which there are many are met soon by whoever walks the index of the
order and looks at each. With `m` matches among `n` rows the first way reads about `m` rows, and
the second about `limit * n / m`: they are even at `m = √(limit * n)`. So the matches are counted,
but never further than that.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import isqrt
from typing import TypeVar

from modelkeep.domain.search import Comparison
from modelkeep.storage.sql.connection import Db, Row
from modelkeep.storage.sql.dialects import Dialect
from modelkeep.storage.sql.search import INDEXED_CHARS, Fragment, KeyValues, condition

F = TypeVar("F", bound=Fragment)

WORTH_A_LOOK = 1_000  # matches to be counted, before which a look at some of the rows pays
COMMON = 10  # what every tenth row has, many have
EARLY = 5  # one in so many of them are counted of each condition first


def fewest(
    db: Db, drivers: Sequence[F], among: Fragment, limit: int, sample: Fragment | None = None
) -> F | None:
    """The driver with the fewest matches, if sorting them is cheaper than walking all rows.

    A driver is a statement that finds, by an index, the ids (as `id`) of the rows for which one
    condition is true; `among` is one that finds how many rows there are. `sample` looks at some of
    those that a walk meets first: whether each driver's condition is true, and then whatever else
    is looked for. What many of them have is not counted, and a walk soon meets what many are.
    """
    looked = db.ahead(sample.sql, *sample.params) if sample else None
    counted = db.one(among.sql, *among.params)
    rows = counted[0] or 0 if counted else 0
    # To sort more than half of them is no better than to walk them all, whatever the limit.
    bound = min(isqrt(limit * rows), rows // 2) + 1
    if bound <= WORTH_A_LOOK:
        return _fewest(db, drivers, bound)
    if looked:
        seen = looked()
        if _are_many(map(all, seen), seen):
            return None
        conditions = zip(*seen, strict=True)
        drivers = [
            d for d, fits in zip(drivers, conditions, strict=False) if not _are_many(fits, seen)
        ]
    return _fewest(db, drivers, bound // EARLY) or _fewest(db, drivers, bound)


def _are_many(fits: Iterable[object], seen: Sequence[Row]) -> bool:
    return COMMON * sum(map(bool, fits)) >= max(len(seen), 1)


def _fewest(db: Db, drivers: Sequence[F], bound: int) -> F | None:
    """Of those with less matches than that."""
    best = None
    for driver in drivers:
        counted = db.one(
            f"SELECT count(*) FROM ({driver.sql} LIMIT {bound}) matches", *driver.params
        )
        assert counted is not None
        if counted[0] < bound:
            best, bound = driver, counted[0]
    return best


def newest(table: str) -> Fragment:
    """A statement that finds the highest id of a table: at least as many as it has rows, and found
    in no time."""
    return Fragment(f"SELECT max(id) FROM {table}", ())


def driver(dialect: Dialect, project_id: int, pairs: KeyValues, comparison: Comparison) -> Fragment:
    """The owners of a value for which a comparison is true."""
    test = _test(dialect, comparison)
    return Fragment(
        f"SELECT {pairs.owner} AS id FROM {pairs.table}"
        f" WHERE project_id = ? AND key = ? AND {test.sql}",
        (project_id, comparison.key, *test.params),
    )


def probe(dialect: Dialect, project_id: int, pairs: KeyValues, comparison: Comparison) -> Fragment:
    """That a row has a value for which a comparison is true; for IS NOT, that it has none."""
    if comparison.op == "IS NOT":
        comparison = replace(comparison, op="=")
        has, owners = (of(dialect, project_id, pairs, comparison) for of in (probe, driver))
        # Mostly nothing at all has it, and then no row is looked at for it.
        sql = f"(NOT EXISTS ({owners.sql}) OR NOT {has.sql})"
        return Fragment(sql, (*owners.params, *has.params))
    test, table = _test(dialect, comparison), pairs.table
    if comparison.op == "=":
        # What has one value lies together in this index; by their owners, tags lie all over the
        # file, and most of the time of a walk went into reading a page for each of its rows.
        table = dialect.by_index(table, f"{table}_value")
    # OFFSET keeps PostgreSQL from making a join of it, which it would sort as a whole.
    return Fragment(
        f"EXISTS (SELECT 1 FROM {table}"
        f" WHERE project_id = ? AND {pairs.owner} = {pairs.row}"
        f" AND key = ? AND {test.sql} LIMIT 1 OFFSET 0)",
        (project_id, comparison.key, *test.params),
    )


def _test(dialect: Dialect, comparison: Comparison) -> Fragment:
    """A comparison of the column `value`; for equality one that the index can answer."""
    whole = condition(dialect, "value", comparison)
    if comparison.op != "=":
        return whole
    value = str(comparison.value)
    start = Fragment(f"substr(value, 1, {INDEXED_CHARS}) = ?", (value[:INDEXED_CHARS],))
    if len(value) < INDEXED_CHARS:
        return start
    return Fragment(f"{start.sql} AND {whole.sql}", (*start.params, *whole.params))
