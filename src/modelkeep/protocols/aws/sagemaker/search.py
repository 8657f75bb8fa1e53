"""Search over packages, groups and model cards, by whatever is shown of them and by tags."""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cache, partial
from typing import Any

from modelkeep.domain.errors import Forbidden, InvalidInput
from modelkeep.domain.models import Model
from modelkeep.domain.queries import Condition, Query, Relation
from modelkeep.domain.resources import Resource
from modelkeep.domain.search import Comparison
from modelkeep.domain.sharing import Lent
from modelkeep.domain.tags import shown
from modelkeep.protocols.aws import models
from modelkeep.protocols.aws.calls import Call, Operation
from modelkeep.protocols.aws.models import Shape
from modelkeep.protocols.aws.sagemaker import cards, described, groups
from modelkeep.protocols.aws.sagemaker.expressions import TAGS, property_of, query_of
from modelkeep.protocols.aws.sagemaker.wording import asks_elsewhere
from modelkeep.protocols.cursors import page_position, position_token
from modelkeep.services import finding, permits
from modelkeep.services.app import App
from modelkeep.services.finding import Found, Shown, Wanted

TOKEN_MS = 24 * 60 * 60 * 1000  # for which the next page may be asked for
PAGE = 10  # items, where the caller says nothing
PACKAGE, GROUP, CARD = "ModelPackage", "ModelPackageGroup", "ModelCard"
_MODEL = "Model"  # of a dashboard that is not here; its models are
_NEWEST_CHANGE = "LastModifiedTime"

# What we can sort by as rows are read.
_ORDERS = {"CreationTime": "creation_timestamp", _NEWEST_CHANGE: "last_updated_timestamp"}
_AT_LEAST = (Relation.GREATER, Relation.GREATER_OR_EQUAL)
_AT_MOST = (Relation.LESS, Relation.LESS_OR_EQUAL)


async def _search(app: App, call: Call) -> Mapping[str, Any]:
    params = call.params
    resource: str = params["Resource"]
    if resource == _MODEL:
        raise InvalidInput(f"Search finds {PACKAGE}, {GROUP} and {CARD} here, and not {resource}.")
    if resource not in _SEARCHED:
        return _page(Found([], None, 0, is_exact=True))
    wanted = _wanted(resource, params)
    after = page_position(_believed(app, call), (resource, wanted))
    size = params.get("MaxResults", PAGE)
    if asks_elsewhere(call):
        return _page(Found([], None, 0, is_exact=True))
    find, show = _SEARCHED[resource]
    document = partial(show, call)
    found = await app.search(find, wanted, document, size, after)
    results = [{resource: _listed(document(one))} for one in found.items]
    return _page(found, results, _signed(app, call, position_token(found.end, (resource, wanted))))


# A token carries the count of what its caller may see, which it is asked to believe later: so it is
# signed, and no other caller's.


def _signed(app: App, call: Call, token: str) -> str:
    until_ms = app.clock.now_ms() + TOKEN_MS
    return app.signer.sign(_purpose(call), until_ms, token) if token else ""


def _believed(app: App, call: Call) -> str:
    """What was signed of the token that is given, if one is. Raises InvalidInput."""
    given = call.params.get("NextToken", "")
    if not given:
        return ""
    try:
        (token,) = app.signer.read(_purpose(call), given, app.clock.now_ms())
    except Forbidden:
        raise InvalidInput(
            "Invalid page token, it is none of this server's, or another caller's, or has expired."
        ) from None
    return str(token)


def _purpose(call: Call) -> str:
    return f"search:{call.caller_account}:{call.caller.actor.name}"


def _page(found: Found[Any], results: Sequence[Any] = (), token: str = "") -> dict[str, Any]:
    relation = "EqualTo" if found.is_exact else "GreaterThanOrEqualTo"
    return {
        "Results": results,
        "NextToken": token or None,
        "TotalHits": {"Value": found.total, "Relation": relation},
    }


# -- what is asked -------------------------------------------------------------------------------


def _wanted(resource: str, params: Mapping[str, Any]) -> Wanted:
    shape = _shape(resource)
    query = query_of(shape, params.get("SearchExpression", {}))
    if visible := params.get("VisibilityConditions"):
        query = Query((query, *(_visible(one) for one in visible)))
    by = params.get("SortBy", _NEWEST_CHANGE)
    must = list(query.required())
    return Wanted(
        query,
        where=tuple(found for one in must if (found := _narrowing(one, resource))),
        handle=next((str(one.value) for one in must if _names_group(one)), None),
        tags=tuple((one.path[1], str(one.value)) for one in must if _is_tag(one)),
        order=_ORDERS.get(by, _ORDERS[_NEWEST_CHANGE]),
        sort=() if by in _ORDERS else property_of(shape, by).path,
        ascending=params.get("SortOrder") == "Ascending",
    )


@cache
def _shape(resource: str) -> Shape:
    return Shape(models.service("sagemaker").shapes, {"shape": resource})


def _visible(given: Mapping[str, str]) -> Condition:
    """That a tag has a value. Raises InvalidInput for what is no tag."""
    kind, _, key = given.get("Key", "").partition(".")
    if kind != TAGS or not key:
        raise InvalidInput("The Key of a VisibilityCondition is Tags. and the key of a tag.")
    return Condition((TAGS, key), Relation.EQUALS, given.get("Value", ""))


def _names_group(one: Condition) -> bool:
    return one.path == ("ModelPackageGroupName",) and one.relation is Relation.EQUALS


def _is_tag(one: Condition) -> bool:
    return one.path[0] == TAGS and one.relation is Relation.EQUALS


def _narrowing(one: Condition, resource: str) -> Comparison | None:
    """The same, or less, of our rows: what an index has."""
    if one.path == ("CreationTime",) and isinstance(one.value, datetime):
        at_ms = one.value.timestamp() * 1000
        if one.relation in _AT_LEAST:
            return Comparison("attribute", "creation_timestamp", ">=", math.floor(at_ms))
        if one.relation in _AT_MOST:
            return Comparison("attribute", "creation_timestamp", "<=", math.ceil(at_ms))
    is_metadata = resource == PACKAGE and one.path[0] == "CustomerMetadataProperties"
    if is_metadata and one.relation is Relation.EQUALS:
        return Comparison("tag", one.path[1], "=", str(one.value))
    return None


# -- what is shown -------------------------------------------------------------------------------


def _group(call: Call, model: Model) -> dict[str, Any]:
    return {**groups.described(call, model), TAGS: shown(model.tags)}


def _package(call: Call, one: Shown) -> dict[str, Any]:
    known = _shape(PACKAGE).members
    told = described.described(call, one.package, to_guest=call.is_guests)
    told = {name: value for name, value in told.items() if name in known}
    return {**told, TAGS: shown(one.tags)}


def _card(call: Call, card: Resource) -> dict[str, Any]:
    told = cards.described(call, card)
    return {**told, **cards.subject(told["Content"]), TAGS: shown(card.tags)}


# Whatever else AWS searches there is none of here.
_SEARCHED: Mapping[str, tuple[Callable[..., Found[Any]], Callable[[Call, Any], dict[str, Any]]]] = {
    GROUP: (finding.groups, _group),
    PACKAGE: (finding.of_packages, _package),
    CARD: (finding.cards, _card),
}


def _listed(told: dict[str, Any]) -> dict[str, Any]:
    tags = [{"Key": key, "Value": value} for key, value in told[TAGS].items()]
    return {**told, TAGS: tags}


# -- who may -------------------------------------------------------------------------------------


def _seeks(call: Call) -> None:
    """A guest finds what they may describe."""
    resource: str = call.params["Resource"]
    permits.admit(lent=Lent(f"Describe{resource}") if resource in (PACKAGE, GROUP) else None)


OPERATIONS: Mapping[tuple[str, str], Operation] = {
    ("sagemaker", "Search"): Operation(_search, _seeks),
}
