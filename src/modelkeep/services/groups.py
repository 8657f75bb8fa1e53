"""Models as groups of packages: found by their handles, and listed.

A prompt is no group, although MLflow keeps it among its models, and neither is a package that no
group has: see `packages`.
"""

from collections.abc import Iterable

from modelkeep.domain.access import Caller
from modelkeep.domain.errors import Conflict, NoGroup, NoPackage
from modelkeep.domain.models import Model, is_prompt
from modelkeep.domain.packages import SINGLE_TAG
from modelkeep.domain.search import Page, Position
from modelkeep.ports.registry import Listing
from modelkeep.ports.work import Work
from modelkeep.services import registry


def get(work: Work, handle: str) -> Model:
    """The model with a handle. Raises NoGroup."""
    name = work.models.by_handle(handle)
    model = registry.get_model(work, name) if name else None
    if model is None or SINGLE_TAG in model.tags or is_prompt(model.tags):
        raise NoGroup(f"There is no group with the handle {handle}.")
    return model


def seen(work: Work, handles: Iterable[str]) -> set[str]:
    """Those of the handles by which the caller sees a model, a package without a group too."""
    return {handle for handle in handles if work.models.by_handle(handle) is not None}


def single(work: Work, handle: str) -> Model:
    """The model that is one package without a group, by its handle. Raises NoPackage."""
    name = work.models.by_handle(handle)
    model = registry.get_model(work, name) if name else None
    if model is None or SINGLE_TAG not in model.tags:
        raise NoPackage(f"There is no package {handle}.")
    return model


def listed(work: Work, wanted: Listing, limit: int, after: Position | None) -> Page[Model]:
    return work.models.listed(wanted, limit, after)


def delete(work: Work, caller: Caller, handle: str) -> None:
    """Deletes a model without versions. Raises NoGroup; Conflict where there are versions."""
    model = get(work, handle)
    if work.versions.count(model.id):
        raise Conflict(f"Model package group {handle} has model packages; delete those first.")
    registry.delete_model(work, caller, model.name)
