"""The conditions and the orders of a search for runs, as SQL over `runs r`."""

from collections.abc import Sequence

from modelkeep.domain.search import Comparison, Order
from modelkeep.storage.sql.dialects import Dialect
from modelkeep.storage.sql.keyset import Term, nulls_last
from modelkeep.storage.sql.search import (
    Fragment,
    KeyValues,
    condition,
    having,
    holds,
)

_COLUMNS = {
    "run_id": "r.run_id",
    "run_name": "r.name",
    "user_id": "r.user_id",
    "status": "r.status",
    "start_time": "r.start_ms",
    "end_time": "r.end_ms",
    "artifact_uri": "r.artifact_uri",
    "experiment_id": "r.experiment_id",
}
_PARAMS = KeyValues("run_params", "run", "r.id")
_TAGS = KeyValues("run_tags", "run", "r.id", indexed=True)
_METRICS = KeyValues("latest_metrics", "run", "r.id")


def conditions(dialect: Dialect, project_id: int, where: Sequence[Comparison]) -> list[Fragment]:
    return [_test(dialect, project_id, comparison) for comparison in where]


def _test(dialect: Dialect, project_id: int, comparison: Comparison) -> Fragment:
    if comparison.field == "metric":
        test = number_test(dialect, comparison)
        return having(project_id, _METRICS, comparison.key, test)
    if comparison.field == "param":
        return holds(dialect, project_id, _PARAMS, comparison)
    if comparison.field == "tag":
        return holds(dialect, project_id, _TAGS, comparison)
    if comparison.field == "dataset":
        return _dataset_test(dialect, project_id, comparison)
    return condition(dialect, _COLUMNS[comparison.key], comparison)


def number_test(dialect: Dialect, comparison: Comparison) -> Fragment:
    """A comparison with a metric's value. Of a NaN only `!=` is true."""
    test = condition(dialect, "value", comparison)
    if comparison.op == "!=":
        return Fragment(f"({test.sql} OR is_nan = 1)", test.params)
    return Fragment(f"{test.sql} AND is_nan = 0", test.params)


def _dataset_test(dialect: Dialect, project_id: int, comparison: Comparison) -> Fragment:
    column = {"name": "name", "digest": "digest", "context": "context"}[comparison.key]
    test = condition(dialect, column, comparison)
    # A data set without a context has an empty one, which is no answer to "another context".
    given = " AND context <> ''" if column == "context" else ""
    return Fragment(
        "EXISTS (SELECT 1 FROM run_datasets WHERE project_id = ? AND run = r.id"
        f" AND {test.sql}{given})",
        (project_id, *test.params),
    )


def order_of(order: Sequence[Order]) -> tuple[Fragment, list[Term]]:
    """The joins that an order needs, and its terms.

    What a run does not have comes last, a NaN before that; runs that are equal so far come newest
    first.
    """
    joins: list[Fragment] = []
    terms: list[Term] = []
    for number, wanted in enumerate(order):
        if wanted.field == "attribute":
            terms += _of_attribute(wanted)
            continue
        pairs = {"metric": _METRICS, "param": _PARAMS, "tag": _TAGS}[wanted.field]
        joined = f"o{number}"
        joins.append(
            Fragment(
                f" LEFT JOIN {pairs.table} {joined} ON {joined}.project_id = r.project_id"
                f" AND {joined}.run = r.id AND {joined}.key = ?",
                (wanted.key,),
            )
        )
        terms += _of_value(joined, wanted)
    if not any((o.field, o.key) == ("attribute", "start_time") for o in order):
        terms.append(Term("r.start_ms", ascending=False))
    terms.append(Term("r.run_id", kind=str))
    sql = "".join(join.sql for join in joins)
    return Fragment(sql, tuple(p for join in joins for p in join.params)), terms


def _of_attribute(order: Order) -> list[Term]:
    kind = int if order.key in ("start_time", "end_time") else str
    term = Term(_COLUMNS[order.key], order.ascending, kind)
    return [*nulls_last(term)] if order.key == "end_time" else [term]


def _of_value(joined: str, order: Order) -> list[Term]:
    value = f"{joined}.value"
    if order.field != "metric":
        return [*nulls_last(Term(value, order.ascending, str))]
    # A NaN is stored as some number, and `is_nan` says so.
    rank = f"CASE WHEN {joined}.is_nan = 1 THEN 1 WHEN {value} IS NULL THEN 2 ELSE 0 END"
    return [Term(rank), Term(value, order.ascending, float, nullable=True)]
