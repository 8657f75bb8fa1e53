"""Brings versions over, by the same rules as any other caller's.

A version is matched by its number, in a model that came from the same server. One that is here
never changes what it is made of: only its description and tags may follow the source's.
"""

from dataclasses import dataclass, field

from modelkeep.domain import imports, names
from modelkeep.domain.access import NAME_LIMIT, Actor, Caller
from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.imports import SOURCE_TAG, End, Outcome
from modelkeep.domain.models import Version
from modelkeep.ports.work import Work
from modelkeep.services import creation, registry
from modelkeep.services.catalog import model_id_of
from modelkeep.services.creation import Draft, Elsewhere
from modelkeep.services.imports.given import (
    check_time,
    plain,
    refuse_instructions,
    registered_digest,
    tag_changes,
)
from modelkeep.services.imports.records import importing, note, settle

NUMBER_LIMIT = 2**31 - 1  # what MLflow's databases hold


@dataclass(frozen=True, slots=True)
class GivenVersion:
    """A version as its source has it. `source` is what it is made of here; `original` what it was
    registered from there, if that had to be written anew; `author` may be "".
    """

    model: str
    number: int
    source: str
    original: str = ""
    run_id: str | None = None
    logged_model_id: str | None = None
    run_link: str | None = None
    description: str = ""
    author: str = ""
    created_ms: int = 0
    tags: dict[str, str] = field(default_factory=dict)


def bring_version(work: Work, caller: Caller, origin: str, given: GivenVersion) -> Outcome:
    """Raises NotFound for a missing model, run or logged model, InvalidInput as a create does."""
    imports.check_origin(origin)
    _check_version(given)
    caller = importing(caller, origin)
    key = f"{given.model}/{given.number}"
    model_id = model_id_of(work, given.model)
    base = work.imports.find("model", str(model_id))
    if base is None or base.origin != origin:
        return Outcome(key, End.KEPT, "the model of that name here is another one")
    found = work.versions.get(model_id, given.number)
    if found is not None:
        return _meet(work, caller, origin, key, found, given)
    if work.versions.is_taken(model_id, given.number):
        return Outcome(key, End.KEPT, "it was deleted here, and a number is never used again")
    version = _add_version(work, caller, given)
    note(work, caller, "version", version.id, origin, registered_digest(given))
    return Outcome(key, End.CREATED)


def _check_version(given: GivenVersion) -> None:
    if not 1 <= given.number <= NUMBER_LIMIT:
        raise InvalidInput(f"'number' must be from 1 to {NUMBER_LIMIT}.")
    if len(given.author) > NAME_LIMIT or not given.author.isprintable():
        raise InvalidInput(f"'author' has at most {NAME_LIMIT} printable characters.")
    if given.original:
        names.check_text(given.original, "original", 2048)
    check_time(given.created_ms, "created_ms")
    refuse_instructions(given.tags)


def _add_version(work: Work, caller: Caller, given: GivenVersion) -> Version:
    noted = {SOURCE_TAG: given.original} if given.original else {}
    draft = Draft(
        model=given.model,
        source=given.source,
        run_id=given.run_id,
        logged_model_id=given.logged_model_id,
        run_link=given.run_link,
        description=given.description,
        tags={**given.tags, **noted},
    )
    there = Elsewhere(
        caller.origin,
        given.created_ms,
        given.number,
        given.original or given.source,
        "" if Actor(given.author).is_anonymous else given.author,
    )
    return creation.create_version(work, caller, draft, there)


def _meet(
    work: Work, caller: Caller, origin: str, key: str, found: Version, given: GivenVersion
) -> Outcome:
    """A version of this number is here: the same, or another."""
    base = work.imports.find("version", str(found.id))
    if base is None:
        reason = "a version of that number was registered here, and is another"
        return Outcome(key, End.KEPT, reason)
    end, reason = settle(base, registered_digest(given), registered_digest(found))
    if end is End.CHANGED:
        _change_version(work, caller, found, given)
    if end is not End.KEPT:
        note(work, caller, "version", found.id, origin, registered_digest(given))
    return Outcome(key, end, reason)


def _change_version(work: Work, caller: Caller, found: Version, given: GivenVersion) -> None:
    name, number = found.model_name, found.number
    if found.description != given.description:
        registry.describe_version(work, caller, name, number, given.description)
    gone, changed = tag_changes(plain(found.tags), given.tags)
    for key in gone:
        registry.delete_version_tag(work, caller, name, number, key)
    for key, value in changed.items():
        registry.set_version_tag(work, caller, name, number, key, value)
