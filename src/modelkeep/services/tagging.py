"""Tags as SageMaker's clients set them, on what is a model of ours: a group, or a package that none
has.

They are our model's, and MLflow's clients see the same ones. SageMaker's limits hold for what is
set through it; a model may have more, and longer ones, which it does not show.
"""

from collections.abc import Callable, Iterable, Mapping

from modelkeep.domain.access import Caller
from modelkeep.domain.models import Model
from modelkeep.domain.packages import told_tags
from modelkeep.domain.tags import check_addition
from modelkeep.ports.work import Work
from modelkeep.services import registry

Find = Callable[[Work, str], Model]  # by a handle; raises NotFound


def of(work: Work, find: Find, handle: str) -> Mapping[str, str]:
    """Raises what `find` does."""
    return told_tags(find(work, handle).tags)


def add(
    work: Work, caller: Caller, find: Find, handle: str, tags: Mapping[str, str]
) -> Mapping[str, str]:
    """Sets tags, and answers with all that there are then. Raises what `find` does,
    InvalidInput."""
    model = find(work, handle)
    there = told_tags(model.tags)
    check_addition(there, tags)
    for key, value in tags.items():
        if there.get(key) != value:
            registry.set_model_tag(work, caller, model.name, key, value)
    return {**there, **tags}


def remove(work: Work, caller: Caller, find: Find, handle: str, keys: Iterable[str]) -> None:
    """Harmless for keys that it does not have. Raises what `find` does, InvalidInput."""
    name = find(work, handle).name
    for key in keys:
        registry.delete_model_tag(work, caller, name, key)
