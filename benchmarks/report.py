"""Medians over the rounds, as a table for people and as JSON for programs."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.plan import Sample

PEER = "mlflow"
_HEADER = ("measurement", "server", "median", "p50 ms", "p99 ms", f"ratio to {PEER}", "also")
_COLUMNS_OF_THEIR_OWN = ("p50_ms", "p99_ms")


def table(samples: Sequence[Sample]) -> str:
    """A Markdown table: one line a measurement and server, with its ratio to the peer's."""
    groups: dict[tuple[str, str], list[Sample]] = {}
    for sample in samples:
        groups.setdefault((sample.measurement, sample.server), []).append(sample)
    order = {measurement: None for measurement, _ in groups}
    lines = [_HEADER, tuple("---" for _ in _HEADER)]
    for measurement in order:
        of_peer = groups.get((measurement, PEER))
        for (name, _), found in groups.items():
            if name == measurement:
                lines.append(_line(found, of_peer))
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEADER))]
    return "\n".join(
        "| " + " | ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)) + " |"
        for line in lines
    )


def save(path: Path, samples: Sequence[Sample], circumstances: dict[str, object]) -> None:
    content = {"circumstances": circumstances, "samples": [asdict(sample) for sample in samples]}
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _line(found: list[Sample], of_peer: list[Sample] | None) -> tuple[str, ...]:
    one = found[0]
    middle = _median(found)
    detail = {key: statistics.median(s.detail[key] for s in found) for key in one.detail}
    own = [_number(detail[key]) if key in detail else "" for key in _COLUMNS_OF_THEIR_OWN]
    also = [f"{_number(v)} {k}" for k, v in detail.items() if k not in _COLUMNS_OF_THEIR_OWN]
    ratio = ""
    if of_peer and one.server != PEER:
        theirs = _median(of_peer)
        ours, base = (middle, theirs) if one.rate else (theirs, middle)
        ratio = f"{ours / base:.3g}" if base else ""
    shown = f"{_number(middle)} {one.unit}"
    return (one.measurement, one.server, shown, *own, ratio, ", ".join(also).replace("_", " "))


def _median(found: list[Sample]) -> float:
    return statistics.median(sample.value for sample in found)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"
