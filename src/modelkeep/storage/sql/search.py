"""From the values of a search to the WHERE and ORDER BY of a statement.

Only columns and tables that the caller lists can appear in a statement; whatever a client wrote
is a bound parameter.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_uppercase

from modelkeep.domain.search import Comparison
from modelkeep.storage.sql.dialects import Dialect

INDEXED_CHARS = 100  # of a value; the migrations index as many
_LOWER = {ord(letter): letter.lower() for letter in ascii_uppercase}
_PLAIN = frozenset(("=", "!=", "<", "<=", ">", ">="))


@dataclass(frozen=True, slots=True)
class KeyValues:
    """A table of keys and values that belong to a row: tags, params, metrics.

    `owner` is its column that names the row; `row` the column of the searched row it equals.
    `indexed` says that it has an index on (key, first 100 characters of the value); one that has
    none is looked into for each row, by (owner, key).
    """

    table: str
    owner: str
    row: str
    indexed: bool = False


@dataclass(frozen=True, slots=True)
class Fragment:
    """A piece of SQL and the values of its parameters."""

    sql: str
    params: tuple[object, ...]


def condition(dialect: Dialect, column: str, comparison: Comparison) -> Fragment:
    """`column OP value` as the dialect spells it."""
    op, value = comparison.op, comparison.value
    if op in _PLAIN:
        return Fragment(f"{column} {op} ?", (_bindable(value),))
    if op == "LIKE":
        return Fragment(f"{column} LIKE ?", (dialect.pattern(str(value)),))
    if op == "ILIKE":
        folded = str(value).translate(_LOWER)
        return Fragment(f"lower({column}) LIKE ?", (dialect.pattern(folded),))
    if op in ("IN", "NOT IN"):
        values = value if isinstance(value, tuple) else (value,)
        return any_of(column, values, op)
    return Fragment(f"{column} {op}", ())


def any_of(column: str, values: Sequence[object], op: str = "IN") -> Fragment:
    """`column IN (…)`, which nothing is when there are no values."""
    if not values:
        return Fragment("1 = 0" if op == "IN" else "1 = 1", ())
    marks = ", ".join("?" * len(values))
    return Fragment(f"{column} {op} ({marks})", tuple(_bindable(value) for value in values))


def _bindable(value: object) -> object:
    # Neither database takes an integer of more than 64 bits; infinity is on the same side of
    # every one that fits.
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return math.inf if value > 0 else -math.inf
    return value


def holds(dialect: Dialect, project_id: int, pairs: KeyValues, comparison: Comparison) -> Fragment:
    """That a row has, under the comparison's key, a value for which it is true.

    `IS NULL` means that the row has no such key, `IS NOT` that it has no such key and value.
    """
    key, op = comparison.key, comparison.op
    if op == "IS NULL":
        has = having(project_id, pairs, key)
        return Fragment(f"NOT {has.sql}", has.params)
    if op == "IS NOT NULL":
        return having(project_id, pairs, key)
    if op == "IS NOT":
        has = having(project_id, pairs, key, Fragment("value = ?", (comparison.value,)))
        return Fragment(f"NOT {has.sql}", has.params)
    test = condition(dialect, "value", comparison)
    if not pairs.indexed:
        return having(project_id, pairs, key, test)
    if op == "=":
        # NOTE: the start of the value must be cut here: SQLite does not use the index when the
        # other side of the comparison is an expression too.
        start = str(comparison.value)[:INDEXED_CHARS]
        narrow = f"substr(value, 1, {INDEXED_CHARS}) = ?"
        test = Fragment(f"{narrow} AND {test.sql}", (start, *test.params))
    sql = f"SELECT {pairs.owner} FROM {pairs.table} WHERE project_id = ? AND key = ? AND {test.sql}"
    return Fragment(f"{pairs.row} IN ({sql})", (project_id, key, *test.params))


def having(
    project_id: int, pairs: KeyValues, key: str | None, test: Fragment | None = None
) -> Fragment:
    """That a row has the key, and under it, if a test of the column `value` is given, one that
    passes.
    """
    tests = f" AND {test.sql}" if test else ""
    sql = (
        f"EXISTS (SELECT 1 FROM {pairs.table} WHERE project_id = ? AND {pairs.owner} = {pairs.row}"
        f" AND key = ?{tests})"
    )
    return Fragment(sql, (project_id, key, *(test.params if test else ())))


def conjunction(fragments: Sequence[Fragment]) -> Fragment:
    """All of them, as text that follows a WHERE with a condition before it."""
    sql = "".join(f" AND {fragment.sql}" for fragment in fragments)
    return Fragment(sql, tuple(p for fragment in fragments for p in fragment.params))
