"""What a policy would have decided of past moves, had it been in force.

Each move and each refusal since a moment is judged again: on the evidence that was frozen for it,
with the votes that were cast and at the time that it was then. Where nothing was frozen (no gate
was asked), or a gate asks for more than was, what is known of the runs now stands in; such rows
say so. Nothing is recorded, and the policy is not put in force.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from modelkeep.domain import policies
from modelkeep.domain.access import ANONYMOUS
from modelkeep.domain.approvals import Vote
from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.evidence import Evidence, Standing
from modelkeep.domain.gates import Need
from modelkeep.domain.lifecycles import Guarded, Rule, Unguarded
from modelkeep.domain.models import Version
from modelkeep.domain.policies import Decision, Policy, Ruling
from modelkeep.ports.journal import Entry
from modelkeep.ports.work import Work
from modelkeep.services import judging
from modelkeep.services.evidence import as_occupant, gather, with_papers
from modelkeep.services.steps import STATE

PAGE = 1_000  # entries read at a time
_ENDS = {
    "version:stage:changed": Ruling.PASSED,
    "version:stage:rolled-back": Ruling.PASSED,
    "version:stage:refused": Ruling.REFUSED,
}


@dataclass(frozen=True, slots=True)
class Past:
    """A move, or the refusal of one, as the journal has it. Times are milliseconds.

    `since_ms` is when the version came to its source (None: it never was elsewhere); `there` the
    number of whoever was in the target, the last to come.
    """

    index: int
    at_ms: int
    model_id: int
    model: str
    number: int
    source: str
    target: str
    was: Ruling
    reason: str
    asked_by: str
    evidence: str | None
    request: int | None
    since_ms: int | None
    there: int | None


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """A past move and what the policy says of it. `is_exact`: all of it rests on what was frozen
    then."""

    past: Past
    decision: Decision
    is_exact: bool

    @property
    def differs(self) -> bool:
        return self.decision.outcome is not self.past.was


def rehearse(work: Work, document: object, source: str, since_ms: int) -> list[Rehearsed]:
    """Every move into another stage since a moment, oldest first, judged by a policy.

    Raises InvalidInput for a document that is no policy.
    """
    policy = policies.compile(document, source)
    return [_judged(work, policy, past) for past in _moves(work, since_ms)]


# -- the past ------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Stages:
    """Who is in which stage, as the journal tells it: model, stage -> number -> since when."""

    held: dict[tuple[int, str], dict[int, int]] = field(default_factory=dict)

    def shift(self, entry: Entry, leaf: dict[str, Any]) -> None:
        """Follows the moves of an entry."""
        before = {move["version"]: move["stage"] for move in leaf["pre"].get("stages", ())}
        for move in leaf["post"].get("stages", ()):
            model_id, number = leaf["obj"]["model"], move["version"]
            self.held.get((model_id, before.get(number, "")), {}).pop(number, None)
            self.held.setdefault((model_id, move["stage"]), {})[number] = entry.at_ms

    def since(self, model_id: int, stage: str, number: int) -> int | None:
        return self.held.get((model_id, stage), {}).get(number)

    def last_in(self, model_id: int, stage: str, but: int) -> int | None:
        others = (n for n in reversed(self.held.get((model_id, stage), {})) if n != but)
        return next(others, None)


def _moves(work: Work, since_ms: int) -> Iterator[Past]:
    start, stages = 0, _Stages()
    while page := work.journal.entries(start, PAGE):
        for entry in page:
            leaf = msgspec.json.decode(entry.body)
            past = _past(entry, leaf, stages) if entry.at_ms >= since_ms else None
            if past and past.source != past.target:
                yield past
            stages.shift(entry, leaf)
        start = page[-1].index + 1


def _past(entry: Entry, leaf: dict[str, Any], stages: _Stages) -> Past | None:
    was = None if _is_by_state(leaf) else _ENDS.get(leaf["act"])
    ends = _ends(leaf) if was else None
    if was is None or ends is None or entry.model_id is None:
        return None
    texts = {name: text for name, (_, text) in entry.texts.items()}
    number = leaf["obj"]["version"]
    return Past(
        entry.index,
        entry.at_ms,
        entry.model_id,
        leaf["obj"]["name"],
        number,
        *ends,
        was,
        texts.get("reason", ""),
        texts.get("actor", ANONYMOUS),
        leaf["why"].get("evidence"),
        leaf["why"].get("request"),
        stages.since(entry.model_id, ends[0], number),
        stages.last_in(entry.model_id, ends[1], number),
    )


def _is_by_state(leaf: dict[str, Any]) -> bool:
    """Whether the version's own state refused it, about which no policy is asked."""
    return any(gate["gate"] == STATE for gate in leaf["why"].get("gates", ()))


def _ends(leaf: dict[str, Any]) -> tuple[str, str] | None:
    """From which stage to which the leaf's own version went, or was to go."""
    if "target" in leaf["post"]:
        return leaf["pre"]["stage"], leaf["post"]["target"]
    number = leaf["obj"]["version"]
    before = {move["version"]: move["stage"] for move in leaf["pre"].get("stages", ())}
    after = {move["version"]: move["stage"] for move in leaf["post"].get("stages", ())}
    return (before[number], after[number]) if number in after else None


# -- judging it again ----------------------------------------------------------------------------


def _judged(work: Work, policy: Policy, past: Past) -> Rehearsed:
    cycle = policy.lifecycle_for(past.model)
    frozen = work.governance.evidence(past.evidence) if past.evidence else None
    version = work.versions.get(past.model_id, past.number)
    evidence = frozen or (gather(work, version) if version else Evidence.gather())
    try:
        standing = cycle.guard(past.source, past.target)
    except InvalidInput as error:  # the policy has no such stage
        return Rehearsed(past, policies.refused(cycle, error.message, evidence), True)
    if isinstance(standing, Unguarded):
        passed = Decision(Ruling.PASSED, (), cycle.policy_digest, evidence.digest())
        return Rehearsed(past, passed, True)
    if not isinstance(standing, Guarded):
        return Rehearsed(past, policies.refused(cycle, standing.message, evidence), True)
    whole = _completed(work, evidence, past, version, standing.rule)
    return Rehearsed(past, _decided(work, standing.rule, whole, past), whole is frozen)


def _decided(work: Work, rule: Rule, evidence: Evidence, past: Past) -> Decision:
    found = work.governance.request(past.request) if past.request else None
    votes: list[Vote] = work.governance.votes(past.request) if past.request else []
    asked_by = found[0].requested_by if found else past.asked_by
    reason = found[0].reason if found else past.reason
    barred = (*evidence.authors, asked_by)
    return judging.decide(rule, evidence, reason, votes, barred, past.at_ms)


def _completed(
    work: Work, evidence: Evidence, past: Past, version: Version | None, rule: Rule
) -> Evidence:
    """The evidence with what the rule asks for and nobody froze, as well as it is known now."""
    if version and evidence.standing is None:
        since = version.created_ms if past.since_ms is None else past.since_ms
        standing = Standing(past.number, past.source, since, version.manifest)
        evidence = replace(with_papers(work, version, evidence, rule), standing=standing)
    if Need.OCCUPANT in rule.needs and evidence.occupant is None and past.there is not None:
        there = work.versions.get(past.model_id, past.there)
        evidence = replace(evidence, occupant=as_occupant(work, there.id) if there else None)
    return evidence
