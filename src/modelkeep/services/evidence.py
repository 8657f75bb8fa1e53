"""Gathers what is known of a version into the bundle that gates look at."""

from modelkeep.domain.evidence import Dataset, Evidence
from modelkeep.domain.models import Version
from modelkeep.ports.work import Work

COMMIT_TAG = "mlflow.source.git.commit"


def gather(work: Work, version: Version) -> Evidence:
    """The version's tags, and its run's params, latest metrics, tags, data sets and commit.

    A version without a run is judged by the metrics of its logged model, if it has one. Whoever
    imported a version is one of its authors: its bytes, and what is said of them, came by them.
    So is whoever answers for an author that is a service account.
    """
    run = work.runs.get(version.run_id) if version.run_id else None
    logged = work.logged_models.get(version.logged_model_id) if version.logged_model_id else None
    authors = [version.author]
    authors += [run.author] if run else []
    authors += [logged.author] if logged else []
    imported = work.imports.find("version", str(version.id))
    authors += [imported.importer] if imported else []
    authors += work.accounts.owners_of(authors)
    metrics = run.metrics if run else logged.metrics if logged else {}
    return Evidence.gather(
        tags=version.tags,
        params=run.params if run else {},
        metrics=metrics,
        run_tags=run.tags if run else {},
        datasets=[Dataset(d.name, d.digest, d.source) for d in run.datasets] if run else [],
        git_commit=run.tags.get(COMMIT_TAG) if run else None,
        run_id=version.run_id,
        logged_model_id=version.logged_model_id,
        authors=authors,
    )
