"""What came from a server and is still here, to be held against what that server has by now."""

from modelkeep.domain import imports
from modelkeep.domain.imports import BROUGHT_PAGE, Brought, Kind
from modelkeep.ports.work import Work
from modelkeep.services.imports.experiments import GivenExperiment, find_experiment
from modelkeep.services.imports.models import GivenModel, find_model


def brought(
    work: Work, origin: str, kind: Kind, after: str = "", limit: int = BROUGHT_PAGE
) -> list[Brought]:
    """Things by their keys: at most `limit` that follow `after`. Raises InvalidInput."""
    imports.check_origin(origin)
    return work.imports.brought(kind, origin, after, limit)


def match_experiment(work: Work, origin: str, given: GivenExperiment) -> Brought | None:
    """What an import would take for this experiment. Raises InvalidInput."""
    imports.check_origin(origin)
    found = find_experiment(work, origin, given)
    return Brought(str(found.id), found.name) if found else None


def match_model(work: Work, origin: str, given: GivenModel) -> Brought | None:
    """What an import would take for this model, if its source renamed it. Raises InvalidInput."""
    imports.check_origin(origin)
    found = find_model(work, origin, given)
    return Brought(str(found[0]), found[1]) if found else None
