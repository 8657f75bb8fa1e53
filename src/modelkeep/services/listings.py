"""Pages of models and of one model's versions, each found from where the page before ended."""

from collections.abc import Sequence
from dataclasses import dataclass

from modelkeep.domain import names
from modelkeep.domain.lifecycles import MLFLOW
from modelkeep.domain.models import PROMPT_TAG, Model, Version
from modelkeep.domain.policies import Policy
from modelkeep.domain.search import Comparison, Order
from modelkeep.ports.work import Work
from modelkeep.services import registry
from modelkeep.services.catalog import model_id_of
from modelkeep.services.policies import in_force

_NO_PROMPTS = Comparison("tag", PROMPT_TAG, "IS NOT", "true")
_BY_NAME = (Order("attribute", "name", True),)
_NEWEST_FIRST = (Order("attribute", "version_number", False),)


@dataclass(frozen=True, slots=True)
class Listed:
    """A model with its newest version in each stage, which of these is in production, and how many
    versions it has."""

    model: Model
    newest: list[Version]
    production: Version | None
    versions: int


def models(work: Work, where: Sequence[Comparison], after: str, limit: int) -> list[Listed]:
    """Models by name, those after a name; prompts only if the condition speaks of them."""
    names.check_text(after, "cursor", names.MODEL_NAME_LIMIT)
    tests = [*where, Comparison("attribute", "name", ">", after)]
    if not any(c.field == "tag" and c.key == PROMPT_TAG for c in where):
        tests.append(_NO_PROMPTS)
    found = registry.search_models(work, tests, _BY_NAME, limit, None)
    policy = in_force(work)
    return [_listed(work, policy, *one) for one in found.items]


def _listed(work: Work, policy: Policy | None, model: Model, newest: list[Version]) -> Listed:
    stage = (policy.lifecycle_for(model.name) if policy else MLFLOW).production
    in_production = next((version for version in newest if version.stage == stage), None)
    return Listed(model, newest, in_production, work.versions.count(model.id))


def model(work: Work, name: str) -> Listed:
    """One model, or a prompt. Raises NotFound."""
    found, newest = registry.get_model_with_latest(work, name)
    return _listed(work, in_force(work), found, newest)


def versions(work: Work, model: str, before: int | None, limit: int) -> list[Version]:
    """Versions of a model, newest first, those below a number. Raises NotFound."""
    model_id_of(work, model)
    tests = [Comparison("attribute", "name", "=", model)]
    if before is not None:
        tests.append(Comparison("attribute", "version_number", "<", before))
    return registry.search_versions(work, tests, _NEWEST_FIRST, limit, None).items
