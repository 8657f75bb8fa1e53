"""How SageMaker's operations call what they share: resources, times, tags, pages, cards."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from modelkeep.domain.errors import InvalidInput, NotFound
from modelkeep.domain.handles import handle_of
from modelkeep.domain.tags import TAGS_LIMIT, check_keys, fitting
from modelkeep.ports.resources import Sought
from modelkeep.protocols.aws.arns import named
from modelkeep.protocols.aws.calls import Call, Place

GROUP = "model-package-group"
PAGE = 100  # items, where the caller says nothing

DESCRIPTION_LIMIT = 1024  # characters of one of ours that are shown


def group_of(text: str) -> str:
    """The handle of the group that a caller names, by its name or its ARN. Raises InvalidInput."""
    found = named(text)
    if found.kind not in ("", GROUP):
        raise InvalidInput(f"{text} is not the ARN of a model package group.")
    return found.name


def check_ours(call: Call, text: str) -> None:
    """Raises InvalidInput for the ARN of a resource of another account or region. What another
    account calls by a name alone is its own, of which there is nothing here."""
    found = named(text)
    if call.is_guests and text and not found.account:
        raise InvalidInput(
            f"{text} would be of account {call.caller_account}, which has nothing here: name what "
            f"account {call.account} shares by its ARN."
        )
    if found.account not in ("", call.account):
        raise InvalidInput(f"{text} is of account {found.account}; this is {call.account}.")
    if found.region not in ("", call.region):
        raise InvalidInput(f"{text} is in region {found.region}; the call is to {call.region}.")


def asks_elsewhere(call: Call) -> bool:
    """Whether a listing, or a search, asks for the things of an account that has none here: of
    another than its caller's, where that is the server's own; of the caller's, where it is another.
    """
    is_across = call.params.get("CrossAccountFilterOption") == "CrossAccount"
    return is_across is not call.is_guests


def group_arn(call: Call, model_name: str) -> str:
    return call.arn(f"{GROUP}/{handle_of(model_name)}")


def no_group(call: Call, handle: str) -> NotFound:
    return NotFound(f"ModelPackageGroup {call.arn(f'{GROUP}/{handle}')} does not exist.")


def identity(place: Place, name: str) -> dict[str, Any]:
    """Who did something, as a UserContext."""
    arn = f"arn:aws:iam::{place.account}:user/{name}"
    return {"IamIdentity": {"Arn": arn, "PrincipalId": name}}


def instant(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)


def ms_of(params: Mapping[str, Any], name: str) -> int | None:
    """A time that a caller gave, in milliseconds."""
    given: datetime | None = params.get(name)
    return None if given is None else int(given.timestamp() * 1000)


def sought(params: Mapping[str, Any], order: str, status: str = "") -> Sought:
    """What a listing is asked for, by the members that they all have; `order` is its own, where the
    caller says none."""
    return Sought(
        contains=params.get("NameContains", ""),
        status=status,
        from_ms=ms_of(params, "CreationTimeAfter"),
        until_ms=ms_of(params, "CreationTimeBefore"),
        by_name=params.get("SortBy") == "Name",
        ascending=params.get("SortOrder", order) == "Ascending",
    )


def tags_of(pairs: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Raises InvalidInput for a key that comes twice, or that only AWS sets."""
    found = {pair["Key"]: pair["Value"] for pair in pairs}
    if len(found) < len(pairs):
        raise InvalidInput("Duplicate tag keys found. Please note that tag keys are unique.")
    check_keys(found)
    return found


def shown_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Those of our tags that fit SageMaker's limits: MLflow's keys and values may be longer, values
    empty, and there may be more of them."""
    shown = ((key, value) for key, value in fitting(tags).items() if value)
    return dict(islice(shown, TAGS_LIMIT))


def metadata_of(content: str, kept: Mapping[str, Sequence[str]]) -> str:
    """A card's content with these facts of these parts alone (IncludedData MetadataOnly)."""
    said, found = json.loads(content), dict[str, Any]()
    for part, names in kept.items():
        facts = said.get(part)  # whatever somebody said
        if isinstance(facts, dict) and (known := {k: facts[k] for k in names if k in facts}):
            found[part] = known
    return json.dumps(found)
