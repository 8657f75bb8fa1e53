"""Models as groups of packages: found by their handles, and listed."""

from modelkeep.domain.access import Caller
from modelkeep.domain.errors import Conflict, NotFound
from modelkeep.domain.models import Model
from modelkeep.domain.search import Page, Position
from modelkeep.ports.registry import Listing
from modelkeep.ports.work import Work
from modelkeep.services import registry


def name_of(work: Work, handle: str) -> str:
    """The model's name. Raises NotFound."""
    name = work.models.by_handle(handle)
    if name is None:
        raise NotFound(f"There is no model with the handle {handle}.")
    return name


def get(work: Work, handle: str) -> Model:
    """Raises NotFound."""
    return registry.get_model(work, name_of(work, handle))


def listed(work: Work, wanted: Listing, limit: int, after: Position | None) -> Page[Model]:
    return work.models.listed(wanted, limit, after)


def delete(work: Work, caller: Caller, handle: str) -> None:
    """Deletes a model without versions. Raises NotFound; Conflict where there are versions."""
    name = name_of(work, handle)
    model = registry.get_model(work, name)
    if work.versions.count(model.id):
        raise Conflict(f"Model package group {handle} has model packages; delete those first.")
    registry.delete_model(work, caller, name)
