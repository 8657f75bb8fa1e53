"""Rules for what any importer gives: ids, times, authors, and where artifacts come to lie."""

import re
from collections.abc import Mapping

from modelkeep.domain.access import NAME_LIMIT, Actor, Caller
from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.locations import (
    PROXIED,
    artifact_location,
    beneath,
    is_object_store,
)
from modelkeep.domain.tracking import ACTIVE, DELETED

LAST_MS = 253_402_300_799_999  # the end of the year 9999


def artifact_root(source: str, experiment_id: int, *parts: str) -> str:
    """Where artifacts are from now on: the same object store as before, or a folder of ours."""
    if is_object_store(source):
        return artifact_location(source)
    return beneath(f"{PROXIED}{experiment_id}", *parts, "artifacts")


def author_of(name: str, caller: Caller) -> str:
    """Who made a thing: whom the source names or, if that is nobody's name, whoever imports it."""
    is_name = len(name) <= NAME_LIMIT and name.isprintable() and not Actor(name).is_anonymous
    return name if is_name else caller.actor.name


def check_time(at_ms: int, field: str) -> None:
    if not 0 <= at_ms <= LAST_MS:
        raise InvalidInput(f"'{field}' must be from 0 to {LAST_MS} milliseconds since 1970.")


def check_lifecycle(stage: str) -> None:
    if stage not in (ACTIVE, DELETED):
        raise InvalidInput(f"'lifecycle_stage' must be {ACTIVE} or {DELETED}.")


def check_model_id(model_id: str) -> None:
    if not re.fullmatch(r"m-[0-9a-f]{32}", model_id):
        raise InvalidInput(f"'{model_id[:100]}' is no logged model's id: m- and 32 hex digits.")


def tag_changes(
    found: Mapping[str, str], given: Mapping[str, str]
) -> tuple[list[str], dict[str, str]]:
    """The keys to delete and the tags to set, so that what is found becomes what is given."""
    gone = sorted(found.keys() - given.keys())
    return gone, {key: value for key, value in given.items() if found.get(key) != value}
