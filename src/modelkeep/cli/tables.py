"""Tables for people: a head, a rule, and columns that fit the terminal.

What is not a terminal gets every column, whole and without colour. A terminal that is too narrow
gets texts cut short (`…`), then columns left out, which is said below the table.
"""

import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from modelkeep.cli.client import plain

GAP = "  "
BOLD, GREEN = "1", "1;32"
TEXT_CELLS = 60  # of a description


@dataclass(frozen=True, slots=True)
class Column:
    """`least` cells it may be cut to (0: never cut); the highest `rank` is left out first (0:
    never left out).
    """

    head: str
    right: bool = False
    least: int = 0
    rank: int = 0


class Best(str):
    """A cell to be seen first."""

    __slots__ = ()


def show(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    """Prints a table. The cells are others' texts and are made harmless here."""
    texts = [[_harmless(cell) for cell in row] for row in rows]
    shown = list(range(len(columns)))
    while (widths := fit(columns, shown, texts, terminal_cells())) is None:
        shown.remove(max(shown, key=lambda index: (columns[index].rank, index)))
    head = [columns[i].head for i in shown]
    print(paint(_line(columns, shown, widths, head), BOLD))
    print(GAP.join("-" * width for width in widths))
    for row in texts:
        print(_line(columns, shown, widths, [row[i] for i in shown]))
    left_out = [column.head for i, column in enumerate(columns) if i not in shown]
    if left_out:
        print(f"Not shown for want of width: {', '.join(left_out)}. See --json.")


def fit(
    columns: Sequence[Column],
    shown: Sequence[int],
    rows: Sequence[Sequence[str]],
    limit: int | None,
) -> list[int] | None:
    """The widths of the columns shown; None when they don't fit even when cut."""
    widths = natural(columns, shown, rows)
    if limit is None:
        return widths
    excess = sum(widths) + len(GAP) * (len(widths) - 1) - limit
    spare = [w - max(columns[i].least, cells_of(columns[i].head)) if columns[i].least else 0
             for i, w in zip(shown, widths, strict=True)]  # fmt: skip
    if excess > sum(s for s in spare if s > 0) and any(columns[i].rank for i in shown):
        return None
    for _ in range(excess):
        widest = max(range(len(spare)), key=spare.__getitem__)
        if spare[widest] <= 0:
            break
        spare[widest] -= 1
        widths[widest] -= 1
    return widths


def natural(
    columns: Sequence[Column], shown: Sequence[int], rows: Sequence[Sequence[str]]
) -> list[int]:
    """The widths that show everything."""
    return [max(cells_of(text) for text in (columns[i].head, *(row[i] for row in rows)))
            for i in shown]  # fmt: skip


def terminal_cells() -> int | None:
    """The width of the terminal; None when there is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def paint(text: str, style: str) -> str:
    """The text in a colour, if there is a terminal that wants it."""
    is_plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return f"\x1b[{style}m{text}\x1b[0m" if sys.stdout.isatty() and not is_plain else text


def cells_of(text: str) -> int:
    """How many cells of a terminal a text takes: a Chinese character two."""
    from rich.cells import cell_len

    return cell_len(text)


def brief(text: str, limit: int = TEXT_CELLS) -> str:
    """The first line of a text, cut to some characters."""
    line = text.strip().split("\n", 1)[0]
    return line if len(line) <= limit else line[: limit - 1] + "…"


def moment(text: str | None, *, seconds: bool = False) -> str:
    """A time of the API's for a person: `2026-04-03 10:00Z`. `modelkeep at` takes it, too."""
    return f"{text[:10]} {text[11 : 19 if seconds else 16]}Z" if text else "?"


def size(size_bytes: int) -> str:
    """`459 B`, `5.23 MB`; 1 MB is 1024 KB, as in MLflow's pages."""
    if size_bytes < 1024:
        return f"{size_bytes} B"
    number, units = size_bytes / 1024, ["KB", "MB", "GB", "TB"]
    while number >= 1024 and len(units) > 1:
        number, units = number / 1024, units[1:]
    return f"{number:.2f} {units[0]}"


def _harmless(cell: str) -> str:
    safe = plain(cell).replace("\n", " ")
    return Best(safe) if isinstance(cell, Best) else safe


def _line(
    columns: Sequence[Column], shown: Sequence[int], widths: Sequence[int], row: Sequence[str]
) -> str:
    padded = [_padded(cell, w, right=columns[i].right)
              for i, w, cell in zip(shown, widths, row, strict=True)]  # fmt: skip
    return GAP.join(padded).rstrip()


def _padded(cell: str, width: int, *, right: bool) -> str:
    from rich.cells import set_cell_size

    if cells_of(cell) > width:
        return set_cell_size(cell, width - 1) + "…"
    pad = " " * (width - cells_of(cell))
    text = paint(cell, GREEN) if isinstance(cell, Best) else cell
    return pad + text if right else text + pad


def stage(version: dict[str, Any]) -> str:
    """A version's stage; with `!` if an emergency brought it somewhere that no review accepts."""
    return version["stage"] + (" !" if version["emergency"] else "")
