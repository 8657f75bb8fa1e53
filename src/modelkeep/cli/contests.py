"""How `modelkeep compare` shows versions side by side.

One row a version, as in a table of runs; where that is too wide for the terminal one row a fact,
with as many versions beside one another as fit.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from modelkeep.cli import tables
from modelkeep.cli.tables import Best, Column, brief, moment, stage

RUN_CHARS = 8
VALUE_CHARS = 24
NAME_CELLS = 12  # of a metric, at least, however narrow the terminal


def show(found: dict[str, Any]) -> None:
    if not found["versions"]:
        print(tables.plain(f"Model {found['model']} has no versions."))
        return
    facts = list(_facts(found))
    columns = [column for column, _ in facts]
    rows = [list(row) for row in zip(*(values for _, values in facts), strict=True)]
    print(tables.plain(f"Model Version Comparison: {found['model']}"))
    if _is_narrow(columns, rows):
        _show_turned(columns, rows)
    else:
        tables.show(columns, rows)
    for line in _verdicts(found["metrics"]):
        print(tables.plain(line))


def _facts(found: dict[str, Any]) -> Iterator[tuple[Column, list[str]]]:
    """The columns, each with its value for every version: as a person would ask for them."""
    versions = found["versions"]
    yield Column("Version", right=True), [str(v["version"]) for v in versions]
    yield Column("Stage"), [stage(v) for v in versions]
    yield Column("Status"), [v["status"] for v in versions]
    yield Column("Created"), [moment(v["created"]) for v in versions]
    for metric in found["metrics"]:
        yield Column(tables.plain(metric["name"]), right=True), _values(metric, versions)
    for kind in ("params", "tags"):
        for row in found[kind]:
            if row["differs"]:
                yield Column(tables.plain(row["name"])), [_text(value) for value in row["values"]]
    yield Column("Run ID"), [(v["run"] or "-")[:RUN_CHARS] for v in versions]


def _values(metric: dict[str, Any], versions: list[dict[str, Any]]) -> list[str]:
    """A mark stands behind the best; where there is one, the others keep its place free."""
    cells = []
    for version, value in zip(versions, metric["values"], strict=True):
        text = number(value)
        is_best = version["version"] in metric["best"]
        cells.append(Best(f"{text}*") if is_best else text + " " * bool(metric["best"]))
    return cells


def _text(value: str | None) -> str:
    return "-" if value is None else tables.plain(brief(value, VALUE_CHARS))


def number(value: float | str | None) -> str:
    """A metric for a person: six digits of it."""
    if isinstance(value, int | float):
        return f"{value:.6g}"
    return "-" if value is None else value


def _is_narrow(columns: Sequence[Column], rows: list[list[str]]) -> bool:
    limit = tables.terminal_cells()
    widths = tables.natural(columns, range(len(columns)), rows)
    return limit is not None and sum(widths) + len(tables.GAP) * (len(widths) - 1) > limit


def _show_turned(columns: Sequence[Column], rows: list[list[str]]) -> None:
    names = [column.head for column in columns[1:]]
    rest = rows
    while rest:
        count = _fitting(names, rest)
        heads = [Column(columns[0].head, least=NAME_CELLS)]
        heads += [Column(row[0], right=True) for row in rest[:count]]
        tables.show(heads, list(zip(names, *(row[1:] for row in rest[:count]), strict=True)))
        rest = rest[count:]
        print()


def _fitting(names: list[str], rows: list[list[str]]) -> int:
    """How many of the versions fit beside the names; at least one."""
    room = (tables.terminal_cells() or 0) - max(map(tables.cells_of, names))
    for index, row in enumerate(rows):
        room -= len(tables.GAP) + max(map(tables.cells_of, row))
        if room < 0:
            return max(index, 1)
    return len(rows)


def _verdicts(metrics: list[dict[str, Any]]) -> Iterator[str]:
    """Who is best by what, in words."""
    wins: dict[str, list[str]] = {}
    for metric in metrics:
        lower = " (lower is better)" if metric["lower_is_better"] else ""
        if metric["best"]:
            winners = ", ".join(map(str, metric["best"]))
            wins.setdefault(winners, []).append(metric["name"] + lower)
    if wins:
        yield "Best Version (*):"
    for winners, names in wins.items():
        yield f"  {winners} by {', '.join(names)}"
