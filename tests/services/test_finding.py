"""Searching packages and groups: who sees what, and where a search ends."""

from collections.abc import Mapping
from typing import Any

import pytest

from modelkeep.domain.access import Access, Grant, Role, scope_of
from modelkeep.domain.errors import InvalidInput, LimitExceeded
from modelkeep.domain.models import Model
from modelkeep.domain.queries import Condition, Query, Relation
from modelkeep.domain.search import Position
from modelkeep.services import finding
from modelkeep.services.finding import Found, Shown, Wanted
from tests.support.core import Core

ALL = Wanted(Query(), order="creation_timestamp", ascending=True)
BY_NUMBER = Wanted(Query(), sort=("number",), ascending=True)


def shown(one: Shown) -> Mapping[str, Any]:
    return {"number": one.package.version.number, "tags": one.tags}


def named(model: Model) -> Mapping[str, Any]:
    return {"name": model.name}


def found(
    core: Core, wanted: Wanted, limit: int = 100, after: Position | None = None
) -> Found[Shown]:
    return core.read(finding.of_packages, wanted, shown, limit, after)


def names(page: Found[Shown]) -> list[str]:
    versions = [one.package.version for one in page.items]
    return [f"{version.model_name}/{version.number}" for version in versions]


@pytest.fixture
def filled(core: Core) -> Core:
    for name, team in (("churn", "risk"), ("fraud", "risk"), ("other", "ads")):
        core.model(name, tags={"team": team})
        for _ in range(3):
            core.register(name, "s3://bucket/model")
            core.clock.advance(1)
    return core


def test_only_what_a_caller_may_see_is_found_and_counted(filled: Core) -> None:
    of_team = Access((Grant(Role.VIEWER, scope_of("tag:team=risk")),))
    one = Access((Grant(Role.VIEWER, scope_of("model:other")),))

    def seen(work: Any, access: Access, wanted: Wanted) -> tuple[int, set[str], int]:
        page = finding.of_packages(work.seen_by(access), wanted, shown, 2, None)
        models = finding.groups(work.seen_by(access), wanted, named, 10, None)
        return page.total, {model.name for model in models.items}, models.total

    for wanted in (
        ALL,
        Wanted(Query(), sort=("number",)),
        Wanted(Query(), tags=(("team", "risk"),)),
    ):
        assert filled.read(seen, of_team, wanted) == (6, {"churn", "fraud"}, 2)
    assert filled.read(seen, one, ALL) == (3, {"other"}, 1)
    assert filled.read(seen, one, Wanted(Query(), handle="churn")) == (0, set(), 0)
    assert filled.read(seen, Access(), ALL) == (0, set(), 0)


def test_a_search_that_looks_at_too_many_rows_says_how_many_there_are_at_least(
    filled: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding, "ROWS_LIMIT", 4)
    monkeypatch.setattr(finding, "_AT_ONCE", 2)
    first = found(filled, ALL, limit=2)
    assert names(first) == ["churn/1", "churn/2"]
    assert (first.total, first.is_exact) == (4, False)
    rare = Wanted(
        Query((Condition(("number",), Relation.EQUALS, 3),)), order=ALL.order, ascending=True
    )
    pages = [page := found(filled, rare)]
    while page.end:
        pages.append(page := found(filled, rare, after=page.end))
    assert [names(page) for page in pages] == [["churn/3"], ["fraud/3"], ["other/3"]]
    assert not any(page.is_exact for page in pages)
    with pytest.raises(LimitExceeded, match="Sorting by number would have to look at more than 4"):
        found(filled, BY_NUMBER)


def test_pages_in_any_order_follow_one_another(filled: Core) -> None:
    for wanted in (ALL, BY_NUMBER):
        pages = [page := found(filled, wanted, limit=4)]
        while page.end:
            pages.append(page := found(filled, wanted, limit=4, after=page.end))
        assert [len(page.items) for page in pages] == [4, 4, 1]
        assert {(page.total, page.is_exact) for page in pages} == {(9, True)}
        assert len({name for page in pages for name in names(page)}) == 9


@pytest.mark.parametrize("after", [("a", 1, 2), (1, 1), (None, None, None), (0, "x", 1)])
def test_a_position_that_no_search_has_is_refused(filled: Core, after: Position) -> None:
    for wanted in (ALL, BY_NUMBER):
        with pytest.raises(InvalidInput, match="page token"):
            found(filled, wanted, after=after)
