"""Brings registered models and their versions over, by the same rules as any other caller's.

A model is matched by its name, and only if it was imported from the same server; a version by its
number. A version that is here never changes what it is made of: only its description and tags may
follow the source's.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from modelkeep.domain import imports, names
from modelkeep.domain.access import NAME_LIMIT, Actor, Caller
from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.evidence import INSTRUCTION_PREFIX
from modelkeep.domain.imports import SOURCE_TAG, End, Outcome
from modelkeep.domain.models import Model, Version
from modelkeep.ports.work import Work
from modelkeep.services import registry
from modelkeep.services.catalog import model_id_of
from modelkeep.services.imports.given import check_time, tag_changes
from modelkeep.services.imports.records import bind, bound, foreign, note, settle
from modelkeep.services.registry import Draft, Elsewhere

NUMBER_LIMIT = 2**31 - 1  # what MLflow's databases hold


@dataclass(frozen=True, slots=True)
class GivenModel:
    """A registered model as its source has it."""

    name: str
    description: str = ""
    created_ms: int = 0
    tags: dict[str, str] = field(default_factory=dict)


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


# -- models ------------------------------------------------------------------------------------


def bring_model(work: Work, caller: Caller, origin: str, given: GivenModel) -> Outcome:
    """REFUSED says that none of its versions may come either.

    Raises InvalidInput for a name that may not be, here or under the policy in force.
    """
    imports.check_origin(origin)
    check_time(given.created_ms, "created_ms")
    _refuse_instructions(given.tags)
    known, model_id = bound(work, "model-name", origin, given.name), work.models.find(given.name)
    if known is not None and known != model_id:
        reason = "it was renamed or deleted here since it was imported"
        return Outcome(given.name, End.REFUSED, reason)
    if model_id is None:
        there = Elsewhere(origin, given.created_ms)
        model = registry.create_model(
            work, caller, given.name, given.description, given.tags, there
        )
        bind(work, caller, "model-name", origin, given.name, model.id)
        note(work, caller, "model", model.id, origin, _digest(given))
        return Outcome(given.name, End.CREATED)
    end, reason = _judge_model(work, model_id, origin, given)
    if end is End.CHANGED:
        _change_model(work, caller, registry.get_model(work, given.name), given)
    if end in (End.CHANGED, End.UNCHANGED):
        note(work, caller, "model", model_id, origin, _digest(given))
    return Outcome(given.name, end, reason)


def _judge_model(work: Work, model_id: int, origin: str, given: GivenModel) -> tuple[End, str]:
    base = work.imports.find("model", str(model_id))
    if base is None:
        return End.REFUSED, "a model of that name is here and was not imported; rename one of them"
    if objection := foreign(base, origin):
        return End.REFUSED, objection
    return settle(base, _digest(given), _digest(registry.get_model(work, given.name)))


def _change_model(work: Work, caller: Caller, found: Model, given: GivenModel) -> None:
    if found.description != given.description:
        registry.describe_model(work, caller, found.name, given.description)
    gone, changed = tag_changes(_plain(found.tags), given.tags)
    for key in gone:
        registry.delete_model_tag(work, caller, found.name, key)
    for key, value in changed.items():
        registry.set_model_tag(work, caller, found.name, key, value)


# -- versions ----------------------------------------------------------------------------------


def bring_version(work: Work, caller: Caller, origin: str, given: GivenVersion) -> Outcome:
    """Raises NotFound for a missing model, run or logged model, InvalidInput as a create does."""
    imports.check_origin(origin)
    _check_version(given)
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
    version = _add_version(work, caller, origin, given)
    note(work, caller, "version", version.id, origin, _digest(given))
    return Outcome(key, End.CREATED)


def _check_version(given: GivenVersion) -> None:
    if not 1 <= given.number <= NUMBER_LIMIT:
        raise InvalidInput(f"'number' must be from 1 to {NUMBER_LIMIT}.")
    if len(given.author) > NAME_LIMIT or not given.author.isprintable():
        raise InvalidInput(f"'author' has at most {NAME_LIMIT} printable characters.")
    if given.original:
        names.check_text(given.original, "original", 2048)
    check_time(given.created_ms, "created_ms")
    _refuse_instructions(given.tags)


def _add_version(work: Work, caller: Caller, origin: str, given: GivenVersion) -> Version:
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
        origin,
        given.created_ms,
        given.number,
        given.original or given.source,
        "" if Actor(given.author).is_anonymous else given.author,
    )
    return registry.create_version(work, caller, draft, there)


def _meet(
    work: Work, caller: Caller, origin: str, key: str, found: Version, given: GivenVersion
) -> Outcome:
    """A version of this number is here: the same, or another."""
    base = work.imports.find("version", str(found.id))
    if base is None:
        reason = "a version of that number was registered here, and is another"
        return Outcome(key, End.KEPT, reason)
    end, reason = settle(base, _digest(given), _digest(found))
    if end is End.CHANGED:
        _change_version(work, caller, found, given)
    if end is not End.KEPT:
        note(work, caller, "version", found.id, origin, _digest(given))
    return Outcome(key, end, reason)


def _change_version(work: Work, caller: Caller, found: Version, given: GivenVersion) -> None:
    name, number = found.model_name, found.number
    if found.description != given.description:
        registry.describe_version(work, caller, name, number, given.description)
    gone, changed = tag_changes(_plain(found.tags), given.tags)
    for key in gone:
        registry.delete_version_tag(work, caller, name, number, key)
    for key, value in changed.items():
        registry.set_version_tag(work, caller, name, number, key, value)


# -- within ------------------------------------------------------------------------------------


def _digest(thing: GivenModel | Model | GivenVersion | Version) -> str:
    """Of what may follow the source."""
    return imports.digest({"description": thing.description, "tags": _plain(thing.tags)})


def _plain(tags: Mapping[str, str]) -> dict[str, str]:
    return {k: v for k, v in tags.items() if not k.startswith(INSTRUCTION_PREFIX)}


def _refuse_instructions(tags: Mapping[str, str]) -> None:
    """Another server's tags must not instruct this one."""
    for key in tags:
        if key.startswith(INSTRUCTION_PREFIX):
            raise InvalidInput(
                f"The tag '{key[:100]}' is an instruction to this server, and is not imported."
            )
