"""What would come of asking, without asking: nothing is moved, recorded or opened."""

from dataclasses import dataclass

from modelkeep.domain import policies
from modelkeep.domain.access import Caller
from modelkeep.domain.evidence import Evidence
from modelkeep.domain.gates import Outcome, Verdict
from modelkeep.domain.models import Version, stage_named
from modelkeep.domain.policies import Decision, Guarded, Policy, Ruling, Unguarded
from modelkeep.ports.work import Work
from modelkeep.services import judging
from modelkeep.services.catalog import resolve
from modelkeep.services.evidence import gather, gather_for
from modelkeep.services.policies import in_force


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
    target = stage_named(target)
    policy = in_force(work)
    if policy is None:
        return Check(version, target, Decision(Ruling.PASSED, (), "", ""))
    return Check(version, target, judged(work, caller, version, target, reason, policy))


def judged(
    work: Work, caller: Caller, version: Version, target: str, reason: str, policy: Policy
) -> Decision:
    """The decision of a policy on a version as it is now."""
    standing = policies.guard(policy, version.stage, target)
    if isinstance(standing, Guarded):
        evidence = gather_for(work, version, standing.rule)
        barred = (*evidence.authors, caller.actor.name)
        return judging.decide(standing.rule, evidence, reason, (), barred, work.now_ms)
    evidence = gather(work, version)
    if isinstance(standing, Unguarded):
        return Decision(Ruling.PASSED, (), policy.digest, evidence.digest())
    return unlisted(policy, standing.message, evidence)


def unlisted(policy: Policy, message: str, evidence: Evidence) -> Decision:
    """The refusal of a transition that the policy does not list."""
    verdict = Verdict("lifecycle", Outcome.FAILED, message)
    return Decision(Ruling.REFUSED, (verdict,), policy.digest, evidence.digest())
