"""Model cards of SageMaker's clients: what is said of a model, version by version of the card.

A card may be about anything; what its content may be is `domain.cards`. One that is archived says
nothing new.
"""

import json
from collections.abc import Mapping
from typing import Any

from modelkeep.domain import cards
from modelkeep.domain.access import Caller
from modelkeep.domain.errors import Conflict, InvalidInput
from modelkeep.domain.resources import Kind, Resource, Saying
from modelkeep.ports.work import Work
from modelkeep.services import resources

ARCHIVED = "Archived"


def create(
    work: Work,
    caller: Caller,
    name: str,
    said: Mapping[str, Any],
    status: str,
    tags: Mapping[str, str],
) -> Resource:
    """`said` has its `Content`. Raises AlreadyExists, InvalidInput."""
    cards.check(said["Content"])
    return resources.create(work, caller, Kind.CARD, name, _saying(said, status), tags)


def update(
    work: Work, caller: Caller, name: str, content: str | None, status: str | None
) -> Resource:
    """The card's next version, with another content or another status.

    Raises NotFound; InvalidInput where both would change, or neither is given, or for what is no
    card; Conflict for a new content of an archived one.
    """
    if content is None and status is None:
        raise InvalidInput("An update of a model card has its Content or its ModelCardStatus.")
    known = resources.get(work, Kind.CARD, name)
    said = said_of(known)
    if content is not None and content != said["Content"]:
        if status not in (None, known.said.status):
            raise InvalidInput(
                "You cannot update both model card content and model card status in a single call."
            )
        if known.said.status == ARCHIVED:
            raise Conflict("Model Card is in Archived state")
        cards.check(content)
        said["Content"] = content
    return resources.revise(work, caller, known, _saying(said, status or known.said.status))


def said_of(card: Resource) -> dict[str, Any]:
    """Its `Content` and what else was said when it was made."""
    return json.loads(card.said.body)


def _saying(said: Mapping[str, Any], status: str) -> Saying:
    return Saying(json.dumps(said, ensure_ascii=False, sort_keys=True), status)
