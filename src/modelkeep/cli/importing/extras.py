"""What came at an earlier import and is gone at the source by now: told, and never deleted.

Looked for only among what was listed in full, and only what is not deleted here: deleting it here
as well is how both sides come to agree.
"""

from collections.abc import Collection

from modelkeep.cli.importing import facts
from modelkeep.cli.importing.job import Job
from modelkeep.cli.importing.report import (
    ALIASES,
    EXPERIMENTS,
    LOGGED_MODELS,
    MODELS,
    RUNS,
    VERSIONS,
)
from modelkeep.domain.imports import Kind


def tell(job: Job, *, is_all: bool) -> None:
    """Puts what is here only into the report; `is_all`: whether the whole source was read."""
    seen = job.seen
    experiments = _gone(job, Kind.EXPERIMENT, EXPERIMENTS, seen.experiments) if is_all else {}
    owners = seen.whole | experiments.keys()
    _tell_logged(job, Kind.RUN, RUNS, seen.runs, owners)
    _tell_logged(job, Kind.LOGGED_MODEL, LOGGED_MODELS, seen.logged_models, owners)
    models = _gone(job, Kind.MODEL, MODELS, seen.models) if is_all else {}
    _tell_versions(job, {**seen.listed, **models})
    for name in models.values():
        for alias in sorted(facts.aliases(job.here.model(name))):
            job.report.only_here(ALIASES, f"{name}@{alias}")


def _gone(job: Job, kind: Kind, shown: str, seen: Collection[str]) -> dict[str, str]:
    """Those that the source has no more: id -> name."""
    gone = {one.key: one.name for one in job.keep.brought(kind) if one.key not in seen}
    for name in gone.values():
        job.report.only_here(shown, name)
    return gone


def _tell_logged(
    job: Job, kind: Kind, shown: str, seen: Collection[str], owners: Collection[str]
) -> None:
    if not owners:
        return
    for one in job.keep.brought(kind):
        if one.key not in seen and one.within in owners:
            job.report.only_here(shown, f"{one.key} {one.name!r}")
        job.tick()


def _tell_versions(job: Job, models: dict[str, str]) -> None:
    """Of these models: id -> name."""
    if not models:
        return
    for one in job.keep.brought(Kind.VERSION):
        if one.within in models and (one.within, one.name) not in job.seen.versions:
            job.report.only_here(VERSIONS, f"{models[one.within]}/{one.name}")
