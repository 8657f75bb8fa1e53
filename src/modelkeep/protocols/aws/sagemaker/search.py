"""Search over packages and groups, by whatever is shown of them and by the tags of the group."""

import math
from collections.abc import Mapping
from datetime import datetime
from functools import cache, partial
from typing import Any

from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.models import Model
from modelkeep.domain.queries import Condition, Query, Relation
from modelkeep.domain.search import Comparison
from modelkeep.domain.sharing import Lent
from modelkeep.domain.tags import shown
from modelkeep.protocols.aws import models
from modelkeep.protocols.aws.calls import Call, Operation
from modelkeep.protocols.aws.models import Shape
from modelkeep.protocols.aws.sagemaker import described, groups
from modelkeep.protocols.aws.sagemaker.expressions import TAGS, property_of, query_of
from modelkeep.protocols.aws.sagemaker.wording import asks_elsewhere
from modelkeep.protocols.cursors import page_position, position_token
from modelkeep.services import finding, permits
from modelkeep.services.app import App
from modelkeep.services.finding import Found, Shown, Wanted

PAGE = 10  # items, where the caller says nothing
PACKAGE, GROUP = "ModelPackage", "ModelPackageGroup"
_NEWEST_CHANGE = "LastModifiedTime"

# What we can sort by as rows are read.
_ORDERS = {"CreationTime": "creation_timestamp", _NEWEST_CHANGE: "last_updated_timestamp"}
_AT_LEAST = (Relation.GREATER, Relation.GREATER_OR_EQUAL)
_AT_MOST = (Relation.LESS, Relation.LESS_OR_EQUAL)


async def _search(app: App, call: Call) -> Mapping[str, Any]:
    params = call.params
    resource: str = params["Resource"]
    if resource not in (PACKAGE, GROUP):
        raise InvalidInput(f"Search finds {PACKAGE} and {GROUP} here, and not {resource}.")
    wanted = _wanted(resource, params)
    after = page_position(params.get("NextToken", ""), (resource, wanted))
    size = params.get("MaxResults", PAGE)
    as_group, as_package = partial(_group, call), partial(_package, call)
    if asks_elsewhere(call):
        found, results = Found([], None, 0, is_exact=True), []
    elif resource == GROUP:
        found = await app.search(finding.groups, wanted, as_group, size, after)
        results = map(as_group, found.items)
    else:
        found = await app.search(finding.of_packages, wanted, as_package, size, after)
        results = map(as_package, found.items)
    return {
        "Results": [{resource: _listed(one)} for one in results],
        "NextToken": position_token(found.end, (resource, wanted)) or None,
        "TotalHits": {
            "Value": found.total,
            "Relation": "EqualTo" if found.is_exact else "GreaterThanOrEqualTo",
        },
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
    told = described.described(call, one.package)
    told = {name: value for name, value in told.items() if name in known}
    return {**told, TAGS: shown(one.tags)}


def _listed(told: dict[str, Any]) -> dict[str, Any]:
    tags = [{"Key": key, "Value": value} for key, value in told[TAGS].items()]
    return {**told, TAGS: tags}


# -- who may -------------------------------------------------------------------------------------


def _seeks(call: Call) -> None:
    """A guest finds what they may describe."""
    permits.admit(lent=Lent(f"Describe{call.params['Resource']}"))


OPERATIONS: Mapping[tuple[str, str], Operation] = {
    ("sagemaker", "Search"): Operation(_search, _seeks),
}
