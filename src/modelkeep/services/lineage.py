"""Where a version comes from and where it went: its run, data, copies, stages and approvals."""

from dataclasses import dataclass

from modelkeep.domain.approvals import Request, Vote
from modelkeep.domain.manifests import Manifest
from modelkeep.domain.models import Version
from modelkeep.domain.tracking import Experiment, LoggedModel, Run
from modelkeep.ports.governance import Closed
from modelkeep.ports.registry import Occupancy
from modelkeep.ports.work import Work
from modelkeep.services import marks, numbering, sources
from modelkeep.services.catalog import resolve
from modelkeep.services.marks import Marks
from modelkeep.services.numbering import Standing

PARENT_RUN_TAG = "mlflow.parentRunId"
SHOWN_LIMIT = 100  # of the stays, copies and requests of one version


@dataclass(frozen=True, slots=True)
class Lineage:
    """All that is known of where a version came from and went; None where it has no such thing.

    `parent` is the run that the run was nested in. Stays, copies and requests are at most 100.
    """

    version: Version
    standing: Standing
    manifest: Manifest | None
    run: Run | None
    experiment: Experiment | None
    parent: Run | None
    logged_model: LoggedModel | None
    copy_of: Version | None
    copies: list[Version]
    stays: list[Occupancy]
    past_gates: Marks  # the emergencies among the stays
    requests: list[tuple[Request, Closed, list[Vote]]]


def trace(work: Work, model: str, which: str) -> Lineage:
    """Raises NotFound, and InvalidInput where `which` can name no version."""
    version = resolve(work, model, which)
    run = work.runs.get(version.run_id) if version.run_id else None
    logged = version.logged_model_id
    asked = work.governance.requests_for(version.id, SHOWN_LIMIT)
    stays = work.slots.of_version(version.id, SHOWN_LIMIT)
    return Lineage(
        version=version,
        standing=numbering.standing(work, version),
        manifest=work.artifacts.frozen(version.id),
        run=run,
        experiment=work.experiments.get(run.experiment_id) if run else None,
        parent=_parent(work, run),
        logged_model=work.logged_models.get(logged, deleted=True) if logged else None,
        copy_of=sources.copied(work, version),
        copies=sources.copies(work, version, SHOWN_LIMIT),
        stays=stays,
        past_gates=marks.of_stays(work, version.model_id, stays),
        requests=[(request, end, work.governance.votes(request.id)) for request, end in asked],
    )


def _parent(work: Work, run: Run | None) -> Run | None:
    parent_id = run.tags.get(PARENT_RUN_TAG) if run else None
    return work.runs.find(parent_id) if parent_id else None
