"""Reading a model's lifecycle: its stages, what leads into each, and who is where."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from modelkeep.domain.emergencies import Emergency
from modelkeep.domain.lifecycles import Lifecycle
from modelkeep.ports.work import Work
from modelkeep.services import marks
from modelkeep.services.catalog import model_id_of
from modelkeep.services.policies import lifecycle_of


@dataclass(frozen=True, slots=True)
class Populated:
    """A model's lifecycle, and of each stage that holds versions how many and the newest.

    A stage among these that the lifecycle does not have is one that it had, or another had. Of the
    versions that came past the gates and are still there: each one's number, and its emergency.
    """

    model: str
    lifecycle: Lifecycle
    census: Mapping[str, tuple[int, int]]
    emergencies: Sequence[tuple[int, Emergency]] = ()


def show(work: Work, model: str) -> Populated:
    """Raises NotFound in MLflow's words."""
    model_id = model_id_of(work, model)
    found = [(work.versions.by_id(e.version_id), e) for e in marks.standing(work, model_id)]
    past = [(version.number, emergency) for version, emergency in found if version]
    return Populated(model, lifecycle_of(work, model), work.versions.census(model_id), past)
