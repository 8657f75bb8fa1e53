"""Rules for what any importer gives: ids, times, authors, and where artifacts come to lie."""

import re
from collections.abc import Mapping
from typing import Protocol

from modelkeep.domain import imports
from modelkeep.domain.access import NAME_LIMIT, Actor, Caller
from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.evidence import INSTRUCTION_PREFIX
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


# -- models and versions -------------------------------------------------------------------------


class Registered(Protocol):
    """What may follow the source of a model or version."""

    @property
    def description(self) -> str: ...
    @property
    def tags(self) -> Mapping[str, str]: ...


def registered_digest(thing: Registered) -> str:
    return imports.digest({"description": thing.description, "tags": plain(thing.tags)})


def plain(tags: Mapping[str, str]) -> dict[str, str]:
    """Without the tags that instruct this server."""
    return {k: v for k, v in tags.items() if not k.startswith(INSTRUCTION_PREFIX)}


def refuse_instructions(tags: Mapping[str, str]) -> None:
    """Another server's tags must not instruct this one."""
    for key in tags:
        if key.startswith(INSTRUCTION_PREFIX):
            raise InvalidInput(
                f"The tag '{key[:100]}' is an instruction to this server, and is not imported."
            )
