"""Tags of whatever has an ARN and may have tags."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from modelkeep.domain.access import Verb
from modelkeep.domain.errors import InvalidInput, NotFound
from modelkeep.domain.resources import Kind
from modelkeep.domain.sharing import Lent
from modelkeep.domain.tags import fitting
from modelkeep.protocols.aws.arns import named
from modelkeep.protocols.aws.calls import Call, Operation
from modelkeep.protocols.aws.sagemaker import cards, deployables, described
from modelkeep.protocols.aws.sagemaker.wording import GROUP, PAGE, check_ours, no_group, tags_of
from modelkeep.protocols.cursors import page_position, position_token
from modelkeep.services import groups, permits, resources, tagging
from modelkeep.services.app import App
from modelkeep.services.permits import Need

_ARN = "ResourceArn"


@dataclass(frozen=True, slots=True)
class Tagged:
    """A kind of thing that has tags: its use cases, which are given `among` and the thing's name,
    what to say of one that is not there, and what a verb on one takes."""

    among: Kind | tagging.Find  # what one is found by
    of: Callable[..., Mapping[str, str]]
    add: Callable[..., Mapping[str, str]]
    remove: Callable[..., None]
    missing: Callable[[Call, str], Exception]
    need: Callable[[Verb, str], Need]


def _on_resource(kind: Kind, verb: Verb, name: str) -> Need:
    return permits.on_resource(verb, kind, name)


def _on_model(verb: Verb, handle: str) -> Need:
    return Need(verb, find=lambda work: work.models.by_handle(handle))


def _of(kind: Kind, missing: Callable[[Call, str], Exception]) -> Tagged:
    use_cases = resources.tags_of, resources.add_tags, resources.remove_tags
    return Tagged(kind, *use_cases, missing, partial(_on_resource, kind))


def _of_model(find: tagging.Find, missing: Callable[[Call, str], Exception]) -> Tagged:
    return Tagged(find, tagging.of, tagging.add, tagging.remove, missing, _on_model)


def _no_single(call: Call, name: str) -> NotFound:
    return described.no_package(call, name, None)


_KINDS: Mapping[str, Tagged] = {
    Kind.CARD.value: _of(Kind.CARD, cards.no_card),
    Kind.MODEL.value: _of(Kind.MODEL, deployables.no_model),
    GROUP: _of_model(groups.get, no_group),
    described.KIND: _of_model(groups.single, _no_single),
}


async def _add(app: App, call: Call) -> Mapping[str, Any]:
    kind, name = _meant(call)
    tags = tags_of(call.params["Tags"])
    try:
        found = await app.write(kind.add, call.caller, kind.among, name, tags)
    except NotFound:
        raise kind.missing(call, name) from None
    return {"Tags": _listed(fitting(found))}


async def _list(app: App, call: Call) -> Mapping[str, Any]:
    kind, name = _meant(call)
    arn: str = call.params[_ARN]
    after = page_position(call.params.get("NextToken", ""), arn)
    size = call.params.get("MaxResults", PAGE)
    try:
        found = fitting(await app.read(kind.of, kind.among, name, point=True))
    except NotFound:
        raise kind.missing(call, name) from None
    rest = {key: value for key, value in found.items() if after is None or (key,) > after}
    shown = dict(list(rest.items())[:size])
    end = (list(shown)[-1],) if len(shown) < len(rest) else None
    return {"Tags": _listed(shown), "NextToken": position_token(end, arn) or None}


async def _delete(app: App, call: Call) -> Mapping[str, Any]:
    kind, name = _meant(call)
    try:
        await app.write(kind.remove, call.caller, kind.among, name, call.params["TagKeys"])
    except NotFound:
        raise kind.missing(call, name) from None
    return {}


def _listed(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _meant(call: Call) -> tuple[Tagged, str]:
    """What an ARN names. Raises InvalidInput for what has no tags here."""
    check_ours(call, call.params[_ARN])
    found = named(call.params[_ARN])
    kind = _KINDS.get(found.kind)
    if found.kind == described.KIND and described.package_of(found.name)[1] is not None:
        raise InvalidInput(
            f"{call.params[_ARN]} cannot have tags here: a version has those of its group."
        )
    if kind is None:
        raise InvalidInput(
            f"{call.params[_ARN]} cannot have tags here; these can: {', '.join(sorted(_KINDS))}."
        )
    return kind, found.name


# -- who may -------------------------------------------------------------------------------------


def _adds(call: Call) -> None:
    _changes(call, tags_of(call.params["Tags"]))


def _deletes(call: Call) -> None:
    _changes(call, dict.fromkeys(call.params["TagKeys"]))


def _changes(call: Call, changes: Mapping[str, str | None]) -> None:
    """A tag on which grants hang takes an admin."""
    kind, name = _meant(call)
    need = kind.need(Verb.WRITE, name)
    permits.admit(need, *permits.of_tags(need, changes), lent=_lent(call, name))


def _reads(call: Call) -> None:
    kind, name = _meant(call)
    permits.admit(kind.need(Verb.READ, name), lent=_lent(call, name))


def _lent(call: Call, name: str) -> Lent | None:
    """Of what has tags, groups alone are shared."""
    return call.lent(name) if named(call.params[_ARN]).kind == GROUP else None


OPERATIONS: Mapping[tuple[str, str], Operation] = {
    ("sagemaker", "AddTags"): Operation(_add, _adds),
    ("sagemaker", "ListTags"): Operation(_list, _reads),
    ("sagemaker", "DeleteTags"): Operation(_delete, _deletes),
}
