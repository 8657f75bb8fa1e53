"""Ending the life of versions: deprecating, blocking, retiring, and taking the first two back.

* What is blocked or retired is loaded by nobody, and holds neither an alias nor production nor any
  stage that the lifecycle guards or that admits one: whoever would end what holds one is refused,
  by name, and so is whoever would move such a version there (`steps.bar`).
* What waited for an approval of it is void.
* A deprecated version whose date has come is blocked by the server, as soon as nothing holds it.

A refusal is recorded like that of any other move.
"""

from dataclasses import dataclass
from typing import Any

from modelkeep.domain.access import Caller, is_blank
from modelkeep.domain.approvals import Status
from modelkeep.domain.endings import OVER, Ending, State, refuse_step
from modelkeep.domain.errors import InvalidInput, StaleRevision, TransitionNotAllowed
from modelkeep.domain.events import Event, instant
from modelkeep.domain.lifecycles import Lifecycle
from modelkeep.domain.models import NO_STAGE, Version, is_prompt
from modelkeep.ports.work import Work
from modelkeep.services.catalog import again, locate, subject
from modelkeep.services.policies import lifecycle_of
from modelkeep.services.promotion import check_text
from modelkeep.services.retention import SYSTEM
from modelkeep.services.steps import Result, Step, close_requests, refuse_barred

BATCH = 20  # versions that a date blocks in one transaction


@dataclass(frozen=True, slots=True)
class Wish:
    """Somebody wants a version in a state. `was` is the one that they read last, if they say.

    `replacement` and `blocks_ms`: see `domain.endings.Ending`.
    """

    model: str
    number: int
    state: State
    reason: str
    replacement: int | None = None
    blocks_ms: int | None = None
    was: State | None = None


def change(work: Work, caller: Caller, wish: Wish) -> Version | Result:
    """The version in its new state, or the refusal, recorded, where a stage or alias holds it.

    Raises NotFound; InvalidInput without a reason, for a replacement that can be none, a date that
    is past or goes with another state, and for prompts; TransitionNotAllowed; StaleRevision.
    """
    version = locate(work, wish.model, wish.number)
    _check(work, version, wish)
    cycle = lifecycle_of(work, version.model_name)
    holder = _holder(version, cycle) if wish.state in OVER else None
    if holder:
        step = Step(version, wish.state.value, wish.reason, cycle, False, wish=f"be {wish.state}")
        return refuse_barred(work, caller, step, holder)
    ending = Ending(
        wish.state,
        wish.reason.strip(),
        caller.actor.name,
        work.now_ms,
        wish.replacement,
        wish.blocks_ms,
    )
    return _end(work, caller, version, version.ending.followed(by=ending))


def block_due(work: Work, after_id: int) -> int:
    """Blocks the versions whose date has come, of those with ids after one; the last id looked at,
    0 if there was none. One that a stage or alias holds stays until it is let go of."""
    due = work.versions.due_to_block(work.now_ms, after_id, BATCH)
    for version_id in due:
        version = work.versions.by_id(version_id)
        assert version is not None  # the server itself sees every model
        if _holder(version, lifecycle_of(work, version.model_name)) is None:
            told = version.ending
            blocked = Ending(
                State.BLOCKED, told.reason, SYSTEM.actor.name, work.now_ms, told.replacement
            )
            _end(work, SYSTEM, version, blocked)
    return due[-1] if due else 0


# -- within ------------------------------------------------------------------------------------


def _check(work: Work, version: Version, wish: Wish) -> None:
    check_text(wish.reason, "reason")
    if is_blank(wish.reason):
        raise InvalidInput("To change a version's state needs a reason.")
    if wish.was not in (None, version.ending.state):
        raise StaleRevision(
            f"{version.model_name}/{version.number} is {version.ending.state}, not {wish.was}; "
            "read it and decide again."
        )
    refusal = refuse_step(version.ending, wish.state)
    if refusal:
        raise TransitionNotAllowed(
            f"{version.model_name}/{version.number} cannot become {wish.state}: {refusal}."
        )
    model = work.models.get(version.model_name)
    if model is not None and is_prompt(model.tags):
        raise InvalidInput(
            f"{version.model_name} is a prompt: its text is in tags, which nobody loads."
        )
    if wish.replacement is not None:
        _check_replacement(work, version, wish)
    if wish.blocks_ms is not None:
        _check_date(work, wish, wish.blocks_ms)


def _check_replacement(work: Work, version: Version, wish: Wish) -> None:
    if wish.state is State.ACTIVE:
        raise InvalidInput("'replacement' is of a version that should not be used.")
    other = work.versions.get(version.model_id, wish.replacement or 0)
    if other is None or other.id == version.id:
        raise InvalidInput(
            f"'replacement' must be another version of {version.model_name}, "
            f"and {wish.replacement} is none."
        )
    if other.ending.is_over:
        raise InvalidInput(f"'replacement' cannot be {wish.replacement}: {other.warning}")


def _check_date(work: Work, wish: Wish, blocks_ms: int) -> None:
    if wish.state is not State.DEPRECATED:
        raise InvalidInput("'blocks' is the date from which a deprecated version is blocked.")
    if blocks_ms <= work.now_ms:
        raise InvalidInput(
            f"'blocks' must be a time to come, and {instant(blocks_ms)} is past. "
            "To block the version now, ask for that."
        )


def _holder(version: Version, cycle: Lifecycle) -> str | None:
    """What holds a version that counts, in a sentence; None if nothing does."""
    if version.aliases:
        return f"alias {version.aliases[0]} points to it; point it elsewhere first"
    stage = version.stage
    if stage not in (NO_STAGE, cycle.archived) and (
        stage == cycle.production or cycle.holds(stage)
    ):
        return f"it is in {stage}; move it out first"
    return None


def _end(work: Work, caller: Caller, version: Version, ending: Ending) -> Version:
    waiting = work.governance.pending([version.id]) if ending.is_over else []
    closed = close_requests(work, waiting, Status.VOID, f"The version is {ending.state}.")
    work.versions.set_ending(version.id, ending, work.now_ms)
    after: dict[str, Any] = {
        "state": ending.state.value,
        "replacement": ending.replacement,
        "blocks_ms": ending.blocks_ms,
    }
    event = Event(
        "version:reinstated" if ending.state is State.ACTIVE else f"version:{ending.state}",
        object=subject(version),
        before={"state": version.ending.state.value},
        after=after | ({"requests": closed} if closed else {}),
        texts={"reason": ending.reason},
    )
    work.record(caller, event, model_id=version.model_id)
    return again(work, version)
