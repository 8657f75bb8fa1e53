"""One step of one version: from the gates' judgement to whatever it comes to.

`judge` asks the policy's gates and carries out, refuses or keeps the step waiting; `complete`
moves the version, clears away whom it displaces and takes the aliases along; each records itself.
Who may take which step, and what for, is `promotion`'s affair.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from modelkeep.domain import approvals, policies
from modelkeep.domain.access import Actor, Caller
from modelkeep.domain.approvals import Request, Status
from modelkeep.domain.emergencies import Emergency
from modelkeep.domain.events import Event, instant
from modelkeep.domain.evidence import Evidence
from modelkeep.domain.lifecycles import Lifecycle, Rule
from modelkeep.domain.models import NO_STAGE, Move, Version
from modelkeep.domain.policies import Decision, Ruling
from modelkeep.ports.registry import Occupancy
from modelkeep.ports.work import Work
from modelkeep.services import judging
from modelkeep.services.catalog import again, subject
from modelkeep.services.evidence import gather, gather_for
from modelkeep.services.placement import AliasMove, Shift, shift, stage_slot

REASON_TAG = "modelkeep.reason"  # how a client without a field for it gives a reason
DEFAULT_ALIAS = "champion"
STATE = "state"  # what refuses in the place of a gate, where it is the version's own state


class End(StrEnum):
    """How an order ended."""

    MOVED = "moved"
    UNCHANGED = "unchanged"
    WAITING = "waiting"
    REFUSED = "refused"
    VOID = "void"  # of a vote: the request no longer held
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Result:
    """What came of it. `message` is for a person: each gate's verdict, and what to do next."""

    end: End
    version: Version
    target: str
    epoch: int
    message: str = ""
    decision: Decision | None = None
    request_id: int | None = None

    @property
    def is_done(self) -> bool:
        return self.end in (End.MOVED, End.UNCHANGED)


@dataclass(frozen=True, slots=True)
class Step:
    """A move under consideration."""

    version: Version
    target: str
    reason: str
    cycle: Lifecycle
    archive_existing: bool
    leaving: Occupancy | None = None  # of a rollback: the stay it ends
    back_to: Occupancy | None = None  # of a rollback: the stay it returns to
    wish: str = ""  # what is asked for, where it is not to enter the target
    epoch: int | None = None  # the slot's, as whoever asked had read it

    @property
    def is_rollback(self) -> bool:
        return self.back_to is not None

    @property
    def displaces(self) -> bool:
        """Whether the occupants have to go: it was asked for, or the stage admits one."""
        return self.archive_existing or self.cycle.admits_one(self.target)


def bar(version: Version, cycle: Lifecycle, stage: str | None) -> str | None:
    """Why a version may not enter a stage or, with None, bear an alias; None if it may.

    What is blocked or retired goes nowhere but out of stages.
    """
    if version.ending.is_over and stage not in (NO_STAGE, cycle.archived):
        return version.warning
    return None


# -- judging ---------------------------------------------------------------------------------


def judge(work: Work, caller: Caller, step: Step, rule: Rule) -> Result:
    evidence = gather_for(work, step.version, rule)
    barred = (*evidence.authors, caller.actor.name, caller.actor.lent_by)
    decision = judging.decide(rule, evidence, step.reason, (), barred, work.now_ms)
    if decision.outcome is Ruling.PASSED:
        work.governance.keep_evidence(evidence)
        return complete(work, caller, step, decision)
    if decision.outcome is Ruling.REFUSED:
        work.governance.keep_evidence(evidence)
        return refuse(work, caller, step, decision)
    return _wait(work, caller, step, evidence, decision)


def refuse_barred(work: Work, caller: Caller, step: Step, message: str) -> Result:
    """Refuses what the version's own state bars: see `bar`."""
    return refuse_unlisted(work, caller, step, message, by=STATE)


def refuse_unlisted(
    work: Work, caller: Caller, step: Step, message: str, by: str = "lifecycle"
) -> Result:
    """Refuses what no gate is asked about; what was known of the version is kept all the same."""
    evidence = gather(work, step.version)
    work.governance.keep_evidence(evidence)
    return refuse(work, caller, step, policies.refused(step.cycle, message, evidence, by))


def refuse(work: Work, caller: Caller, step: Step, decision: Decision) -> Result:
    version, target = step.version, step.target
    repeats = work.governance.note_decision(
        version.id, target, caller.actor.name, decision, work.now_ms
    )
    if repeats == 1:  # the same refusal again is counted, not journalled
        work.record(
            caller,
            Event(
                "version:stage:refused",
                object=subject(version),
                before={"stage": version.stage},
                after={"target": target},
                why=_grounds(decision),
                texts={"reason": step.reason} if step.reason else {},
            ),
            model_id=version.model_id,
        )
    message = (
        f"{version.model_name}/{version.number} may not {step.wish or f'enter {target}'}:\n"
        f"{decision.explain()}\nMend what failed and ask again."
    )
    epoch = work.slots.epoch(version.model_id, stage_slot(target))
    return Result(End.REFUSED, version, target, epoch, message, decision)


def _wait(work: Work, caller: Caller, step: Step, evidence: Evidence, decision: Decision) -> Result:
    version = step.version
    digest = work.governance.keep_evidence(evidence)
    draft = Request(
        id=0,
        model_id=version.model_id,
        version_id=version.id,
        number=version.number,
        subject=version.subject,
        source=version.stage,
        target=step.target,
        evidence_digest=digest,
        policy_digest=decision.policy_digest,
        requested_by=caller.actor.name,
        authors=evidence.authors,
        reason=step.reason,
        status=Status.PENDING,
        created_ms=work.now_ms,
        expires_ms=approvals.expiry_ms(work.now_ms),
        archive_existing=step.displaces,
        returns_to=step.back_to.id if step.back_to else None,
        epoch=step.epoch,
        lent_by=caller.actor.lent_by,
    )
    request_id = _open_request(work, draft) or _new_request(work, caller, step, draft, decision)
    message = (
        f"{version.model_name}/{version.number} waits to enter {step.target}:\n"
        f"{decision.explain()}\n{_caution(version, evidence)}"
        f"Someone else can approve it: modelkeep approve {request_id} --comment …"
    )
    epoch = work.slots.epoch(version.model_id, stage_slot(step.target))
    return Result(End.WAITING, version, step.target, epoch, message, decision, request_id)


def _caution(version: Version, evidence: Evidence) -> str:
    """What an approver should know that no gate asks."""
    told = ""
    if version.manifest is None:
        told += "Its bytes are not held here: only its id and source would be approved.\n"
    if any(Actor(name).is_anonymous for name in evidence.authors):
        told += "An author gave no name, so that nobody can tell whether it is the approver.\n"
    return told


def _open_request(work: Work, draft: Request) -> int | None:
    """The request that is open for just this, if any."""

    def gist(r: Request) -> tuple[Any, ...]:
        return (
            r.source,
            r.target,
            r.subject,
            r.evidence_digest,
            r.policy_digest,
            r.archive_existing,
            r.returns_to,
            r.epoch,
        )

    for known in work.governance.pending([draft.version_id]):
        if gist(known) == gist(draft) and work.now_ms < known.expires_ms:
            return known.id
    return None


def _new_request(work: Work, caller: Caller, step: Step, draft: Request, decision: Decision) -> int:
    overtaken = [r for r in work.governance.pending([draft.version_id]) if r.target == draft.target]
    request_id = work.governance.add_request(draft)
    closed = close_requests(work, overtaken, Status.VOID, f"Request {request_id} took its place.")
    work.governance.note_decision(
        draft.version_id, draft.target, caller.actor.name, decision, work.now_ms
    )
    work.record(
        caller,
        Event(
            "approval:request:opened",
            object=subject(step.version),
            before={"stage": draft.source},
            after={
                "target": draft.target,
                "subject": draft.subject,
                "archive_existing": draft.archive_existing,
                "returns_to": draft.returns_to,
                "epoch": draft.epoch,
                "expires_ms": draft.expires_ms,
                "requests": [*closed, {"id": request_id, "status": Status.PENDING.value}],
            },
            why=_grounds(decision),
            texts=({"reason": step.reason} if step.reason else {})
            | ({"lent_by": draft.lent_by} if draft.lent_by else {}),
        ),
        model_id=draft.model_id,
    )
    return request_id


def complete(
    work: Work,
    caller: Caller,
    step: Step,
    decision: Decision | None,
    approved_by: Request | None = None,
) -> Result:
    """Moves the version, clears away whom it displaces, and takes the aliases along."""
    why = _grounds(decision) if decision else {}
    if approved_by:
        why["request"] = approved_by.id
    if step.leaving:
        why["rolled_back"] = step.leaving.number
    action = "version:stage:rolled-back" if step.is_rollback else "version:stage:changed"
    return _move(work, caller, step, action, why, {}, decision, approved_by)


def force(
    work: Work, caller: Caller, step: Step, decision: Decision, emergency: Emergency
) -> Result:
    """Moves the version past its gates, whatever they said; the entry says so."""
    forced = {"id": emergency.id, "target": step.target, "due_ms": emergency.due_ms}
    why = _grounds(decision)
    moved = _move(
        work, caller, step, "version:stage:forced", why, {"emergency": forced}, decision, None
    )
    then = (
        f"{step.target} goes back to what it held before, if anything"
        if step.cycle.emergency.rolls_back
        else f"the glass of {step.version.model_name} cannot be broken again"
    )
    told = (
        f"PAST ITS GATES: {moved.message}\n{decision.explain()}\n"
        f"A review is owed by {instant(emergency.due_ms)}, by somebody else: "
        f"modelkeep emergencies review {emergency.id} --accept|--fault --comment …\n"
        f"Without one by then, {then}."
    )
    return replace(moved, message=told)


def _move(
    work: Work,
    caller: Caller,
    step: Step,
    action: str,
    why: dict[str, Any],
    after: dict[str, Any],
    decision: Decision | None,
    approved_by: Request | None,
) -> Result:
    version = step.version
    displaced = work.versions.in_stage(version.model_id, step.target) if step.displaces else []
    moves = step.cycle.moves_into(step.target, version.id, version.stage, displaced)
    back_to = step.back_to
    moved = shift(
        work,
        version.model_id,
        moves,
        _followers(work, step),
        approved=approved_by is not None or (back_to is not None and back_to.approved),
        back_to=back_to,
    )
    void_overtaken(work, [m.version_id for m in moves], moved, approved_by)
    moved.after.update(after)
    record_shift(work, caller, action, version, moved, why, step.reason)
    if REASON_TAG in version.tags:
        _spend_reason(work, caller, version)
    slot = stage_slot(step.target)
    return Result(
        End.MOVED,
        again(work, version),
        step.target,
        moved.epochs.get(slot, 0),
        _told(work, version, step, moves),
        decision,
        approved_by.id if approved_by else None,
    )


def _told(work: Work, version: Version, step: Step, moves: Sequence[Move]) -> str:
    displaced = [
        str(other.number)
        for move in moves[:-1]
        if (other := work.versions.by_id(move.version_id)) is not None
    ]
    tail = f"; {', '.join(displaced)} -> {moves[0].target}" if displaced else ""
    return f"{version.model_name}/{version.number}: {version.stage} -> {step.target}{tail}"


def _followers(work: Work, step: Step) -> list[AliasMove]:
    """The aliases that come along: those the policy says follow the stage, and `champion` of
    whoever a rollback sends away.

    When the version leaves a stage that an alias follows, the alias must not go on naming it.
    """
    version, follows = step.version, step.cycle.aliases
    moves = [AliasMove(a, version.id) for a, stage in follows.items() if stage == step.target]
    moves += [
        AliasMove(alias, None)
        for alias in version.aliases
        if follows.get(alias) == version.stage and follows[alias] != step.target
    ]
    if step.leaving and DEFAULT_ALIAS not in follows:
        holder = work.slots.alias_holder(version.model_id, DEFAULT_ALIAS)
        if holder == step.leaving.version_id:
            moves.append(AliasMove(DEFAULT_ALIAS, version.id))
    return moves


def _spend_reason(work: Work, caller: Caller, version: Version) -> None:
    """A reason given by a tag is for one step; left there it would speak for the next one too."""
    work.versions.delete_tag(version.id, REASON_TAG)
    work.record(
        caller,
        Event("version:tag:deleted", object=subject(version), after={"untagged": [REASON_TAG]}),
        model_id=version.model_id,
    )


# -- closing requests, recording -----------------------------------------------------------------


def void_overtaken(
    work: Work, version_ids: list[int], moved: Shift, approved: Request | None = None
) -> None:
    """Closes what a shift answers or overtakes, and adds it to the shift's facts.

    `approved` is the request that it carries out. Every other request of a version that moved was
    made from where it no longer stands.
    """
    closed: list[dict[str, Any]] = []
    if approved:
        closed += close_requests(work, [approved], Status.APPROVED, "Approved, and carried out.")
    stale = work.governance.pending(version_ids)
    closed += close_requests(work, stale, Status.VOID, "The version has moved since.")
    if closed:
        moved.after["requests"] = closed


def close_requests(
    work: Work, requests: Sequence[Request], status: Status, closing: str
) -> list[dict[str, Any]]:
    for closed in requests:
        work.governance.close_request(closed.id, status, closing, work.now_ms)
    return [{"id": closed.id, "status": status.value} for closed in requests]


def record_shift(
    work: Work,
    caller: Caller,
    action: str,
    version: Version,
    moved: Shift,
    why: dict[str, Any] | None = None,
    reason: str = "",
) -> None:
    event = Event(
        action,
        object=subject(version),
        before=moved.before,
        after=moved.after,
        why=why or {},
        texts={"reason": reason} if reason else {},
    )
    work.record(caller, event, model_id=version.model_id)


def _grounds(decision: Decision) -> dict[str, Any]:
    return {
        "outcome": decision.outcome.value,
        "policy": decision.policy_digest,
        "evidence": decision.evidence_digest,
        "gates": [{"gate": v.gate, "outcome": v.outcome.value} for v in decision.verdicts],
    }
