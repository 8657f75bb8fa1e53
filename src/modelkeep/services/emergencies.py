"""Breaking the glass: a promotion past the gates, and the review that it leaves to be done."""

from dataclasses import replace
from typing import Any

from modelkeep.domain import names
from modelkeep.domain.access import Caller, is_blank
from modelkeep.domain.emergencies import (
    DEFAULT_HOURS,
    HOUR_MS,
    LIMIT_HOURS,
    Emergency,
    Status,
    refuse_review,
)
from modelkeep.domain.errors import Conflict, Forbidden, InvalidInput, NotFound
from modelkeep.domain.events import Event
from modelkeep.domain.models import Version
from modelkeep.ports.work import Work
from modelkeep.services import checks
from modelkeep.services.accounts import refuse_word
from modelkeep.services.catalog import resolve, subject
from modelkeep.services.policies import lifecycle_of
from modelkeep.services.steps import Result, Step, force

TEXT_LIMIT = 4000  # characters
LIST_LIMIT = 500
UNREVIEWED = (Status.OPEN, Status.OVERDUE)


def break_glass(
    work: Work,
    caller: Caller,
    model: str,
    which: int | str,
    target: str,
    reason: str,
    hours: int = DEFAULT_HOURS,
) -> Result:
    """Brings a version into a stage whatever its gates say; a review is owed within `hours`.

    Raises NotFound; InvalidInput without a reason, for a stage that does not exist and for hours
    beyond 1 to 168; Forbidden for an anonymous caller; Conflict where the version is there
    already, where no gate stands in the way, and while a review of the model is overdue.
    """
    version = resolve(work, model, which)
    cycle = lifecycle_of(work, model)
    target = cycle.stage_named(target)
    _check(caller, reason, hours)
    if version.stage == target:
        raise Conflict(f"{model}/{version.number} is in {target} already.")
    overdue = work.emergencies.of_model(version.model_id, [Status.OVERDUE])
    if overdue:
        raise Conflict(
            f"The review of emergency {overdue[0].id} of {model} is overdue; until it is done, the "
            "glass cannot be broken again."
        )
    decision, evidence = checks.judged(work, caller, version, target, reason, cycle)
    if not decision.verdicts:
        raise Conflict(f"No gate stands between {model}/{version.number} and {target}; promote it.")
    work.governance.keep_evidence(evidence)
    due_ms = work.now_ms + hours * HOUR_MS
    draft = Emergency(
        0, version.id, target, caller.actor.name, reason, decision.to_json(), work.now_ms, due_ms
    )
    made = replace(draft, id=work.emergencies.add(draft))
    return force(work, caller, Step(version, target, reason, cycle, False), decision, made)


def review(
    work: Work, caller: Caller, emergency_id: int, text: str, *, accepts: bool
) -> tuple[Version, Emergency]:
    """Says of an emergency whether it was justified. It moves nothing.

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
    return version, get(work, emergency_id)


def mark_overdue(work: Work, caller: Caller) -> int:
    """Marks every open review that is past its time; how many there were."""
    late = [
        e for e in work.emergencies.listing([Status.OPEN], LIST_LIMIT) if e.due_ms <= work.now_ms
    ]
    for emergency in late:
        work.emergencies.review(emergency.id, Status.OVERDUE)
        version = _version(work, emergency)
        assert version is not None  # the server itself sees every model
        act = "emergency:review:overdue"
        _record(work, caller, version, emergency, act, Status.OVERDUE, {})
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


def _check(caller: Caller, reason: str, hours: int) -> None:
    names.check_text(reason, "reason", TEXT_LIMIT)
    if is_blank(reason):
        raise InvalidInput("Breaking the glass needs a reason.")
    if not 1 <= hours <= LIMIT_HOURS:
        raise InvalidInput(f"hours must be 1 to {LIMIT_HOURS}, got {hours}.")
    if caller.actor.is_anonymous:
        raise Forbidden("Nobody breaks the glass anonymously; say who you are.")
    if caller.actor.lent_by:
        raise Forbidden(f"{caller.actor.lent_by} made this token; break the glass by your own.")


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
