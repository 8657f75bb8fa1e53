"""What would come of asking, without asking: nothing is moved, recorded or opened."""

from dataclasses import dataclass

from modelkeep.domain import policies
from modelkeep.domain.access import Caller
from modelkeep.domain.evidence import Evidence
from modelkeep.domain.lifecycles import Guarded, Lifecycle, Unguarded
from modelkeep.domain.models import Version
from modelkeep.domain.policies import Decision, Ruling
from modelkeep.ports.work import Work
from modelkeep.services import judging
from modelkeep.services.catalog import resolve
from modelkeep.services.evidence import gather, gather_for
from modelkeep.services.policies import lifecycle_of
from modelkeep.services.steps import STATE, bar


@dataclass(frozen=True, slots=True)
class Check:
    """A decision that was not made: what the gates say now, and of which version."""

    version: Version
    target: str
    decision: Decision


def check(work: Work, caller: Caller, model: str, which: str, target: str, reason: str) -> Check:
    """What the policy in force says to a version's entering a stage, were the caller to ask.

    Raises NotFound, InvalidInput for a stage that does not exist.
    """
    version = resolve(work, model, which)
    cycle = lifecycle_of(work, version.model_name)
    target = cycle.stage_named(target)
    return Check(version, target, judged(work, caller, version, target, reason, cycle)[0])


def judged(
    work: Work, caller: Caller, version: Version, target: str, reason: str, cycle: Lifecycle
) -> tuple[Decision, Evidence]:
    """What a lifecycle's gates say of a version now, were the caller to ask, and on what."""
    if barred := bar(version, cycle, target):
        evidence = gather(work, version)
        return policies.refused(cycle, barred, evidence, STATE), evidence
    standing = cycle.guard(version.stage, target)
    if isinstance(standing, Guarded):
        evidence = gather_for(work, version, standing.rule)
        barred = (*evidence.authors, caller.actor.name)
        decision = judging.decide(standing.rule, evidence, reason, (), barred, work.now_ms)
        return decision, evidence
    evidence = gather(work, version)
    if isinstance(standing, Unguarded):
        return Decision(Ruling.PASSED, (), cycle.policy_digest, evidence.digest()), evidence
    return policies.refused(cycle, standing.message, evidence), evidence
