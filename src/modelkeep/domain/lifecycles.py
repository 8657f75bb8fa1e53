"""Lifecycles: the stages that versions of some models pass through, and what holds between them.

The rules:

* None is the absence of a stage and always there; so is the archived stage. Both hold any number.
* A stage is *guarded* when it is the target of a listed transition. Into a guarded stage only
  listed transitions lead.
* A stage is *single*, and admits one version, when it is listed as such, or is the production
  stage and guarded. Whom it displaces goes where the lifecycle says, and needs nobody's leave.
* Out of a single stage only listed transitions lead, once any out of it is listed: otherwise
  production could be emptied past its guard.
* An alias may follow a single stage.
* What stands in a stage that the lifecycle does not have (it had another when it came there) may
  go wherever a version without a stage may.
* What stands in a single, guarded or production stage is *held*: it cannot be deleted from there.
  Nothing is held in the archived stage, nor by a lifecycle that guards nothing.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import re2

from modelkeep.domain.emergencies import UNSAID, Terms
from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.gates import Gate, Need
from modelkeep.domain.gates.base import needs_of
from modelkeep.domain.likeness import skeleton
from modelkeep.domain.models import ARCHIVED, NO_STAGE, PRODUCTION, STAGES, Move

DEFAULT = "default"  # the lifecycle of every model that no other one claims


@dataclass(frozen=True, slots=True)
class Rule:
    """A listed transition and the gates that guard it, of the policy with this digest."""

    source: str
    target: str
    gates: tuple[Gate, ...]
    policy_digest: str

    def __str__(self) -> str:
        return f"{self.source} -> {self.target}"

    @property
    def needs(self) -> frozenset[Need]:
        """What its gates look at that is not gathered for every decision."""
        return frozenset[Need]().union(*map(needs_of, self.gates))


@dataclass(frozen=True, slots=True)
class Unguarded:
    """The policy has nothing to say about the transition."""


@dataclass(frozen=True, slots=True)
class Guarded:
    """The transition is listed; `policies.decide` on its rule."""

    rule: Rule


@dataclass(frozen=True, slots=True)
class Unlisted:
    """The transition is refused; `message` says which ones the policy does list."""

    message: str


Guard = Unguarded | Guarded | Unlisted


@dataclass(frozen=True, slots=True)
class Retention:
    """Which versions may be retired: those that stand in `stages`, beyond the newest
    `max_versions` of the model or after `retention_days` there. None sets no limit."""

    max_versions: int | None = None
    retention_days: int | None = None
    stages: tuple[str, ...] = ()


_NOTHING: Mapping[Any, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """The stages of some models, None first, by their exact spelling.

    `models` are names and patterns (`credit_*`); none, of the default. `policy_digest` is empty
    where no policy is in force.
    """

    name: str = DEFAULT
    models: tuple[str, ...] = ()
    stages: tuple[str, ...] = STAGES
    production: str = PRODUCTION
    archived: str = ARCHIVED
    rules: Mapping[tuple[str, str], Rule] = field(default_factory=lambda: _NOTHING)
    single: frozenset[str] = frozenset()
    displaced: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    archive_after_days: Mapping[str, int] = field(default_factory=lambda: _NOTHING)
    aliases: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    rollback: tuple[Gate, ...] | None = None
    retention: Retention = Retention()
    emergency: Terms = UNSAID
    policy_digest: str = ""

    def claims(self, model_name: str) -> bool:
        """Whether it names a model, or one of its patterns matches the whole name."""
        return _matcher(self.models).fullmatch(model_name) is not None

    # -- stages ----------------------------------------------------------------------------------

    def stage_named(self, text: str) -> str:
        """A stage's own spelling, given in any case; InvalidInput in MLflow's words otherwise."""
        stage = self._known(text)
        if stage is None:
            raise InvalidInput(
                f"Invalid Model Version stage: {text}. "
                f"Value must be one of {', '.join(self.stages)}."
            )
        return stage

    def _known(self, text: str) -> str | None:
        return next((stage for stage in self.stages if stage.lower() == text.lower()), None)

    @property
    def active(self) -> tuple[str, ...]:
        """All but None and the archived stage: those whose occupants can be displaced."""
        return tuple(s for s in self.stages if s not in (NO_STAGE, self.archived))

    def admits_one(self, stage: str) -> bool:
        """Whether a stage (in any case) holds one version at a time."""
        return self._known(stage) in self.single

    def is_guarded(self, stage: str) -> bool:
        return any(rule.target == stage for rule in self.rules.values())

    def holds(self, stage: str) -> bool:
        """Whether what stands in a stage may not be deleted, or renamed out of its guard."""
        if stage in (NO_STAGE, self.archived) or not self.guards_any:
            return False
        return stage == self.production or stage in self.single or self.is_guarded(stage)

    @property
    def guards_any(self) -> bool:
        return bool(self.rules or self.single)

    def moves_into(
        self, target: str, version_id: int, source: str, displaced: Sequence[int]
    ) -> tuple[Move, ...]:
        """The moves that clear away whom a version displaces and then bring it into `target`."""
        gone = [Move(o, target, self.displaced_to(target)) for o in displaced if o != version_id]
        return (*gone, Move(version_id, source, target))

    def displaced_to(self, stage: str) -> str:
        """Where a version goes that another displaces from this stage."""
        return self.displaced.get(stage, self.archived)

    def alias_stage(self, alias: str) -> str | None:
        """The single stage whose occupant this alias always names, if it follows one."""
        return self.aliases.get(alias)

    def alias_like(self, alias: str, pointing: Collection[str]) -> str | None:
        """Another alias that a reader takes this one for: one that follows a stage or, for an alias
        that does not point anywhere yet, one that does. None where nothing is guarded.
        """
        if alias in self.aliases or not self.guards_any:
            return None
        others = self.aliases if alias in pointing else (*self.aliases, *sorted(pointing))
        return next((other for other in others if skeleton(other) == skeleton(alias)), None)

    # -- transitions -----------------------------------------------------------------------------

    def guard(self, source: str, target: str) -> Guard:
        """How it stands to a transition; InvalidInput for a target that it does not have."""
        source, target = self._left(source), self.stage_named(target)
        if source == target:
            return Unguarded()
        if rule := self.rules.get((source, target)):
            return Guarded(rule)
        into = [str(rule) for rule in self.rules.values() if rule.target == target]
        if into:
            return _unlisted(source, target, f"Into {target}", into)
        out = [str(rule) for rule in self.rules.values() if rule.source == source]
        if out and self.admits_one(source):
            return _unlisted(source, target, f"Out of {source}", out)
        return Unguarded()

    def way_into(self, source: str, target: str) -> Rule | None:
        """The transition's own rule or, for a rollback that has none, the first one into there."""
        into = (rule for rule in self.rules.values() if rule.target == target)
        return self.rules.get((self._left(source), target)) or next(into, None)

    def way_back(self, source: str, target: str, approved: bool) -> Rule | None:
        """What a rollback has to pass; None where the reason is enough.

        Whoever the gates let in before need not pass them again; `rollback` is asked of everyone.
        """
        into = None if approved else self.way_into(source, target)
        gates = (*(self.rollback or ()), *(into.gates if into else ()))
        if into is None and self.rollback is None:
            return None
        return Rule(source, target, gates, self.policy_digest)

    def _left(self, source: str) -> str:
        return self._known(source) or NO_STAGE


def _unlisted(source: str, target: str, way: str, listed: list[str]) -> Unlisted:
    return Unlisted(
        f"The policy does not list the transition {source} -> {target}. "
        f"{way} it lists: {', '.join(listed)}."
    )


MLFLOW = Lifecycle()  # that of every model while no policy is in force


# -- which models ------------------------------------------------------------------------------


@lru_cache(maxsize=1024)
def _matcher(patterns: tuple[str, ...]) -> Any:
    """`*` stands for any text; RE2 takes no longer for a bad pattern than for a good one."""
    written = (".*".join(map(re2.escape, pattern.split("*"))) for pattern in patterns)
    return re2.compile(f"(?s)(?:{'|'.join(written)})")


def can_both_match(one: str, other: str) -> bool:
    """Whether there is a name that two patterns match.

    With a `*` in each there is, if their beginnings and their ends agree: whatever lies between in
    the one can stand for a star of the other.
    """
    if "*" not in one or "*" not in other:
        literal, pattern = (other, one) if "*" in one else (one, other)
        return _matcher((pattern,)).fullmatch(literal) is not None
    heads = sorted((one.partition("*")[0], other.partition("*")[0]), key=len)
    tails = sorted((one.rpartition("*")[2], other.rpartition("*")[2]), key=len)
    return heads[1].startswith(heads[0]) and tails[1].endswith(tails[0])
