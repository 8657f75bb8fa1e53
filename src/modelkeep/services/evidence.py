"""Gathers what is known of a version into the bundle that gates look at."""

from dataclasses import replace

from modelkeep.domain import papers
from modelkeep.domain.evidence import Dataset, Evidence, Occupant, Standing
from modelkeep.domain.gates import Need
from modelkeep.domain.models import SlotKey, Version
from modelkeep.domain.policies import Rule
from modelkeep.ports.work import Work
from modelkeep.services import makers

COMMIT_TAG = "mlflow.source.git.commit"


def gather_for(work: Work, version: Version, rule: Rule) -> Evidence:
    """All that the gates of a rule may look at: see `gather`, and where the version stands, its
    documents and, if a gate asks for them, its card and the occupant of the rule's target."""
    there = occupant_of(work, version, rule.target) if Need.OCCUPANT in rule.needs else None
    known = with_papers(work, version, gather(work, version), rule)
    return replace(known, standing=_standing(work, version), occupant=there)


def with_papers(work: Work, version: Version, evidence: Evidence, rule: Rule) -> Evidence:
    """The evidence with the version's documents, and its card if a gate of the rule asks for it."""
    card = work.papers.get(version.id, papers.CARD) if Need.CARD in rule.needs else None
    attached = {paper.name: f"sha256:{paper.sha256}" for paper in work.papers.of(version.id)}
    return replace(evidence, documents=attached, card=papers.card_of(card))


def occupant_of(work: Work, version: Version, stage: str) -> Occupant | None:
    """Who is in a stage besides the version itself: of several, whoever came last."""
    stays = work.slots.open_stays(version.model_id, SlotKey("stage", stage))
    others = [stay.version_id for stay in stays if stay.version_id != version.id]
    return as_occupant(work, others[-1]) if others else None


def as_occupant(work: Work, version_id: int) -> Occupant | None:
    """A version as one that another is compared with."""
    version = work.versions.by_id(version_id)
    if version is None:
        return None
    known = gather(work, version)
    return Occupant(version.number, version.subject, known.tags, known.params, known.metrics)


def _standing(work: Work, version: Version) -> Standing:
    stays = work.slots.open_stays(version.model_id, SlotKey("stage", version.stage))
    since = next((s.from_ms for s in stays if s.version_id == version.id), version.created_ms)
    return Standing(version.number, version.stage, since, version.manifest)


def gather(work: Work, version: Version) -> Evidence:
    """The version's tags, and its run's params, latest metrics, tags, data sets and commit.

    A version without a run is judged by the metrics of its logged model, if it has one that is not
    deleted. All its `makers` are authors.
    """
    run = work.runs.get(version.run_id) if version.run_id else None
    logged_id = version.logged_model_id
    logged = work.logged_models.get(logged_id, deleted=True) if logged_id else None
    metrics = run.metrics if run else logged.metrics if logged and not logged.deleted else {}
    return Evidence.gather(
        tags=version.tags,
        params=run.params if run else {},
        metrics=metrics,
        run_tags=run.tags if run else {},
        datasets=[Dataset(d.name, d.digest, d.source) for d in run.datasets] if run else [],
        git_commit=run.tags.get(COMMIT_TAG) if run else None,
        run_id=version.run_id,
        logged_model_id=version.logged_model_id,
        authors=[maker.name for maker in makers.of(work, version, run, logged)],
    )
