"""Archives and retires versions whose time is over, a few at a time, and says which will be next.

It decides anew in the transaction that carries out, so that nothing goes which came into use
meanwhile, and two servers that tend one model do nothing twice. See `domain.retention`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from modelkeep.domain import retention
from modelkeep.domain.access import Actor, Caller, Kind
from modelkeep.domain.lifecycles import Lifecycle
from modelkeep.domain.models import Move, Version
from modelkeep.domain.retention import Due, Fate, Standing
from modelkeep.ports.work import Work
from modelkeep.services import custody, policies
from modelkeep.services.catalog import model_id_of
from modelkeep.services.placement import shift
from modelkeep.services.steps import record_shift, void_overtaken

SYSTEM = Caller(Actor("modelkeep", True, Kind.SYSTEM))  # who tends by itself
BATCH = 20  # versions changed in one transaction
PLAN_LIMIT = 1_000  # versions told of, for one model
_PAGE = 200


@dataclass(frozen=True, slots=True)
class Item:
    """A version that is due. `kept` says why it stays all the same; None of one that goes."""

    version: Version
    due: Due
    kept: str | None


@dataclass(frozen=True, slots=True)
class Plan:
    """What is due of a model's versions, lowest number first; at most `PLAN_LIMIT`."""

    model: str
    lifecycle: str
    items: list[Item]
    is_whole: bool


def tended(work: Work) -> list[str]:
    """The models whose lifecycle lets anything go, by name, once its policy's grace is over.

    A policy that was put in force today does nothing by itself until tomorrow.
    """
    shown = policies.show(work)
    if shown is None or work.now_ms < shown[0].applied_ms + retention.GRACE_MS:
        return []
    policy = shown[1]
    models = (model.name for model in work.models.all())
    return [name for name in models if retention.stages(policy.lifecycle_for(name))]


def plan(work: Work, model: str) -> Plan:
    """What would be done for a model now, and what would not, and why. Raises NotFound."""
    model_id, cycle = model_id_of(work, model), policies.lifecycle_of(work, model)
    items: list[Item] = []
    for item in _items(work, model_id, cycle):
        if len(items) == PLAN_LIMIT:
            return Plan(model, cycle.name, items, False)
        items.append(item)
    return Plan(model, cycle.name, items, True)


def plans(work: Work) -> list[Plan]:
    """The plans of every model that has anything due."""
    policy = policies.in_force(work)
    if policy is None:
        return []
    names = [model.name for model in work.models.all()]
    kept = (plan(work, name) for name in names if retention.stages(policy.lifecycle_for(name)))
    return [one for one in kept if one.items]


def going(work: Work, model: str, after: int = 0) -> list[int]:
    """The numbers, above one, of the next versions that would go; at most `BATCH`.

    Raises NotFound.
    """
    model_id, cycle = model_id_of(work, model), policies.lifecycle_of(work, model)
    due = (item for item in _items(work, model_id, cycle, after) if item.kept is None)
    return [item.version.number for item in islice(due, BATCH)]


def tend(work: Work, caller: Caller, model: str, numbers: Sequence[int]) -> list[Item]:
    """Does what is due for these versions of a model, unless it is so no longer; what was done.

    Raises NotFound.
    """
    model_id, cycle = model_id_of(work, model), policies.lifecycle_of(work, model)
    done: list[Item] = []
    for number in numbers:
        for item in islice(_items(work, model_id, cycle, number - 1, 1), 1):
            if item.version.number == number and item.kept is None:
                _carry_out(work, caller, cycle, item)
                done.append(item)
    return done


def _items(
    work: Work, model_id: int, cycle: Lifecycle, after: int = 0, page_size: int = _PAGE
) -> Iterator[Item]:
    """Everything that is due above a number, lowest first, read page by page."""
    stages = retention.stages(cycle)
    if not stages:
        return
    targets = custody.rollback_targets(work, model_id, cycle)
    lowest = work.versions.newest_number(model_id, cycle.retention.max_versions or 0)
    before = retention.latest_due_ms(cycle, work.now_ms)
    while page := work.versions.standing(model_id, stages, before, lowest, after, page_size):
        after = page[-1].number
        for standing in page:
            if due := retention.due(cycle, standing, lowest, work.now_ms):
                yield _item(work, cycle, standing, due, targets)


def _item(
    work: Work, cycle: Lifecycle, standing: Standing, due: Due, targets: dict[int, str]
) -> Item:
    version = work.versions.by_id(standing.version_id)
    assert version is not None
    waiting = [r.id for r in work.governance.pending([version.id]) if work.now_ms < r.expires_ms]
    hold = work.holds.of_version(version.id)
    holder = hold.placed_by if hold else None
    kept = retention.kept(cycle, version, targets, waiting[0] if waiting else None, holder)
    return Item(version, due, kept)


def _carry_out(work: Work, caller: Caller, cycle: Lifecycle, item: Item) -> None:
    version, due = item.version, item.due
    why: dict[str, Any] = {
        "policy": cycle.policy_digest,
        "retention": {"rule": due.rule, "limit": due.limit},
    }
    if due.fate is Fate.RETIRE:
        custody.delete(work, caller, version, why)
    else:
        move = Move(version.id, version.stage, cycle.archived)
        moved = shift(work, version.model_id, [move])
        void_overtaken(work, [version.id], moved)
        record_shift(work, caller, "version:stage:changed", version, moved, why)
