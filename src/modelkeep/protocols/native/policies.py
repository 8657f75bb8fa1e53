"""The policy in force, and those that were before it."""

from typing import Annotated, Any

import msgspec
from litestar import Response, get, post
from litestar.params import Parameter

from modelkeep.domain.access import Verb
from modelkeep.domain.events import instant
from modelkeep.domain.policies import Policy
from modelkeep.ports.governance import StoredPolicy
from modelkeep.protocols.native import lifecycles, policy_file, schemas
from modelkeep.protocols.native.calls import Http, caller
from modelkeep.protocols.native.idempotency import change
from modelkeep.protocols.native.schemas import PolicyFile, SectionView
from modelkeep.protocols.rules import everywhere, somewhere
from modelkeep.services import policies
from modelkeep.services.app import App
from modelkeep.services.lifecycles import Populated

LAST = 2**53 - 1  # above every revision
_Revision = Annotated[int, Parameter(ge=0, le=LAST)]


class PolicyView(msgspec.Struct, kw_only=True, omit_defaults=True):
    revision: int
    digest: str | None
    source: str
    sections: list[SectionView]
    lifecycles: list[lifecycles.LifecycleView]
    applied: str | None = None
    author: str | None = None


class RevisionView(msgspec.Struct, kw_only=True):
    """A policy that was applied; its text is with the one of that revision."""

    revision: int
    digest: str
    applied: str
    author: str


def handlers(app: App) -> list[Any]:
    """The routes over an application."""

    @post("/policy", status_code=200)
    @everywhere(Verb.ADMIN)
    async def apply_policy(request: Http, data: PolicyFile) -> Response[schemas.AppliedView]:
        """Puts a policy in force."""
        document = policy_file.parse(data.source)
        args = caller(request), document, data.source
        return await change(app, request, schemas.view_applied, policies.apply, *args)

    @get("/policy")
    @somewhere(Verb.READ)
    async def show_policy() -> PolicyView:
        """The policy in force; revision 0 when there is none."""
        shown = await app.read(policies.show)
        if shown is None:
            return PolicyView(revision=0, digest=None, source="", sections=[], lifecycles=[])
        return _view(*shown)

    @get("/policy/revisions")
    @somewhere(Verb.READ)
    async def list_policies(
        before: _Revision = LAST, limit: Annotated[int, Parameter(ge=1, le=1000)] = 100
    ) -> list[RevisionView]:
        """The policies that were applied, newest first; those of revisions lower than `before`."""
        found = await app.read(policies.revisions, before, limit)
        return [
            RevisionView(
                revision=stored.revision,
                digest=stored.digest,
                applied=instant(stored.applied_ms),
                author=stored.author,
            )
            for stored in found
        ]

    @get("/policy/revisions/{revision:int}")
    @somewhere(Verb.READ)
    async def show_revision(revision: _Revision) -> PolicyView:
        """A policy that was applied, in force or not."""
        return _view(*await app.read(policies.revision, revision))

    return [apply_policy, show_policy, list_policies, show_revision]


def _view(stored: StoredPolicy, policy: Policy) -> PolicyView:
    return PolicyView(
        revision=stored.revision,
        digest=stored.digest,
        applied=instant(stored.applied_ms),
        author=stored.author,
        source=stored.source,
        sections=[
            SectionView(path=s.path, enforced=s.enforced, note=s.note) for s in policy.sections
        ],
        lifecycles=[
            lifecycles.view_lifecycle(Populated("", cycle, {}))
            for cycle in (*policy.lifecycles, policy.default)
        ],
    )
