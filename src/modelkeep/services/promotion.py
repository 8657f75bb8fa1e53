"""The one way in: every move of a version into a stage, whichever dialect asked for it.

`request` moves, refuses or waits; `voting.vote` completes what waited, in the same transaction as
the vote that sufficed; `roll_back` returns a stage to the version it held before. A refusal is a
result: it is recorded, and the edge says it in its own words.

Rules beyond what a policy says:

* Evidence is frozen when a promotion is asked for, and decided on again when it is approved.
* Displacing the occupant of a stage belongs to the promotion that causes it.
* When a version moves, requests that were made from where it stood before become void.
* An alias that follows a stage moves with it, in the same stroke.
"""

from dataclasses import dataclass
from itertools import islice

from modelkeep.domain import names
from modelkeep.domain.access import Caller, is_blank
from modelkeep.domain.emergencies import Status
from modelkeep.domain.errors import Conflict, InvalidInput, StaleRevision
from modelkeep.domain.lifecycles import Guarded, Lifecycle, Unguarded
from modelkeep.domain.models import Move, SlotKey, Version
from modelkeep.ports.registry import Occupancy
from modelkeep.ports.work import Work
from modelkeep.services import marks
from modelkeep.services.catalog import again, locate, model_id_of, resolve
from modelkeep.services.placement import AliasMove, alias_slot, prior_stays, shift, stage_slot
from modelkeep.services.policies import lifecycle_of
from modelkeep.services.steps import (
    REASON_TAG,
    End,
    Result,
    Step,
    bar,
    complete,
    judge,
    record_shift,
    refuse_barred,
    refuse_unlisted,
    void_overtaken,
)

REASON_LIMIT = 4000  # characters
ROLLBACK_LIMIT = 100  # versions back that a rollback can name


@dataclass(frozen=True, slots=True)
class Order:
    """Somebody wants a version in a stage. `number` may be whatever names one (`catalog.resolve`).

    `archive_existing` archives the occupants where the stage admits many. `epoch` is the slot's
    as the caller last read it; a stale one is refused, None acts in turn.
    """

    model: str
    number: int | str
    target: str
    reason: str = ""
    archive_existing: bool = False
    epoch: int | None = None


# -- asking ------------------------------------------------------------------------------------


def request(work: Work, caller: Caller, order: Order) -> Result:
    """Moves the version, or says why not, or opens a request that others must approve.

    Raises NotFound; InvalidInput for a stage that does not exist, or one whose occupants cannot
    be archived; StaleRevision.
    """
    cycle = lifecycle_of(work, order.model)
    target = cycle.stage_named(order.target)
    if order.archive_existing and target not in cycle.active:
        raise InvalidInput(
            f"Model version transition cannot archive existing model versions because '{target}' "
            f"is not an Active stage. Valid stages are {', '.join(cycle.active)}."
        )
    version = resolve(work, order.model, order.number)
    _check_epoch(work, version.model_id, stage_slot(target), order.epoch)
    if version.stage == target:
        return _stay(work, caller, version, target, order, cycle)
    reason = reason_for(version, order.reason)
    step = Step(version, target, reason, cycle, order.archive_existing, epoch=order.epoch)
    if barred := bar(version, cycle, target):
        return refuse_barred(work, caller, step, barred)
    standing = cycle.guard(version.stage, target)
    if isinstance(standing, Unguarded):
        return complete(work, caller, step, None)
    if isinstance(standing, Guarded):
        return judge(work, caller, step, standing.rule)
    return refuse_unlisted(work, caller, step, standing.message)


def set_alias(
    work: Work, caller: Caller, model: str, alias: str, number: int, epoch: int | None = None
) -> Result:
    """Points an alias at a version. One that follows a stage is a promotion into that stage; one
    that a reader takes for such a one, or for another of the model, is refused under a policy.

    Raises InvalidInput for a name that no alias may have, NotFound, StaleRevision.
    """
    names.check_alias(alias)
    version = locate(work, model, number)
    cycle = lifecycle_of(work, model)
    follows = cycle.alias_stage(alias)
    slot = alias_slot(alias)
    _check_epoch(work, version.model_id, slot, epoch)
    if follows and version.stage != follows:
        return request(work, caller, Order(model, number, follows))
    if barred := bar(version, cycle, None):
        step = Step(version, str(slot), "", cycle, False, wish=f"bear the alias {alias}")
        return refuse_barred(work, caller, step, barred)
    if cycle.guards_any and (double := _double(work, model, alias, cycle)):
        step = Step(version, str(slot), "", cycle, False, wish=f"have the alias {alias}")
        return refuse_unlisted(work, caller, step, f"{alias} reads like {double}")
    moved = shift(work, version.model_id, (), [AliasMove(alias, version.id)], known=version)
    if not moved.epochs:
        return Result(End.UNCHANGED, version, str(slot), work.slots.epoch(version.model_id, slot))
    record_shift(work, caller, "model:alias:set", version, moved)
    return Result(End.MOVED, again(work, version), str(slot), moved.epochs[slot])


def delete_alias(
    work: Work, caller: Caller, model: str, alias: str, epoch: int | None = None
) -> Result | None:
    """Takes an alias away; None if it pointed to nothing. One that follows a stage stays.

    Raises NotFound for a missing model, InvalidInput for what is no alias, StaleRevision.
    """
    names.check_alias_shape(alias)
    model_id = model_id_of(work, model)
    _check_epoch(work, model_id, alias_slot(alias), epoch)
    holder = work.slots.alias_holder(model_id, alias)
    version = work.versions.by_id(holder) if holder else None
    if version is None:
        return None
    cycle = lifecycle_of(work, model)
    follows = cycle.alias_stage(alias)
    if follows and version.stage == follows:
        wish = f"lose its alias {alias}"
        step = Step(version, str(alias_slot(alias)), "", cycle, False, wish=wish)
        message = f"alias {alias} follows {follows}; move what is in {follows} instead"
        return refuse_unlisted(work, caller, step, message)
    moved = shift(work, model_id, (), [AliasMove(alias, None)])
    record_shift(work, caller, "model:alias:deleted", version, moved)
    slot = alias_slot(alias)
    return Result(End.MOVED, again(work, version), str(slot), moved.epochs[slot])


# -- going back -----------------------------------------------------------------------------------


def roll_back(
    work: Work,
    caller: Caller,
    model: str,
    reason: str,
    *,
    stage: str | None = None,
    to: int | str | None = None,
    epoch: int | None = None,
) -> Result:
    """Returns a stage, or production, to the version that it held before, and the aliases with it.

    `to` names one that it held earlier still. A version that an approval let in then needs only
    the reason now, and so does the one that an emergency has displaced; any other, under a policy
    that guards the stage, goes through that policy's gates again; and every one through those that
    the policy sets for rollbacks. Rolling back twice
    goes back twice. Raises InvalidInput without a reason, NotFound, and Conflict when there is
    nothing to return to.
    """
    cycle = lifecycle_of(work, model)
    stage = cycle.stage_named(stage) if stage else cycle.production
    if is_blank(reason):
        raise InvalidInput("A rollback needs a reason.")
    check_text(reason, "reason")
    model_id = model_id_of(work, model)
    _check_epoch(work, model_id, stage_slot(stage), epoch)
    wanted = resolve(work, model, to) if to is not None else None
    current, priors = stays_for_rollback(work, model, model_id, stage)
    prior = next((p for p in priors if wanted is None or p.version_id == wanted.id), None)
    if prior is None:
        assert wanted is not None
        held = f"{stage} of model {model} held no version {wanted.number} before {current.number}."
        raise Conflict(wanted.warning if wanted.ending.is_over else held)
    version = work.versions.by_id(prior.version_id)
    assert version is not None
    step = Step(
        version, stage, reason.strip(), cycle, True, leaving=current, back_to=prior, epoch=epoch
    )
    is_trusted = prior.approved or _undoes(work, model_id, current, prior)
    rule = cycle.way_back(version.stage, stage, is_trusted)
    return judge(work, caller, step, rule) if rule else complete(work, caller, step, None)


# -- within ------------------------------------------------------------------------------------


def _stay(
    work: Work, caller: Caller, version: Version, target: str, order: Order, cycle: Lifecycle
) -> Result:
    """The version is where it is wanted. Where no gate stands, the others may still have to go."""
    step = Step(version, target, "", cycle, order.archive_existing)
    occupants = work.versions.in_stage(version.model_id, target)
    if step.displaces and not cycle.is_guarded(target) and occupants != [version.id]:
        goal = cycle.displaced_to(target)
        others = [Move(o, target, goal) for o in occupants if o != version.id]
        moved = shift(work, version.model_id, others)
        void_overtaken(work, [m.version_id for m in others], moved)
        record_shift(work, caller, "version:stage:changed", version, moved)
    work.versions.touch(version.id, work.now_ms)
    work.models.touch(version.model_id, work.now_ms)
    epoch = work.slots.epoch(version.model_id, stage_slot(target))
    return Result(End.UNCHANGED, again(work, version), target, epoch)


def stays_for_rollback(
    work: Work, model: str, model_id: int, stage: str
) -> tuple[Occupancy, list[Occupancy]]:
    """The stay in a stage, and those that it can go back to, the next one first: at most 100.

    Raises Conflict where a rollback has nothing to leave, or nothing to return to.
    """
    stays = work.slots.open_stays(model_id, stage_slot(stage))
    if not stays:
        raise Conflict(f"Model {model} has nothing in {stage} to roll back from.")
    if len(stays) > 1:
        numbers = ", ".join(str(stay.number) for stay in stays)
        raise Conflict(
            f"Model {model} has versions {numbers} in {stage}; a rollback needs it to hold one."
        )
    priors = list(islice(prior_stays(work, stays[0]), ROLLBACK_LIMIT))
    if not priors:
        raise Conflict(
            f"Version {stays[0].number} is the first that {stage} of model {model} held, or those "
            "before it are blocked, retired or deleted; there is nothing to return to."
        )
    return stays[0], priors


def _double(work: Work, model: str, alias: str, cycle: Lifecycle) -> str | None:
    known = work.models.get(model)
    return cycle.alias_like(alias, known.aliases if known else ())


def _undoes(work: Work, model_id: int, current: Occupancy, prior: Occupancy) -> bool:
    """Whether going back only takes back an emergency that nobody has found justified."""
    past = marks.of_stays(work, model_id, [current, prior])
    refuted = {stay for stay, found in past.items() if found.status is not Status.ACCEPTED}
    return current.prior_id == prior.id and current.id in refuted and prior.id not in refuted


def _check_epoch(work: Work, model_id: int, slot: SlotKey, named: int | None) -> None:
    if named is None:
        return
    current = work.slots.epoch(model_id, slot)
    if named != current:
        raise StaleRevision(f"{slot} is at epoch {current}, not {named}; read it and decide again.")


def check_text(text: str, field: str) -> None:
    names.check_text(text, field, REASON_LIMIT)


def reason_for(version: Version, given: str) -> str:
    """The reason of an order: what was given or else, of a version, the tag that gives one."""
    check_text(given, "reason")
    return (given.strip() or version.tags.get(REASON_TAG, "").strip())[:REASON_LIMIT]
