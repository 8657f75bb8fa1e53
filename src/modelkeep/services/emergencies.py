"""Breaking the glass: a promotion past the gates, and the review that it leaves to be done."""

from dataclasses import dataclass, replace
from typing import Any

from modelkeep.domain import names
from modelkeep.domain.access import Caller, is_blank
from modelkeep.domain.emergencies import (
    DEFAULT_HOURS,
    HOUR_MS,
    LIMIT_HOURS,
    TAG,
    UNREVIEWED,
    Emergency,
    Status,
    refuse_review,
)
from modelkeep.domain.errors import Conflict, Forbidden, InvalidInput, NotFound
from modelkeep.domain.events import Event
from modelkeep.domain.lifecycles import Lifecycle
from modelkeep.domain.models import Version
from modelkeep.ports.work import Work
from modelkeep.services import checks, marks, promotion
from modelkeep.services.accounts import refuse_word
from modelkeep.services.catalog import again, resolve, subject
from modelkeep.services.policies import lifecycle_of
from modelkeep.services.steps import Result, Step, bar, force, refuse_barred, refuse_unlisted

TEXT_LIMIT = 4000  # characters
LIST_LIMIT = 500
LAPSE_LIMIT = 20  # marked overdue in one transaction


@dataclass(frozen=True, slots=True)
class Reviewed:
    """A review, and in a sentence what becomes of the version; "" where it was justified."""

    version: Version
    emergency: Emergency
    next: str


def break_glass(
    work: Work,
    caller: Caller,
    model: str,
    which: int | str,
    target: str,
    reason: str,
    hours: int | None = None,
) -> Result:
    """Brings a version into a stage whatever its gates say; a review is owed within `hours`, as
    long as the policy gives, or 24, without them.

    Refused, and recorded, while a review of the stage is owed, or one of the model is overdue.
    Raises NotFound; InvalidInput without a reason, for a stage that does not exist and for hours
    beyond what the policy gives, or 168; Forbidden for an anonymous caller; Conflict where the
    version is there already, and where no gate stands in the way. What is blocked or retired is
    refused even so.
    """
    version = resolve(work, model, which)
    cycle = lifecycle_of(work, model)
    target = cycle.stage_named(target)
    hours = _check(caller, reason, hours, cycle)
    if version.stage == target:
        raise Conflict(f"{model}/{version.number} is in {target} already.")
    wish = f"be brought into {target} past its gates"
    step = Step(version, target, reason, cycle, False, wish=wish)
    if barred := bar(version, cycle, target):
        return refuse_barred(work, caller, step, barred)
    if owed := _owed(work, version.model_id, target):
        return refuse_unlisted(work, caller, step, owed)
    decision, evidence = checks.judged(work, caller, version, target, reason, cycle)
    if not decision.verdicts:
        raise Conflict(f"No gate stands between {model}/{version.number} and {target}; promote it.")
    work.governance.keep_evidence(evidence)
    due_ms = work.now_ms + hours * HOUR_MS
    draft = Emergency(
        0, version.id, target, caller.actor.name, reason, decision.to_json(), work.now_ms, due_ms
    )
    made = replace(draft, id=work.emergencies.add(draft))
    moved = force(work, caller, replace(step, wish=""), decision, made)
    _mark(work, caller, moved.version)
    return replace(moved, version=again(work, version))


def review(work: Work, caller: Caller, emergency_id: int, text: str, *, accepts: bool) -> Reviewed:
    """Says of an emergency whether it was justified. Where it was not, and the version still
    stands there, the stage goes back to what it held before, if the policy says so.

    Raises NotFound, InvalidInput without a text; Forbidden for whoever broke the glass and for an
    anonymous caller, Conflict once it was reviewed.
    """
    found = get(work, emergency_id)
    version = _version(work, found)
    if version is None:  # of a model that the caller may not see
        raise NotFound(f"There is no emergency {emergency_id}.")
    names.check_text(text, "comment", TEXT_LIMIT)
    if is_blank(text):
        raise InvalidInput("A review needs a comment: what you looked at, and what you found.")
    refusal = refuse_review(found, caller.actor.name) or refuse_word(work, caller)
    if refusal:
        raise Conflict(refusal) if found.is_reviewed else Forbidden(refusal)
    status = Status.ACCEPTED if accepts else Status.FAULTED
    work.emergencies.review(emergency_id, status, caller.actor.name, text, work.now_ms)
    _record(work, caller, version, found, "emergency:review:done", status, {"comment": text})
    _mark(work, caller, version)
    reason = f"Emergency {emergency_id} was faulted: {text}"
    after = "" if accepts else _send_back(work, caller, version, found, reason)
    return Reviewed(again(work, version), get(work, emergency_id), after)


def mark_overdue(work: Work, caller: Caller) -> int:
    """Marks open reviews that are past their time, at most 20, and has the stages go back whose
    policy says so; how many there were."""
    late = work.emergencies.lapsed(work.now_ms, LAPSE_LIMIT)
    for emergency in late:
        work.emergencies.review(emergency.id, Status.OVERDUE)
        version = _version(work, emergency)
        assert version is not None  # the server itself sees every model
        act = "emergency:review:overdue"
        _record(work, caller, version, emergency, act, Status.OVERDUE, {})
        _mark(work, caller, version)
        reason = f"Emergency {emergency.id} was not reviewed in time."
        _send_back(work, caller, version, emergency, reason)
    return len(late)


def get(work: Work, emergency_id: int) -> Emergency:
    """Raises NotFound."""
    found = work.emergencies.get(emergency_id)
    if found is None:
        raise NotFound(f"There is no emergency {emergency_id}.")
    return found


def listing(work: Work, *, unreviewed: bool = False) -> list[tuple[Version, Emergency]]:
    """Those of the models that the caller may see, newest first; at most 500 are looked at."""
    statuses = UNREVIEWED if unreviewed else tuple(Status)
    found = work.emergencies.listing(statuses, LIST_LIMIT)
    seen = ((_version(work, emergency), emergency) for emergency in found)
    return [(version, emergency) for version, emergency in seen if version]


def _check(caller: Caller, reason: str, hours: int | None, cycle: Lifecycle) -> int:
    """The hours until the review is due."""
    names.check_text(reason, "reason", TEXT_LIMIT)
    if is_blank(reason):
        raise InvalidInput("Breaking the glass needs a reason.")
    limit = cycle.emergency.hours or LIMIT_HOURS
    if hours is not None and not 1 <= hours <= limit:
        raise InvalidInput(f"hours must be 1 to {limit}, got {hours}.")
    if caller.actor.is_anonymous:
        raise Forbidden("Nobody breaks the glass anonymously; say who you are.")
    if caller.actor.lent_by:
        raise Forbidden(f"{caller.actor.lent_by} made this token; break the glass by your own.")
    return hours or cycle.emergency.hours or DEFAULT_HOURS


def _owed(work: Work, model_id: int, target: str) -> str:
    """The sentence about a review that has to be done before the glass is broken again."""
    for owed in work.emergencies.of_model(model_id, UNREVIEWED):
        if owed.status is Status.OVERDUE or owed.target == target:
            late = "is overdue" if owed.status is Status.OVERDUE else "is still owed"
            return (
                f"the review of emergency {owed.id}, into {owed.target}, {late}; until it is done "
                "the glass cannot be broken again. A rollback takes it back without one"
            )
    return ""


def _send_back(
    work: Work, caller: Caller, version: Version, emergency: Emergency, reason: str
) -> str:
    """Has a stage go back to what it held before an emergency, if the policy says so; in a
    sentence, what came of that, or what can be done.
    """
    model, stage = version.model_name, emergency.target
    if emergency.id not in (there.id for there in marks.standing(work, version.model_id)):
        return f"{model}/{version.number} does not stand in {stage} by it any more."
    by_hand = f"modelkeep rollback {model} --stage {stage} --reason …"
    if not lifecycle_of(work, model).emergency.rolls_back:
        return f"{model}/{version.number} is still in {stage}. To take it back: {by_hand}"
    try:
        return promotion.roll_back(work, caller, model, reason[:TEXT_LIMIT], stage=stage).message
    except (Conflict, InvalidInput) as error:  # nothing to go back to, or no such stage any more
        return f"{model}/{version.number} is still in {stage}. {error.message}"


def _mark(work: Work, caller: Caller, version: Version) -> None:
    """Has the version's tag say which reviews are owed for it, if any are."""
    found = work.emergencies.of_model(version.model_id, UNREVIEWED)
    owed = "; ".join(e.mark for e in found if e.version_id == version.id)
    if owed:
        work.versions.set_tags(version.id, {TAG: owed})
        action, after, texts = "version:tag:set", {"tags": [TAG]}, {"tag.0": owed}
    elif work.versions.delete_tag(version.id, TAG):
        action, after, texts = "version:tag:deleted", {"untagged": [TAG]}, {}
    else:  # its glass was broken before versions were marked
        return
    event = Event(action, subject(version), after=after, texts=texts)
    work.record(caller, event, model_id=version.model_id)


def _record(
    work: Work,
    caller: Caller,
    version: Version,
    emergency: Emergency,
    action: str,
    status: Status,
    texts: dict[str, str],
) -> None:
    after: dict[str, Any] = {"emergency": {"id": emergency.id, "status": status.value}}
    event = Event(action, subject(version), after=after, texts=texts)
    work.record(caller, event, model_id=version.model_id)


def _version(work: Work, emergency: Emergency) -> Version | None:
    return work.versions.by_id(emergency.version_id)
