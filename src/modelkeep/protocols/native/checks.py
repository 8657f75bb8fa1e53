"""Dry runs: what the policy in force says now, and what another would have said of the past."""

from typing import Annotated, Any

import msgspec
from litestar import get, post
from litestar.params import Parameter

from modelkeep.domain.access import Verb
from modelkeep.domain.events import instant
from modelkeep.domain.policies import Decision
from modelkeep.protocols.native import policy_file
from modelkeep.protocols.native.calls import Http, caller
from modelkeep.protocols.native.history import parse_time
from modelkeep.protocols.native.schemas import VerdictView
from modelkeep.protocols.rules import everywhere, on
from modelkeep.services import checks, rehearsal
from modelkeep.services.app import App
from modelkeep.services.rehearsal import Rehearsed


class CheckView(msgspec.Struct, kw_only=True):
    """`outcome`: passed, waiting (only people are missing) or refused."""

    model: str
    version: int
    source: str
    target: str
    outcome: str
    verdicts: list[VerdictView]
    policy: str


class Rehearsal(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A policy in YAML, and the time from which on the past is judged by it."""

    source: str
    since: str = "1970-01-01"


class MoveView(msgspec.Struct, kw_only=True):
    """A past move: `was` and `would_be` are passed, waiting or refused. Where it is not `exact`,
    runs as they are now stand in for what was not frozen then."""

    entry: int
    at: str
    model: str
    version: int
    source: str
    target: str
    was: str
    would_be: str
    exact: bool
    verdicts: list[VerdictView]


class RehearsalView(msgspec.Struct, kw_only=True):
    """How many moves were judged, and those that would have ended otherwise, oldest first."""

    examined: int
    differences: list[MoveView]


def handlers(app: App) -> list[Any]:
    """The routes over an application."""

    @get("/models/{name:str}/versions/{which:str}/check")
    @on(Verb.READ)
    async def check_gates(
        request: Http,
        name: str,
        which: str,
        to: Annotated[str, Parameter(description="The stage.")],
        reason: str = "",
    ) -> CheckView:
        """What every gate would say if the caller asked for a move now; nothing is recorded."""
        found = await app.read(checks.check, caller(request), name, which, to, reason)
        return CheckView(
            model=found.version.model_name,
            version=found.version.number,
            source=found.version.stage,
            target=found.target,
            outcome=found.decision.outcome.value,
            verdicts=_verdicts(found.decision),
            policy=found.decision.policy_digest,
        )

    @post("/policy/rehearsals", status_code=200, keyless=True)
    @everywhere(Verb.READ)
    async def rehearse_policy(data: Rehearsal) -> RehearsalView:
        """What a policy would have decided otherwise of past moves; it is not put in force."""
        document = policy_file.parse(data.source)
        since = parse_time(data.since)
        judged = await app.read(rehearsal.rehearse, document, data.source, since)
        return RehearsalView(
            examined=len(judged), differences=[_view(one) for one in judged if one.differs]
        )

    return [check_gates, rehearse_policy]


def _view(one: Rehearsed) -> MoveView:
    past = one.past
    return MoveView(
        entry=past.index,
        at=instant(past.at_ms),
        model=past.model,
        version=past.number,
        source=past.source,
        target=past.target,
        was=past.was.value,
        would_be=one.decision.outcome.value,
        exact=one.is_exact,
        verdicts=_verdicts(one.decision),
    )


def _verdicts(decision: Decision) -> list[VerdictView]:
    return [
        VerdictView(gate=v.gate, outcome=v.outcome.value, message=v.message)
        for v in decision.verdicts
    ]
