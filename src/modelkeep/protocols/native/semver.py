"""What differs between two versions, and asking for a higher semantic version."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated, Literal

import msgspec
from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import Parameter

from modelkeep.domain.access import Verb
from modelkeep.domain.evidence import written
from modelkeep.domain.semver import Bump
from modelkeep.protocols.native import views
from modelkeep.protocols.native.calls import Http, caller
from modelkeep.protocols.native.idempotency import change
from modelkeep.protocols.native.views import FileView, ReasonView, StandingView, VersionEntry
from modelkeep.protocols.rules import on
from modelkeep.services import differences, numbering
from modelkeep.services.app import App
from modelkeep.services.differences import Difference, Files


class Raise(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Either the number, or the bump that it makes above the version before."""

    to: str | None = None
    bump: Literal["major", "minor", "patch"] | None = None


class ChangedFile(msgspec.Struct, kw_only=True):
    path: str
    before: FileView
    after: FileView


class FilesView(msgspec.Struct, kw_only=True):
    """`same` is how many have the same bytes in both."""

    added: list[FileView]
    removed: list[FileView]
    changed: list[ChangedFile]
    same: int


class ChangedValue(msgspec.Struct, kw_only=True):
    """null where there is none."""

    name: str
    before: views.Metric | None
    after: views.Metric | None


class DifferenceView(msgspec.Struct, kw_only=True):
    """From one version to another: the `bump` that the contract calls for and its `reasons`, then
    what else differs. `number` says why the later one's semantic version isn't less; `files` is
    null where the bytes of one of them are not held here.
    """

    before: VersionEntry
    after: VersionEntry
    bump: str
    reasons: list[ReasonView]
    number: StandingView
    files: FilesView | None
    metrics: list[ChangedValue]
    params: list[ChangedValue]
    tags: list[ChangedValue]
    datasets: list[ChangedValue]
    facts: list[ChangedValue]


def handlers(app: App) -> Sequence[HTTPRouteHandler]:
    @get("/models/{name:str}/versions/{which:str}/diff")
    @on(Verb.READ)
    async def diff(
        name: str,
        which: str,
        other: Annotated[str | None, Parameter(query="with")] = None,
        model: str | None = None,
    ) -> DifferenceView:
        """What changed in a version since `with`, of the same model or of `model`.

        Without `with`: since the one whose semantic version comes before its own.
        """
        found = await app.read(differences.between, name, which, other, model)
        return _view(found)

    @post("/models/{name:str}/versions/{which:str}/semver", status_code=200)
    @on(Verb.WRITE)
    async def raise_number(
        request: Http, name: str, which: str, data: Raise
    ) -> Response[VersionEntry]:
        """Gives a version a higher semantic version than is asked of it, and for good."""
        bump = Bump[data.bump.upper()] if data.bump else None
        raised = partial(numbering.raise_number, to=data.to, bump=bump)
        return await change(app, request, views.view_entry, raised, caller(request), name, which)

    return (diff, raise_number)


def _view(found: Difference) -> DifferenceView:
    was, now = found.evidence
    return DifferenceView(
        before=views.view_entry(found.before),
        after=views.view_entry(found.after),
        bump=str(found.change.bump),
        reasons=views.view_reasons(found.change),
        number=views.view_standing(found.standing),
        files=_view_files(found.files) if found.files else None,
        metrics=_changed(_written(was.metrics), _written(now.metrics)),
        params=_changed(was.params, now.params),
        tags=_changed(was.tags, now.tags),
        datasets=_changed(*({d.name: d.digest for d in e.datasets} for e in found.evidence)),
        facts=_changed(
            {"run": was.run_id, "commit": was.git_commit, "source": found.before.source},
            {"run": now.run_id, "commit": now.git_commit, "source": found.after.source},
        ),
    )


def _written(metrics: Mapping[str, float]) -> dict[str, views.Metric]:
    return {name: written(value) for name, value in metrics.items()}


def _changed(
    before: Mapping[str, views.Metric | None], after: Mapping[str, views.Metric | None]
) -> list[ChangedValue]:
    return [
        ChangedValue(name=name, before=before.get(name), after=after.get(name))
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    ]


def _view_files(files: Files) -> FilesView:
    return FilesView(
        added=[views.view_file(file) for file in files.added],
        removed=[views.view_file(file) for file in files.removed],
        changed=[
            ChangedFile(path=f.path, before=views.view_file(f), after=views.view_file(g))
            for f, g in files.changed
        ],
        same=files.same,
    )
