"""What the reading half of the native API gives. Times are RFC 3339 in UTC; digests
`sha256:<hex>`; a metric is a number, or "NaN", "Infinity" or "-Infinity", which JSON lacks.

A page has at most `limit` items; `next` is the `cursor` of the page after it, null at the end.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import msgspec

from modelkeep.domain import comparison
from modelkeep.domain.emergencies import TAG as EMERGENCY_TAG
from modelkeep.domain.endings import State
from modelkeep.domain.events import instant
from modelkeep.domain.evidence import written
from modelkeep.domain.manifests import File
from modelkeep.domain.models import FAILED, PENDING, Version
from modelkeep.domain.semver import Change
from modelkeep.domain.tracking import CONTEXT_TAG, Dataset, Experiment, LoggedModel, Run
from modelkeep.protocols.native.schemas import (
    RequestView,
    StayView,
    VoteView,
    view_request,
    view_stay,
    view_vote,
)
from modelkeep.services.comparison import Compared
from modelkeep.services.evidence import COMMIT_TAG
from modelkeep.services.lineage import Lineage
from modelkeep.services.listings import Listed
from modelkeep.services.numbering import Standing

Metric = float | str
T = TypeVar("T")

_UNHELD = {PENDING: "pending", FAILED: "failed"}


class ModelEntry(msgspec.Struct, kw_only=True):
    """`semver` is the newest version's; `production` the newest version in production; `versions`
    how many there are. `emergency` is that of the one in production.
    """

    name: str
    newest: int | None
    semver: str | None
    production: int | None
    emergency: str | None
    aliases: dict[str, int]
    versions: int
    created: str
    updated: str
    description: str
    tags: dict[str, str]


class ModelPage(msgspec.Struct, kw_only=True):
    models: list[ModelEntry]
    next: str | None


class EndingView(msgspec.Struct, kw_only=True):
    """Why a version should not be used any more, and what instead: the number of another version.

    `blocks` is when a deprecated one will be blocked; `warning` all of it, as whoever loads the
    version is told.
    """

    reason: str
    by: str
    since: str
    replacement: int | None
    blocks: str | None
    warning: str


class VersionEntry(msgspec.Struct, kw_only=True):
    """`status` is verified when the bytes are held here under `manifest`; pending while they wait
    to be hashed, failed when they were not what was uploaded; else unverified. `claim` is what the
    tag `semantic_version` says, where that isn't its `semver`; `emergency` which reviews are owed
    because it was brought somewhere past its gates. `state` is active, deprecated, blocked or
    retired; `ending` is null of an active one.
    """

    model: str
    version: int
    semver: str
    claim: str | None
    stage: str
    emergency: str | None
    status: str
    state: str
    ending: EndingView | None
    aliases: tuple[str, ...]
    created: str
    updated: str
    author: str
    run: str | None
    logged_model: str | None
    source: str
    manifest: str | None
    description: str
    tags: dict[str, str]


class VersionPage(msgspec.Struct, kw_only=True):
    model: str
    versions: list[VersionEntry]
    next: str | None


class MetricRow(msgspec.Struct, kw_only=True):
    """`values` in the order of the versions, null where not measured; `best` are their numbers."""

    name: str
    lower_is_better: bool
    values: list[Metric | None]
    best: list[int]


class TextRow(msgspec.Struct, kw_only=True):
    """`values` in the order of the versions, null where there is none."""

    name: str
    values: list[str | None]
    differs: bool


class ComparisonView(msgspec.Struct, kw_only=True):
    model: str
    versions: list[VersionEntry]
    metrics: list[MetricRow]
    params: list[TextRow]
    tags: list[TextRow]


class FileView(msgspec.Struct, kw_only=True):
    path: str
    sha256: str
    size_bytes: int


class FilePage(msgspec.Struct, kw_only=True):
    model: str
    version: int
    manifest: str
    files: list[FileView]
    next: str | None


class DatasetView(msgspec.Struct, kw_only=True):
    name: str
    digest: str
    context: str
    source_type: str
    source: str


class RunView(msgspec.Struct, kw_only=True):
    """`user` is what the client said, `author` who called; `lifecycle` is active or deleted.

    A time is null where the client gave one that no calendar has.
    """

    id: str
    name: str
    experiment: str | None
    experiment_id: str
    status: str
    lifecycle: str
    user: str
    author: str
    started: str | None
    ended: str | None
    git_commit: str | None
    params: dict[str, str]
    metrics: dict[str, Metric]
    tags: dict[str, str]
    datasets: list[DatasetView]


class LoggedModelView(msgspec.Struct, kw_only=True):
    id: str
    name: str
    type: str | None
    status: str
    deleted: bool
    created: str


class RunName(msgspec.Struct, kw_only=True):
    id: str
    name: str


class ApprovalView(msgspec.Struct, kw_only=True):
    request: RequestView
    votes: list[VoteView]


class ReasonView(msgspec.Struct, kw_only=True):
    """One difference of the contract, and the bump that it calls for."""

    bump: str
    message: str


class StandingView(msgspec.Struct, kw_only=True):
    """`least` is the smallest semantic version that is honest, since the one `before` it."""

    least: str
    before: str | None
    bump: str | None
    reasons: list[ReasonView]
    sentence: str


class LineageView(msgspec.Struct, kw_only=True):
    """Where a version came from and went. `served` are its stays, the open ones first."""

    version: VersionEntry
    semver: StandingView
    files: int | None
    size_bytes: int | None
    logged_model: LoggedModelView | None
    run: RunView | None
    parent_run: RunName | None
    copy_of: VersionEntry | None
    copies: list[VersionEntry]
    served: list[StayView]
    approvals: list[ApprovalView]


def page(
    items: Sequence[T], limit: int, key: Callable[[T], object]
) -> tuple[Sequence[T], str | None]:
    """The items of a page and the cursor of the next, from one item more than a page holds."""
    return items[:limit], str(key(items[limit - 1])) if len(items) > limit else None


def view_model(listed: Listed) -> ModelEntry:
    model = listed.model
    newest = max(listed.newest, key=lambda version: version.number, default=None)
    return ModelEntry(
        name=model.name,
        newest=newest.number if newest else None,
        semver=str(newest.semver) if newest else None,
        production=listed.production.number if listed.production else None,
        emergency=listed.production.tags.get(EMERGENCY_TAG) if listed.production else None,
        aliases=model.aliases,
        versions=listed.versions,
        created=instant(model.created_ms),
        updated=instant(model.updated_ms),
        description=model.description,
        tags=model.tags,
    )


def view_entry(version: Version) -> VersionEntry:
    return VersionEntry(
        model=version.model_name,
        version=version.number,
        semver=str(version.semver),
        claim=version.claim,
        stage=version.stage,
        emergency=version.tags.get(EMERGENCY_TAG),
        status="verified" if version.manifest else _UNHELD.get(version.status, "unverified"),
        state=version.ending.state.value,
        ending=_view_ending(version),
        aliases=version.aliases,
        created=instant(version.created_ms),
        updated=instant(version.updated_ms),
        author=version.author,
        run=version.run_id,
        logged_model=version.logged_model_id,
        source=version.source,
        manifest=version.manifest,
        description=version.description,
        tags=version.tags,
    )


def _view_ending(version: Version) -> EndingView | None:
    ending = version.ending
    if ending.state is State.ACTIVE or ending.since_ms is None:
        return None
    return EndingView(
        reason=ending.reason,
        by=ending.by,
        since=instant(ending.since_ms),
        replacement=ending.replacement,
        blocks=None if ending.blocks_ms is None else instant(ending.blocks_ms),
        warning=version.warning,
    )


def view_standing(standing: Standing) -> StandingView:
    return StandingView(
        least=str(standing.least),
        before=str(standing.before) if standing.before else None,
        bump=str(standing.change.bump) if standing.before else None,
        reasons=view_reasons(standing.change),
        sentence=str(standing),
    )


def view_reasons(change: Change) -> list[ReasonView]:
    return [ReasonView(bump=str(r.bump), message=r.message) for r in change.reasons]


def view_file(file: File) -> FileView:
    return FileView(path=file.path, sha256=file.sha256, size_bytes=file.size_bytes)


def view_comparison(model: str, compared: Compared) -> ComparisonView:
    numbers = [version.number for version in compared.versions]
    return ComparisonView(
        model=model,
        versions=[view_entry(version) for version in compared.versions],
        metrics=[
            MetricRow(
                name=race.metric,
                lower_is_better=race.lower_is_better,
                values=[None if value is None else written(value) for value in race.values],
                best=[numbers[index] for index in race.best],
            )
            for race in compared.metrics
        ],
        params=_rows([known.params for known in compared.evidence]),
        tags=_rows([known.tags for known in compared.evidence]),
    )


def _rows(mappings: Sequence[Mapping[str, str]]) -> list[TextRow]:
    return [
        TextRow(name=key, values=values, differs=len(set(values)) > 1)
        for key, values in comparison.together(mappings).items()
    ]


def view_lineage(found: Lineage, now_ms: int) -> LineageView:
    logged, manifest, parent = found.logged_model, found.manifest, found.parent
    return LineageView(
        version=view_entry(found.version),
        semver=view_standing(found.standing),
        files=len(manifest.files) if manifest else None,
        size_bytes=manifest.size_bytes if manifest else None,
        logged_model=_view_logged_model(logged) if logged else None,
        run=_view_run(found.run, found.experiment) if found.run else None,
        parent_run=RunName(id=parent.run_id, name=parent.name) if parent else None,
        copy_of=view_entry(found.copy_of) if found.copy_of else None,
        copies=[view_entry(version) for version in found.copies],
        served=[view_stay(stay, found.past_gates) for stay in found.stays],
        approvals=[
            ApprovalView(
                request=view_request(found.version.model_name, request, closed, now_ms),
                votes=[view_vote(vote) for vote in votes],
            )
            for request, closed, votes in found.requests
        ],
    )


def _view_logged_model(logged: LoggedModel) -> LoggedModelView:
    return LoggedModelView(
        id=logged.model_id,
        name=logged.name,
        type=logged.model_type,
        status=logged.status,
        deleted=logged.deleted,
        created=instant(logged.created_ms),
    )


def _view_run(run: Run, experiment: Experiment | None) -> RunView:
    return RunView(
        id=run.run_id,
        name=run.name,
        experiment=experiment.name if experiment else None,
        experiment_id=str(run.experiment_id),
        status=run.status,
        lifecycle=run.lifecycle_stage,
        user=run.user_id,
        author=run.author,
        started=_moment(run.start_ms),
        ended=_moment(run.end_ms),
        git_commit=run.tags.get(COMMIT_TAG),
        params=run.params,
        metrics={name: written(value) for name, value in run.metrics.items()},
        tags=run.tags,
        datasets=[_view_dataset(dataset) for dataset in run.datasets],
    )


def _moment(ms: int | None) -> str | None:
    try:
        return None if ms is None else instant(ms)
    except (ValueError, OverflowError, OSError):
        return None


def _view_dataset(dataset: Dataset) -> DatasetView:
    return DatasetView(
        name=dataset.name,
        digest=dataset.digest,
        context=dataset.tags.get(CONTEXT_TAG, ""),
        source_type=dataset.source_type,
        source=dataset.source,
    )
