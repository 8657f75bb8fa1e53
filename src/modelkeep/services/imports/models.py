"""Brings registered models over, by the same rules as any other caller's.

A model is matched by what it was brought as from the same server. MLflow's models have no ids, but
keep their time of creation when they are renamed, so that a model that has another name there gets
it here as well. Nothing else that bears its name here is taken for it.
"""

from dataclasses import dataclass, field

from modelkeep.domain import imports
from modelkeep.domain.access import Caller
from modelkeep.domain.imports import End, Outcome
from modelkeep.domain.models import Model
from modelkeep.ports.work import Work
from modelkeep.services import registry
from modelkeep.services.creation import Elsewhere
from modelkeep.services.imports.given import (
    check_time,
    plain,
    refuse_instructions,
    registered_digest,
    tag_changes,
)
from modelkeep.services.imports.records import Names, foreign, importing, note, settle


@dataclass(frozen=True, slots=True)
class GivenModel:
    """A registered model as its source has it.

    `renamed` says that the source has given up the name that it was brought by.
    """

    name: str
    renamed: bool = False
    description: str = ""
    created_ms: int = 0
    tags: dict[str, str] = field(default_factory=dict)


def bring_model(work: Work, caller: Caller, origin: str, given: GivenModel) -> Outcome:
    """The outcome's key is the model's id here, or empty if what is here is another one.

    REFUSED says that none of its versions may come either. Raises InvalidInput for a name that may
    not be, here or under the policy in force.
    """
    imports.check_origin(origin)
    check_time(given.created_ms, "created_ms")
    refuse_instructions(given.tags)
    caller, names = importing(caller, origin), Names(work, "model", origin)
    known = _known(names, given, renamed=given.renamed)
    if known is None and work.models.find(given.name) is None:
        return _add(work, caller, names, given)
    was = given.name if known is None else _called(work, known)
    if known is not None and was != given.name:
        objection = _rename(work, caller, names, known, was, given.name)
        if objection:
            return Outcome(str(known), End.REFUSED, objection)
    return _follow(work, caller, names, given, was)


def find_model(work: Work, origin: str, given: GivenModel) -> tuple[int, str] | None:
    """(id, name here) of what it was brought as or, if its source renamed it, may have been."""
    known = _known(Names(work, "model", origin), given, renamed=True)
    called = _called(work, known) if known is not None else None
    return (known, called) if known is not None and called is not None else None


def _known(names: Names, given: GivenModel, *, renamed: bool) -> int | None:
    created = str(given.created_ms)
    known = names.named(given.name, created)
    return names.identified(created) if known is None and renamed else known


def _called(work: Work, model_id: int) -> str | None:
    """What a model is called now; None if it was deleted."""
    return next((n for n in work.models.names(model_id) if work.models.find(n) == model_id), None)


def _rename(
    work: Work, caller: Caller, names: Names, model_id: int, was: str | None, name: str
) -> str:
    """Gives a model the name that it has at its source by now; why not, if that may not be."""
    if was is None:
        return "it was deleted here since it was imported"
    if not names.gave(was, model_id):
        return f"it was renamed here since it was imported: it is called {was}"
    if work.models.find(name) is not None:
        return f"it is called {was} here, and another model here has that name"
    registry.rename_model(work, caller, was, name)
    names.release(caller, was)
    return ""


def _add(work: Work, caller: Caller, names: Names, given: GivenModel) -> Outcome:
    there = Elsewhere(names.origin, given.created_ms)
    model = registry.create_model(work, caller, given.name, given.description, given.tags, there)
    _remember(caller, names, given, model.id)
    note(work, caller, "model", model.id, names.origin, registered_digest(given))
    return Outcome(str(model.id), End.CREATED)


def _follow(
    work: Work, caller: Caller, names: Names, given: GivenModel, was: str | None
) -> Outcome:
    """Makes what has its name here what its source says, if that may be."""
    model = registry.get_model(work, given.name)
    end, reason = _judge(work, model, names.origin, given)
    if end is End.CHANGED:
        _change(work, caller, model, given)
    if end is End.REFUSED:
        return Outcome("", end, reason)
    _remember(caller, names, given, model.id)
    if end in (End.CHANGED, End.UNCHANGED):
        note(work, caller, "model", model.id, names.origin, registered_digest(given))
    if end is End.UNCHANGED and was != given.name:
        end = End.CHANGED
    return Outcome(str(model.id), end, reason)


def _remember(caller: Caller, names: Names, given: GivenModel, model_id: int) -> None:
    created = str(given.created_ms)
    names.name(caller, given.name, created, model_id)
    if given.created_ms:
        names.identify(caller, created, model_id)


def _judge(work: Work, found: Model, origin: str, given: GivenModel) -> tuple[End, str]:
    base = work.imports.find("model", str(found.id))
    if base is None:
        return End.REFUSED, "a model of that name is here and was not imported; rename one of them"
    if objection := foreign(base, origin):
        return End.REFUSED, objection
    if found.created_ms != given.created_ms:
        return End.REFUSED, "the model of that name here was brought as another; rename one of them"
    return settle(base, registered_digest(given), registered_digest(found))


def _change(work: Work, caller: Caller, found: Model, given: GivenModel) -> None:
    if found.description != given.description:
        registry.describe_model(work, caller, found.name, given.description)
    gone, changed = tag_changes(plain(found.tags), given.tags)
    for key in gone:
        registry.delete_model_tag(work, caller, found.name, key)
    for key, value in changed.items():
        registry.set_model_tag(work, caller, found.name, key, value)
