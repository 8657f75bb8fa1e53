"""Finding packages, groups and model cards by any property that SageMaker's clients see of them.

What an index can answer narrows the rows that are read; each of those is then shown as a client
would see it, and asked. However many there are, one search looks at a bounded number of rows: what
it counts is exact where it came to the end, and else a lower bound.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

from modelkeep.domain.errors import InvalidInput, LimitExceeded
from modelkeep.domain.models import PROMPT_TAG, Model
from modelkeep.domain.packages import SINGLE, SINGLE_TAG, Package, told_tags
from modelkeep.domain.queries import Path, Query, at
from modelkeep.domain.resources import Kind, Resource
from modelkeep.domain.search import Comparison, Order, Page, Position
from modelkeep.ports.resources import Sought
from modelkeep.ports.work import Work
from modelkeep.services import packages, registry

ROWS_LIMIT = 5_000  # looked at by one search
_AT_ONCE = 200
_NO_PROMPTS = Comparison("tag", PROMPT_TAG, "IS NOT", "true")
_NO_SINGLES = Comparison("tag", SINGLE_TAG, "IS NOT", SINGLE)

# Whether the value is missing, the value (a time in seconds), and the row's id.
_Key = tuple[int, str | float, int]
_KEY_WIDTH = 3

T = TypeVar("T")
Read = Callable[[int, Position | None], Page[T]]
Document = Callable[[T], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is searched for.

    `where`, `handle` and `tags` (of the model) say nothing that `query` does not say: they narrow.
    The order is one of ours or, with `sort`, that of what lies at a path, what lacks it last.
    """

    query: Query
    where: tuple[Comparison, ...] = ()
    handle: str | None = None
    tags: tuple[tuple[str, str], ...] = ()
    order: str = "last_updated_timestamp"
    sort: Path = ()
    ascending: bool = False


@dataclass(frozen=True, slots=True)
class Found(Generic[T]):
    """A page of what was found, where it ends, and how many there are, or at least are."""

    items: list[T]
    end: Position | None
    total: int
    is_exact: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """A package, and the tags of its group or, where it has none, its own."""

    package: Package
    tags: Mapping[str, str] = field(default_factory=dict)


def groups(
    work: Work, wanted: Wanted, document: Document[Model], limit: int, after: Position | None
) -> Found[Model]:
    """Raises LimitExceeded for an order that no index has, of too many rows."""
    where = _of_models(work, wanted, on_models=True)
    if where is None:
        return Found([], None, 0, is_exact=True)

    def read(size: int, position: Position | None) -> Page[Model]:
        return work.models.search(where, _order(wanted), size, position)

    return _find(wanted, read, document, lambda model: model.id, limit, after)


def of_packages(
    work: Work, wanted: Wanted, document: Document[Shown], limit: int, after: Position | None
) -> Found[Shown]:
    """Raises LimitExceeded for an order that no index has, of too many rows."""
    where = _of_models(work, wanted, on_models=False)
    if where is None:
        return Found([], None, 0, is_exact=True)
    tags: dict[str, Mapping[str, str]] = {}
    viewer = packages.Viewer(work)

    def shown(package: Package) -> Shown:
        name = package.version.model_name
        if name not in tags:
            tags[name] = told_tags(registry.get_model(work, name).tags)
        return Shown(package, tags[name])

    def read(size: int, position: Position | None) -> Page[Shown]:
        page = work.versions.search(where, _order(wanted), size, position)
        return Page([shown(viewer.package(version)) for version in page.items], page.end)

    return _find(wanted, read, document, lambda one: one.package.version.id, limit, after)


def cards(
    work: Work, wanted: Wanted, document: Document[Resource], limit: int, after: Position | None
) -> Found[Resource]:
    """Raises LimitExceeded for an order that no index has, of too many rows."""
    by_change = wanted.order == "last_updated_timestamp"
    sought = Sought(by_change=by_change, ascending=wanted.ascending)

    def read(size: int, position: Position | None) -> Page[Resource]:
        return work.resources.listed(Kind.CARD, sought, size, position)

    return _find(wanted, read, document, lambda card: card.id, limit, after)


def _of_models(work: Work, wanted: Wanted, *, on_models: bool) -> list[Comparison] | None:
    """The comparisons that narrow a search, of models or of their versions; None where nothing can
    be found."""
    where = [*wanted.where, _NO_PROMPTS]
    if wanted.handle is not None:
        name = work.models.by_handle(wanted.handle)
        if name is None:
            return None
        where.append(Comparison("attribute", "name", "=", name))
    tagged = [Comparison("tag", key, "=", value) for key, value in wanted.tags]
    if on_models:
        return [*where, *tagged, _NO_SINGLES]
    if tagged:
        found = work.models.search(tagged, [], _AT_ONCE, None)
        if found.end is None:
            names = tuple(model.name for model in found.items)
            where.append(Comparison("attribute", "name", "IN", names))
    return where


def _order(wanted: Wanted) -> Sequence[Order]:
    return [Order("attribute", wanted.order, wanted.ascending)]


# -- rows ----------------------------------------------------------------------------------------


def _find(
    wanted: Wanted,
    read: Read[T],
    document: Document[T],
    id_of: Callable[[T], int],
    limit: int,
    after: Position | None,
) -> Found[T]:
    if wanted.sort:
        return _sorted(wanted, read, document, id_of, limit, after)
    return _in_order(wanted.query, read, document, limit, after)


def _in_order(
    query: Query, read: Read[T], document: Document[T], limit: int, after: Position | None
) -> Found[T]:
    """A page in the order that rows are read in. The first one counts what follows it too: the
    positions of the others begin with that count, and whether it is exact."""
    known, position = _counted(after) if after else (None, None)
    items: list[T] = []
    end: Position | None = None
    beyond = seen = 0
    while True:
        page = read(_AT_ONCE, position)
        for place, one in enumerate(page.items, start=1):
            if not query.holds(document(one)):
                continue
            if len(items) == limit:
                beyond += 1
                continue
            items.append(one)
            if len(items) == limit:
                end = read(place, position).end
        seen, position = seen + len(page.items), page.end
        if position is None or seen >= ROWS_LIMIT or (known and len(items) == limit):
            break
    total, is_exact = known or (len(items) + beyond, position is None)
    if len(items) < limit or (position is None and not beyond):
        end = position
    return Found(items, (total, int(is_exact), *end) if end else None, total, is_exact)


def _counted(after: Position) -> tuple[tuple[int, bool], Position]:
    """The count that a position begins with, whether it is exact, and the position itself."""
    total, is_exact, *position = after if len(after) > 2 else (None, None)
    if not (isinstance(total, int) and isinstance(is_exact, int)):
        raise _no_such_page()
    return (total, bool(is_exact)), tuple(position)


def _sorted(
    wanted: Wanted,
    read: Read[T],
    document: Document[T],
    id_of: Callable[[T], int],
    limit: int,
    after: Position | None,
) -> Found[T]:
    """A page in the order of what lies at a path, for which all that was found is put in order."""
    found: list[tuple[_Key, T]] = []
    for one in _all(wanted, read):
        seen_as = document(one)
        if wanted.query.holds(seen_as):
            found.append((_key(seen_as, wanted.sort, id_of(one)), one))
    there = [pair for pair in found if not pair[0][0]]
    lacking = [pair for pair in found if pair[0][0]]
    for some in (there, lacking):
        some.sort(key=lambda pair: pair[0], reverse=not wanted.ascending)
    if after and len(after) != _KEY_WIDTH:
        raise _no_such_page()
    try:
        rest = [
            (key, one)
            for key, one in there + lacking
            if after is None or _is_behind(key, after, ascending=wanted.ascending)
        ]
    except TypeError:
        raise _no_such_page() from None
    end = rest[limit - 1][0] if len(rest) > limit else None
    return Found([one for _, one in rest[:limit]], end, len(found), is_exact=True)


def _all(wanted: Wanted, read: Read[T]) -> Iterator[T]:
    position, seen = None, 0
    while True:
        page = read(_AT_ONCE, position)
        yield from page.items
        seen, position = seen + len(page.items), page.end
        if position is None:
            return
        if seen >= ROWS_LIMIT:
            raise LimitExceeded(
                f"Sorting by {'.'.join(wanted.sort)} would have to look at more than {ROWS_LIMIT} "
                "of them; search for fewer, or sort by CreationTime or LastModifiedTime."
            )


def _key(document: Mapping[str, Any], path: Path, row_id: int) -> _Key:
    value = next(at(document, path), None)
    if value is None:
        return 1, 0, row_id
    if isinstance(value, datetime):
        return 0, value.timestamp(), row_id
    return 0, value if isinstance(value, int | float) else str(value), row_id


def _is_behind(key: _Key, after: Position, *, ascending: bool) -> bool:
    if key[0] != after[0]:
        return key[0] > after[0]  # type: ignore[operator]
    return key[1:] > after[1:] if ascending else key[1:] < after[1:]


def _no_such_page() -> InvalidInput:
    return InvalidInput("Invalid page token, it is of another search")
