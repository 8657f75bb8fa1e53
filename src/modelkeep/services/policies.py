"""The policy in force: applying one, reading it, and what it finds in the models that exist."""

import json
from dataclasses import dataclass
from functools import lru_cache

from modelkeep.domain import documents, doubts, policies
from modelkeep.domain.access import Caller
from modelkeep.domain.approvals import Status
from modelkeep.domain.errors import InvalidInput, NotFound
from modelkeep.domain.events import Event
from modelkeep.domain.lifecycles import MLFLOW, Lifecycle
from modelkeep.domain.policies import Policy, Section, source_digest
from modelkeep.ports.governance import StoredPolicy
from modelkeep.ports.work import Work


@dataclass(frozen=True, slots=True)
class Applied:
    """What applying a policy came to.

    `changed` is False when this very policy was in force already. `findings` are sentences about
    models that the policy would not have let come about as they are; nothing was done to them.
    `warnings` are sentences about what of it asks for less than it seems to.
    """

    revision: int
    digest: str
    changed: bool
    sections: tuple[Section, ...]
    findings: tuple[str, ...]
    voided: tuple[int, ...]
    warnings: tuple[str, ...]


def in_force(work: Work) -> Policy | None:
    """The compiled policy, or None when none was ever applied."""
    stored = work.governance.policy()
    return _compiled(stored.document, stored.source) if stored else None


def lifecycle_of(work: Work, model_name: str) -> Lifecycle:
    """That of a model, living or not, by its name; MLflow's when no policy was ever applied."""
    policy = in_force(work)
    return policy.lifecycle_for(model_name) if policy else MLFLOW


@lru_cache(maxsize=16)
def _compiled(document: str, source: str) -> Policy:
    return policies.compile(json.loads(document), source)


def apply(work: Work, caller: Caller, document: object, source: str) -> Applied:
    """Puts a policy in force for every model. Requests made under the one before it become void.

    Raises InvalidInput, naming the part, for a document that is no policy. Applying the policy
    that is in force changes nothing.
    """
    policy = policies.compile(document, source)
    plain = documents.plain(document)  # a date of YAML's has become text
    warnings = doubts.of(policy, are_claims=not caller.actor.verified)
    before = work.governance.policy()
    if before and before.digest == policy.digest:
        known = before.revision, before.digest, False, policy.sections, _findings(work, policy)
        return Applied(*known, (), warnings)
    revision = work.governance.add_policy(
        policy.digest, json.dumps(plain), source, caller.actor.name, work.now_ms
    )
    voided = tuple(request.id for request in work.governance.pending())
    for request_id in voided:
        work.governance.close_request(
            request_id, Status.VOID, "The policy changed; ask again.", work.now_ms
        )
    work.record(
        caller,
        Event(
            "policy:revision:applied",
            object={"policy": policy.digest, "revision": revision},
            before={"policy": before.digest if before else None},
            after={
                "policy": policy.digest,
                "source": source_digest(source),
                "revision": revision,
                "requests": [{"id": i, "status": Status.VOID.value} for i in voided],
            },
        ),
    )
    findings = _findings(work, policy)
    return Applied(revision, policy.digest, True, policy.sections, findings, voided, warnings)


def show(work: Work) -> tuple[StoredPolicy, Policy] | None:
    """The policy in force, as stored and compiled."""
    stored = work.governance.policy()
    return (stored, _compiled(stored.document, stored.source)) if stored else None


def revision(work: Work, number: int) -> tuple[StoredPolicy, Policy]:
    """The policy that was applied as a revision. Raises NotFound."""
    found = work.governance.past_policies(number + 1, 1)
    if not found or found[0].revision != number:
        raise NotFound(f"There is no policy of revision {number}.")
    return found[0], _compiled(found[0].document, found[0].source)


def revisions(work: Work, before: int, limit: int) -> list[StoredPolicy]:
    """The policies that were applied, newest first, of lower revisions than `before`."""
    return work.governance.past_policies(before, limit)


def check_model_name(work: Work, name: str) -> None:
    """Raises InvalidInput when the policy does not allow a model to be called this."""
    policy = in_force(work)
    objection = policy.naming.objection(name) if policy else None
    if objection:
        raise InvalidInput(objection)


def _findings(work: Work, policy: Policy) -> tuple[str, ...]:
    found = list(policy.overlaps())
    for model in work.models.all():
        objection = policy.naming.objection(model.name)
        if objection:
            found.append(f"{objection} It keeps its name.")
        cycle = policy.lifecycle_for(model.name)
        for stage in sorted(cycle.single):
            found += _stage_findings(work, cycle, model.id, model.name, stage)
        found += _doubles(work, cycle, model.name)
        found += _stranded(work, cycle, model.id, model.name)
    return tuple(found)


def _stranded(work: Work, cycle: Lifecycle, model_id: int, name: str) -> list[str]:
    """Versions in stages that their lifecycle does not have."""
    newest = work.versions.latest_per_stage([model_id])[model_id]
    return [
        f"Model {name} has versions in {version.stage}, {version.number} the newest, and no such "
        "stage any more; they stay until somebody moves them."
        for version in newest
        if version.stage not in cycle.stages
    ]


def _doubles(work: Work, cycle: Lifecycle, name: str) -> list[str]:
    """Aliases that pass for one that follows a stage."""
    model = work.models.get(name) if cycle.aliases else None
    pointing = sorted(model.aliases) if model else []
    doubles = ((alias, cycle.alias_like(alias, pointing)) for alias in pointing)
    return [
        f"Alias {alias} of model {name} reads like {other}, which follows a stage; it stays "
        "where it points until somebody takes it away."
        for alias, other in doubles
        if other
    ]


def _stage_findings(
    work: Work, cycle: Lifecycle, model_id: int, name: str, stage: str
) -> list[str]:
    found: list[str] = []
    occupants = work.versions.in_stage(model_id, stage)
    if len(occupants) > 1:
        found.append(
            f"Model {name} has {len(occupants)} versions in {stage}, which admits one now; "
            "the next promotion displaces them all."
        )
    for alias in (a for a, follows in sorted(cycle.aliases.items()) if follows == stage):
        holder = work.slots.alias_holder(model_id, alias)
        if holder is not None and holder not in occupants:
            found.append(
                f"Alias {alias} of model {name} points to a version that is not in {stage}; "
                "it follows the next promotion."
            )
    return found
