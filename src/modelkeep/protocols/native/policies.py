"""The policy in force."""

from typing import Any

import msgspec
from litestar import Response, get, post

from modelkeep.domain.access import Verb
from modelkeep.domain.events import instant
from modelkeep.protocols.native import lifecycles, policy_file, schemas
from modelkeep.protocols.native.calls import Http, caller
from modelkeep.protocols.native.idempotency import change
from modelkeep.protocols.native.schemas import PolicyFile, SectionView
from modelkeep.protocols.rules import everywhere, somewhere
from modelkeep.services import policies
from modelkeep.services.app import App
from modelkeep.services.lifecycles import Populated


class PolicyView(msgspec.Struct, kw_only=True, omit_defaults=True):
    revision: int
    digest: str | None
    source: str
    sections: list[SectionView]
    lifecycles: list[lifecycles.LifecycleView]
    applied: str | None = None
    author: str | None = None


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
        stored, policy = shown
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

    return [apply_policy, show_policy]
