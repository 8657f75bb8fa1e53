"""How the stages of a lifecycle are read from a policy document: their names, their settings."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from modelkeep.domain import documents
from modelkeep.domain.documents import at
from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.lifecycles import Lifecycle
from modelkeep.domain.likeness import skeleton
from modelkeep.domain.models import ARCHIVED, LATEST, NO_STAGE, STAGES
from modelkeep.domain.sections import Section

DAYS_LIMIT = 36_500
STAGES_LIMIT = 30

_KEYS = ("name", "single", "displaced", "archive_after_days")
# SageMaker's EntityName (botocore, service model), which is what its ModelLifeCycle calls a stage.
_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
_NAME_LIMIT = 63

_Part = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage as it was written down, with the path of its entry."""

    path: str
    name: str
    part: _Part


def read(part: _Part, path: str, sections: list[Section]) -> list[Stage]:
    """Those that are listed, without None; MLflow's where none are."""
    if "stages" not in part:
        return [Stage(path, name, {}) for name in STAGES if name != NO_STAGE]
    here = at(path, "stages")
    given = part["stages"]
    if not isinstance(given, list) or not given:
        raise InvalidInput(f"{here}: must be a list of stages, in their order.")
    if len(given) > STAGES_LIMIT:
        raise InvalidInput(f"{here}: has {len(given)} stages; the limit is {STAGES_LIMIT}.")
    found = [_stage(item, f"{here}[{index}]") for index, item in enumerate(given)]
    found = [stage for stage in found if stage.name != NO_STAGE]
    check_spelling((stage.path, stage.name) for stage in found)
    for earlier, stage in enumerate(found):
        if stage.name in (other.name for other in found[:earlier]):
            raise InvalidInput(f"{stage.path}: the stage {stage.name} is listed twice.")
    if "archived" not in part and ARCHIVED not in (stage.name for stage in found):
        found.append(Stage(here, ARCHIVED, {}))
    sections.append(Section(here, True, " -> ".join((NO_STAGE, *(s.name for s in found)))))
    for stage in found:
        settings = ((key, value) for key, value in stage.part.items() if key != "name")
        sections.extend(Section(at(stage.path, k), True, f"{stage.name}: {v}") for k, v in settings)
    return found


def _stage(item: object, path: str) -> Stage:
    part = item if isinstance(item, dict) else {"name": item}
    documents.mapping(part, path, _KEYS)
    if "name" not in part:
        raise InvalidInput(f"{path}: the key 'name' is required and not there.")
    name = documents.checked(_check_stage, documents.text(part["name"], path), path)
    if name == NO_STAGE and len(part) > 1:
        raise InvalidInput(f"{path}: {NO_STAGE} is the absence of a stage; it has no settings.")
    return Stage(path, name, part)


def _check_stage(name: str) -> str:
    check_name(name)
    if name.isdecimal() or name.lower() == LATEST:
        raise InvalidInput(f"'{name}' means a version, and cannot be a stage.")
    return name


def check_name(name: str) -> str:
    if len(name) > _NAME_LIMIT or not _NAME.fullmatch(name):
        raise InvalidInput(
            f"'{name:.80}' is no name here: use 1 to {_NAME_LIMIT} letters and digits of ASCII, "
            "with hyphens only between them."
        )
    return name


def check_spelling(stages: Iterable[tuple[str, str]]) -> None:
    """That no two stages, each with its path, read alike but are spelt differently."""
    seen = {skeleton(name): name for name in STAGES}
    for path, name in stages:
        known = seen.setdefault(skeleton(name), name)
        if known != name:
            raise InvalidInput(
                f"{path}: '{name}' reads like the stage '{known}'; spell it so, or differently."
            )


def displaced(written: list[Stage], cycle: Lifecycle) -> dict[str, str]:
    found = {}
    for stage in written:
        if "displaced" in stage.part:
            here = at(stage.path, "displaced")
            given = documents.text(stage.part["displaced"], here)
            found[stage.name] = documents.checked(cycle.stage_named, given, here)
    return found


def check_displaced(written: list[Stage], cycle: Lifecycle) -> None:
    """Whoever is displaced passes no gates, and must not displace others in turn."""
    for stage in written:
        target = cycle.displaced.get(stage.name)
        if target is None:
            continue
        here = at(stage.path, "displaced")
        if stage.name not in cycle.active:
            raise InvalidInput(f"{here}: nothing is displaced from {stage.name}.")
        if target == stage.name:
            raise InvalidInput(f"{here}: a version cannot be displaced into where it is.")
        if cycle.admits_one(target) or (target != cycle.archived and cycle.is_guarded(target)):
            raise InvalidInput(
                f"{here}: {target} is guarded, or holds one version; whoever is displaced asks "
                "nobody's leave, and cannot go there."
            )


def days(written: list[Stage], cycle: Lifecycle, single: frozenset[str]) -> dict[str, int]:
    found = {}
    for stage in written:
        if "archive_after_days" not in stage.part:
            continue
        here = at(stage.path, "archive_after_days")
        if stage.name in (*single, cycle.production, cycle.archived):
            raise InvalidInput(
                f"{here}: {stage.name} is production, the archive, or holds one version, and is "
                "not emptied by time."
            )
        found[stage.name] = documents.whole(stage.part["archive_after_days"], here, 1, DAYS_LIMIT)
    return found
