"""What must stay: versions that are not deleted, and models that keep their names.

A lifecycle that guards anything keeps hold of what stands in a guarded, single or production
stage, of what an alias points to, and of what a rollback would return to: to delete it, or to
rename its model into another lifecycle, would be to move it unasked. Without a policy nothing is
kept, as in MLflow, but what somebody has put a hold on (`holds`). A refusal is recorded like that
of any other move.

A model of which something is kept so keeps its name as well: another could take it, with numbers of
its own, and whoever loads by name and number would get bytes that nobody approved.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from modelkeep.domain.access import Caller
from modelkeep.domain.approvals import Status
from modelkeep.domain.events import Event
from modelkeep.domain.lifecycles import Lifecycle
from modelkeep.domain.models import NO_STAGE, Version
from modelkeep.ports.work import Work
from modelkeep.services.catalog import locate, subject
from modelkeep.services.placement import prior_stays, release, stage_slot
from modelkeep.services.policies import lifecycle_of
from modelkeep.services.steps import Result, Step, close_requests, refuse_unlisted

_NOTHING: Mapping[str, Any] = {}


def refuse_deletion(work: Work, caller: Caller, versions: Sequence[Version]) -> Result | None:
    """The refusal to delete the first of a model's versions that must stay; None if none must."""
    if not versions:
        return None
    first = versions[0]
    cycle = lifecycle_of(work, first.model_name)
    held = {hold.version_id: hold for hold in work.holds.of_model(first.model_id)}
    for version in versions:
        if hold := held.get(version.id):
            message = f"hold {hold.id} of {hold.placed_by} keeps it; it must be released first"
            return _refuse(work, caller, version, cycle, "deleted", "be deleted", message)
    if not cycle.guards_any:
        return None
    targets = rollback_targets(work, first.model_id, cycle)
    for version in versions:
        if message := _objection(version, cycle, targets):
            return _refuse(work, caller, version, cycle, "deleted", "be deleted", message)
    return None


def _objection(version: Version, cycle: Lifecycle, targets: Mapping[int, str]) -> str | None:
    if cycle.holds(version.stage):
        return f"it is in {version.stage}, which the policy guards; move it out first"
    if version.aliases:
        alias = version.aliases[0]
        return f"alias {alias} points to it; point it elsewhere, or take it away, first"
    if version.id in targets:
        stage = targets[version.id]
        return f"a rollback of {stage} would return to it; {stage} must move on first"
    return None


def rollback_targets(work: Work, model_id: int, cycle: Lifecycle) -> dict[int, str]:
    """Version id -> the production or single stage of which a rollback would return to it."""
    found: dict[int, str] = {}
    for stage in sorted({cycle.production, *cycle.single}):
        stays = work.slots.open_stays(model_id, stage_slot(stage))
        prior = next(prior_stays(work, stays[0]), None) if len(stays) == 1 else None
        if prior:
            found[prior.version_id] = stage
    return found


def delete(work: Work, caller: Caller, version: Version, why: Mapping[str, Any] = _NOTHING) -> None:
    """Takes a version from view and out of its stage and aliases; what it waited for is void."""
    released = release(work, version.model_id, version)
    waiting = work.governance.pending([version.id])
    closed = close_requests(work, waiting, Status.VOID, "The version was deleted.")
    work.versions.delete(version.id, work.now_ms)
    work.models.touch(version.model_id, work.now_ms)
    event = Event(
        "version:deleted",
        object=subject(version),
        before=released.before,
        after={**released.after, "deleted": True} | ({"requests": closed} if closed else {}),
        why=dict(why),
    )
    work.record(caller, event, model_id=version.model_id)


# -- renames -----------------------------------------------------------------------------------


def refuse_renaming(
    work: Work, caller: Caller, model_id: int, name: str, new_name: str
) -> Result | None:
    """The refusal to take a model from what relies on its name, out of its lifecycle, or into
    another, past what they guard."""
    old, new = lifecycle_of(work, name), lifecycle_of(work, new_name)
    if old.name != new.name and (refusal := _refuse_leaving(work, caller, model_id, old, new)):
        return refusal
    if old.guards_any and (relied := _relied_on(work, name, old)):
        version, message = relied
        return _refuse(work, caller, version, old, "renamed", "be given another name", message)
    return None


def _refuse_leaving(
    work: Work, caller: Caller, model_id: int, old: Lifecycle, new: Lifecycle
) -> Result | None:
    move = f"be taken from lifecycle {old.name} to {new.name} by a new name"
    for version in work.versions.latest_per_stage([model_id])[model_id]:
        stage = version.stage
        message = None
        if old.holds(stage) or new.holds(stage):
            keeper = old if old.holds(stage) else new
            message = f"it is in {stage}, which lifecycle {keeper.name} guards; move it out first"
        elif stage not in (*new.stages, NO_STAGE):
            message = f"it is in {stage}, which lifecycle {new.name} does not have; move it first"
        if message:
            return _refuse(work, caller, version, old, "renamed", move, message)
    for alias in sorted({*old.aliases, *new.aliases}):
        holder = work.slots.alias_holder(model_id, alias)
        version = work.versions.by_id(holder) if holder else None
        if version:
            message = f"alias {alias} points to it, which follows a stage; take it away first"
            return _refuse(work, caller, version, old, "renamed", move, message)
    return None


def _relied_on(work: Work, name: str, cycle: Lifecycle) -> tuple[Version, str] | None:
    """A version of a model that is relied on by the model's name, and how."""
    model = work.models.get(name)
    assert model is not None
    for version in work.versions.latest_per_stage([model.id])[model.id]:
        if cycle.holds(version.stage):
            return version, f"it is in {version.stage}, which the policy guards; move it out first"
    for alias, number in sorted(model.aliases.items()):
        message = f"alias {alias} points to it; take it away first"
        return locate(work, name, number), message
    return None


def close_overtaken(work: Work, model_id: int, name: str, new_name: str) -> list[dict[str, Any]]:
    """Voids what waits for an approval, if a new name brings the model another lifecycle."""
    if lifecycle_of(work, name).name == lifecycle_of(work, new_name).name:
        return []
    waiting = work.governance.pending(work.versions.of_model(model_id))
    return close_requests(work, waiting, Status.VOID, "The model's lifecycle is another one.")


def _refuse(
    work: Work,
    caller: Caller,
    version: Version,
    cycle: Lifecycle,
    target: str,
    wish: str,
    message: str,
) -> Result:
    step = Step(version, target, "", cycle, False, wish=wish)
    return refuse_unlisted(work, caller, step, message)
