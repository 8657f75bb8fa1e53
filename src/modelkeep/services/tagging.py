"""Tags as SageMaker's clients set them, on what has any.

A group's are our model's, and MLflow's clients see the same ones. SageMaker's limits hold for what
is set through it; a model may have more, and longer ones, which it does not show.
"""

from collections.abc import Iterable, Mapping

from modelkeep.domain.access import Caller
from modelkeep.domain.tags import check_addition
from modelkeep.ports.work import Work
from modelkeep.services import groups, registry


def of_group(work: Work, handle: str) -> Mapping[str, str]:
    """Raises NotFound."""
    return groups.get(work, handle).tags


def add_to_group(
    work: Work, caller: Caller, handle: str, tags: Mapping[str, str]
) -> Mapping[str, str]:
    """Sets tags, and answers with all that there are then. Raises NotFound, InvalidInput."""
    model = groups.get(work, handle)
    check_addition(model.tags, tags)
    for key, value in tags.items():
        if model.tags.get(key) != value:
            registry.set_model_tag(work, caller, model.name, key, value)
    return {**model.tags, **tags}


def remove_from_group(work: Work, caller: Caller, handle: str, keys: Iterable[str]) -> None:
    """Harmless for keys that it does not have. Raises NotFound."""
    name = groups.get(work, handle).name
    for key in keys:
        registry.delete_model_tag(work, caller, name, key)
