"""How a search in many rows is run: by their order, or by what they are selected by.

Rows that few others resemble are found by an index on what they have (a tag, a model's name, a
run) and then sorted; rows of which there are many are met soon by whoever walks the index of the
order and looks at each. With `m` matches among `n` rows the first way reads about `m` rows, and
the second about `limit * n / m`: they are even at `m = √(limit * n)`. So the matches are counted,
but never further than that.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import isqrt
from typing import TypeVar

from modelkeep.domain.search import Comparison
from modelkeep.storage.sql.connection import Db
from modelkeep.storage.sql.dialects import Dialect
from modelkeep.storage.sql.search import INDEXED_CHARS, Fragment, KeyValues, condition

F = TypeVar("F", bound=Fragment)

LOOK = 2_000  # matches of each condition that are counted at first


def fewest(
    db: Db,
    drivers: Sequence[F],
    among: Fragment,
    limit: int,
    is_common: Callable[[], bool] = lambda: False,
) -> F | None:
    """The driver with the fewest matches, if sorting them is cheaper than walking all rows.

    A driver is a statement that finds, by an index, the ids (as `id`) of the rows for which one
    condition is true; `among` is one that finds how many rows there are. `is_common` says whether
    a walk soon meets what is looked for: it is asked where that takes less than counting.
    """
    there, counts = db.ahead(among.sql, *among.params), [_count(db, d, LOOK) for d in drivers]
    counted = [count() for count in counts]
    rows = next((row[0] for row in there()), None) or 0
    # To sort more than half of them is no better than to walk them all, whatever the limit.
    bound = min(isqrt(limit * rows), rows // 2) + 1
    least = min(counted)
    if least < LOOK or bound <= LOOK:
        return drivers[counted.index(least)] if least < bound else None
    if is_common():
        return None
    best = None
    for driver in drivers:
        found = _count(db, driver, bound)()
        if found < bound:
            best, bound = driver, found
    return best


def _count(db: Db, driver: Fragment, bound: int) -> Callable[[], int]:
    """Its matches, but no further than that; nobody waits for it yet."""
    counted = db.ahead(f"SELECT count(*) FROM ({driver.sql} LIMIT {bound}) matches", *driver.params)
    return lambda: counted()[0][0]


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
    negation = ""
    if comparison.op == "IS NOT":
        comparison, negation = replace(comparison, op="="), "NOT "
    test, table = _test(dialect, comparison), pairs.table
    if comparison.op == "=":
        # What has one value lies together in this index; by their owners, tags lie all over the
        # file, and most of the time of a walk went into reading a page for each of its rows.
        table = dialect.by_index(table, f"{table}_value")
    # OFFSET keeps PostgreSQL from making a join of it, which it would sort as a whole.
    return Fragment(
        f"{negation}EXISTS (SELECT 1 FROM {table}"
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
