"""What a search asks for and finds, whichever dialect it was asked in."""

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

# Where a page ends: the values by which its last row was sorted, most significant first. The next
# page begins behind them, whatever has become of that row.
Position = tuple[str | int | float | None, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One condition. All conditions of a search must hold.

    `field` is "attribute", "tag", "metric", "param" or "dataset"; `op` one of =, !=, <, <=, >, >=,
    LIKE, ILIKE, IN, NOT IN, IS NULL, IS NOT NULL, and for tags IS NOT: another value under the
    key, or no such key. The value is a tuple for IN, None for IS NULL.
    """

    field: str
    key: str
    op: str
    value: str | float | int | tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Order:
    """One sort key, most significant first."""

    field: str
    key: str
    ascending: bool


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A part of what a search found; `end` is where it ends, None when nothing follows."""

    items: list[T]
    end: Position | None = None
