"""Several small changes of a model or a version at once: all of them happen, or none."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from modelkeep.domain.access import Caller
from modelkeep.domain.models import Version
from modelkeep.ports.work import Work
from modelkeep.services import listings, registry
from modelkeep.services.catalog import locate
from modelkeep.services.listings import Listed
from modelkeep.services.steps import Result


@dataclass(frozen=True, slots=True)
class Amendment:
    """What is None stays as it is. `tags` are set, those given None taken away."""

    new_name: str | None = None
    description: str | None = None
    tags: Mapping[str, str | None] = field(default_factory=dict)


def amend_model(work: Work, caller: Caller, name: str, wanted: Amendment) -> Listed | Result:
    """The model as it is then, or the refusal, recorded, of its new name: then nothing changed.

    Raises NotFound, InvalidInput; AlreadyExists for a taken name.
    """
    registry.get_model(work, name)
    if wanted.new_name is not None:
        refusal = registry.rename_model(work, caller, name, wanted.new_name)
        if refusal is not None:
            return refusal
        name = wanted.new_name
    if wanted.description is not None:
        registry.describe_model(work, caller, name, wanted.description)
    for key, value in wanted.tags.items():
        if value is None:
            registry.delete_model_tag(work, caller, name, key)
        else:
            registry.set_model_tag(work, caller, name, key, value)
    return listings.model(work, name)


def amend_version(
    work: Work, caller: Caller, model: str, number: int, wanted: Amendment
) -> Version:
    """The version as it is then. Raises NotFound, InvalidInput."""
    if wanted.description is not None:
        registry.describe_version(work, caller, model, number, wanted.description)
    for key, value in wanted.tags.items():
        if value is None:
            registry.delete_version_tag(work, caller, model, number, key)
        else:
            registry.set_version_tag(work, caller, model, number, key, value)
    return locate(work, model, number)
