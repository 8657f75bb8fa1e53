"""The results as tables for people, as JSON for programs, and as a block of a document."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks import results
from benchmarks.plan import Sample
from benchmarks.results import OURS, Figure, Line

PEER = "mlflow"
BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"
_NAMES = {"mlflow": "MLflow", "sqlite": "SQLite", "postgresql": "PostgreSQL"}
_IN_CELLS = ("p50_ms", "p99_ms")


class NoBlock(Exception):
    """The document has no block to write to; the message says what it must have."""


class NotResults(Exception):
    """The file holds no results of an earlier run."""


def markdown(
    samples: Sequence[Sample], circumstances: dict[str, object], failures: Sequence[str] = ()
) -> str:
    """Everything: in what circumstances, a table for each pair of servers, sizes, limits."""
    lines = results.lines(samples, PEER)
    products = [PEER, *dict.fromkeys(p for line in lines for p in line.ratios if p != PEER)]
    parts = [_told(circumstances), *(f"**Failed**: {failure}" for failure in failures)]
    for database in dict.fromkeys(line.database for line in lines):
        of_it = [line for line in lines if line.database == database]
        for product in products:
            fixed = [
                li
                for li in of_it
                if not li.size and (product in li.ratios or (product == PEER and not li.ratios))
            ]
            if fixed:
                parts += [
                    f"### On {_named(database)}, beside {_named(product)}",
                    _pairs(fixed, product),
                ]
        if sized := [line for line in of_it if line.size]:
            parts += [f"### Searches, and cost by size, on {_named(database)}", _by_size(sized)]
    if machine := results.limits(samples):
        parts += ["### What the machine allows", _limits(machine)]
    return "\n\n".join(parts) + "\n"


def save(
    path: Path,
    samples: Sequence[Sample],
    circumstances: dict[str, object],
    failures: Sequence[str] = (),
) -> None:
    content = {
        "circumstances": circumstances,
        "failures": list(failures),
        "lines": [asdict(line) for line in results.lines(samples, PEER)],
        "samples": [asdict(sample) for sample in samples],
    }
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def completed(
    samples: Sequence[Sample], circumstances: dict[str, object], earlier: Path
) -> tuple[list[Sample], dict[str, object]]:
    """With what an earlier run, as it was saved, measured and this one did not; and when that was.

    Ratios stay within a run: of a kind of measurement either all samples are earlier or none.
    Raises NotResults, OSError.
    """
    try:
        saved = json.loads(earlier.read_text(encoding="utf-8"))
        old = [Sample(**sample) for sample in saved["samples"]]
        when = f"{saved['circumstances']['taken']} ({saved['circumstances']['plan']})"
    except (ValueError, KeyError, TypeError) as problem:
        raise NotResults(f"{earlier} is not what --out wrote: {problem!r}") from problem
    measured = {_kind(sample) for sample in samples}
    added = [sample for sample in old if _kind(sample) not in measured]
    kinds = ", ".join(dict.fromkeys(map(_kind, added)))
    told = {f"of an earlier run, {when}": kinds} if added else {}
    return [*samples, *added], circumstances | told


def _kind(sample: Sample) -> str:
    return sample.measurement.partition(":")[0]


def write_block(path: Path, text: str) -> None:
    """Replaces what is between the two comments. Raises NoBlock if they are not there."""
    before, after = require_block(path)
    path.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}", encoding="utf-8")


def require_block(path: Path) -> tuple[str, str]:
    """What is before and after the two comments. Raises NoBlock, OSError."""
    before, begin, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise NoBlock(f"{path} has no line {BEGIN} with a line {END} after it.")
    return before, after


# -- tables ----------------------------------------------------------------------------------------


def _pairs(lines: Sequence[Line], product: str) -> str:
    header = ("work", _named(product), OURS, "ratio", "target", "reached", "also")
    return _table(
        header,
        (
            (
                line.measurement,
                _cell(line.figures.get(product)),
                _cell(line.figures.get(OURS)),
                _number(line.ratios[product]) if product in line.ratios else "",
                *_verdicts(line),
                _also(line.figures.get(OURS)),
            )
            for line in lines
        ),
    )


def _by_size(lines: Sequence[Line]) -> str:
    """A line a measurement: ours at each size, how it grew, and the peer's where there is one."""
    sizes = sorted({line.size for line in lines})
    judged = {line.measurement: {} for line in lines}
    for line in lines:
        judged[line.measurement][line.size] = line
    header = (
        "p50 (p99) in ms, by size",
        *(f"{size:,}" for size in sizes),
        "last by first",
        *(f"{_named(PEER)} at {size:,}" for size in sizes[:-1] or sizes),
        "ratio",
        "target",
        "reached",
    )
    return _table(header, (_grown(name, of_it, sizes) for name, of_it in judged.items()))


def _grown(name: str, of_it: dict[int, Line], sizes: Sequence[int]) -> tuple[str, ...]:
    ours = {size: line.figures[OURS] for size, line in of_it.items() if OURS in line.figures}
    first, last = (ours.get(size) for size in (min(of_it), max(of_it)))
    grown = _number(last.value / first.value) if first and last and len(ours) > 1 else ""
    theirs = [of_it[size].figures.get(PEER) if size in of_it else None for size in sizes]
    ratios = [
        of_it[size].ratios[PEER] for size in sizes if size in of_it and PEER in of_it[size].ratios
    ]
    verdicts = [v for line in of_it.values() for v in line.verdicts]
    missed = [f"no, {v.found}" for v in verdicts if not v.reached]
    return (
        name,
        *(_times(ours.get(size)) for size in sizes),
        grown,
        *(_times(figure) for figure in (theirs[:-1] or theirs)),
        _number(ratios[-1]) if ratios else "",
        verdicts[0].target if verdicts else "",
        "; ".join(missed) or ("yes" if verdicts else ""),
    )


def _limits(machine: dict[str, Figure]) -> str:
    return _table(("limit", "median"), ((name, _cell(figure)) for name, figure in machine.items()))


def _verdicts(line: Line) -> tuple[str, str]:
    return (
        "; ".join(verdict.target for verdict in line.verdicts),
        "; ".join("yes" if v.reached else f"no, {v.found}" for v in line.verdicts),
    )


def _cell(figure: Figure | None) -> str:
    """ "2,217 /s (p50 7.1, p99 12 ms)"."""
    if figure is None:
        return ""
    both = [figure.detail.get(key) for key in _IN_CELLS]
    shown = f"{_number(figure.value)} {figure.unit}"
    if None in both:
        return shown
    p50, p99 = (_number(each) for each in both if each is not None)
    return f"{shown} (p99 {p99})" if figure.unit == "ms" else f"{shown} (p50 {p50}, p99 {p99} ms)"


def _times(figure: Figure | None) -> str:
    return f"{_number(figure.value)} ({_number(figure.detail['p99_ms'])})" if figure else ""


def _also(figure: Figure | None) -> str:
    detail = figure.detail if figure else {}
    also = (f"{_number(v)} {k}" for k, v in detail.items() if k not in _IN_CELLS)
    said = ", ".join(also).replace("limit_pct", "% of the limit")
    return said.replace("cpu_us", "µs of its processors each").replace("_", " ")


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Without the columns that nothing is in."""
    cells = list(rows)
    kept = [c for c in range(len(header)) if any(row[c] for row in cells)]
    all_lines = [header, ["---"] * len(header), *cells]
    return "\n".join("| " + " | ".join(line[c] for c in kept) + " |" for line in all_lines)


def _told(circumstances: dict[str, object]) -> str:
    return ", ".join(f"{name}: {value}" for name, value in circumstances.items()).replace("_", " ")


def _named(word: str) -> str:
    return _NAMES.get(word, word)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"
