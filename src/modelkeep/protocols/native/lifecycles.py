"""The routes of lifecycles, and of what they have archived and retired."""

from collections.abc import Sequence

import msgspec
from litestar import get, post
from litestar.handlers import HTTPRouteHandler

from modelkeep.domain.access import Verb
from modelkeep.ports.work import Work
from modelkeep.protocols.native.calls import Http, caller
from modelkeep.protocols.native.idempotency import acting
from modelkeep.protocols.native.schemas import MarkView
from modelkeep.protocols.rules import everywhere, on
from modelkeep.services import lifecycles, retention
from modelkeep.services.app import App
from modelkeep.services.lifecycles import Populated
from modelkeep.services.retention import Item, Plan

BATCHES = 50  # transactions of one call


class GateView(msgspec.Struct, kw_only=True):
    """A gate, and in a few words what must hold."""

    name: str
    asks: str


class WayView(msgspec.Struct, kw_only=True):
    """A listed transition into a stage, and the gates that guard it."""

    source: str
    gates: list[GateView]


class PastGatesView(MarkView, kw_only=True):
    """The version that an emergency brought here, and that still is."""

    version: int


class StageView(msgspec.Struct, kw_only=True):
    """A stage. `ways` lead into it, and nothing else does, if there are any.

    `is_known` is False of a stage that the lifecycle does not have, though versions stand in it.
    """

    name: str
    is_known: bool
    single: bool
    displaced_to: str | None
    archive_after_days: int | None
    aliases: list[str]
    ways: list[WayView]
    versions: int
    newest: int | None
    emergencies: list[PastGatesView]


class LifecycleView(msgspec.Struct, kw_only=True):
    """A lifecycle; `models` are the names and patterns that it claims, none of the default."""

    name: str
    models: tuple[str, ...]
    stages: list[StageView]
    production: str
    archived: str
    max_versions: int | None
    retention_days: int | None
    retired_from: tuple[str, ...]
    policy: str | None


class DueView(msgspec.Struct, kw_only=True):
    """`action`: archive or retire. `kept` says why a version stays all the same."""

    version: int
    stage: str
    action: str
    why: str
    kept: str | None


class PlanView(msgspec.Struct, kw_only=True):
    """`complete` is False when more is due than is told."""

    model: str
    lifecycle: str
    due: list[DueView]
    complete: bool


class Tend(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Of one model or, without one, of all that have anything due."""

    model: str | None = None


def handlers(app: App) -> Sequence[HTTPRouteHandler]:
    """The handlers over an application."""

    @get("/models/{name:str}/lifecycle")
    @on(Verb.READ)
    async def show_lifecycle(name: str) -> LifecycleView:
        """The stages of a model, what leads into each, and how many versions stand there."""
        return view_lifecycle(await app.read(lifecycles.show, name))

    @get("/retention")
    @everywhere(Verb.READ)
    async def plan_retention(model: str | None = None) -> list[PlanView]:
        """What is due to be archived or retired, and what of it is kept, and why."""
        if model is not None:
            return [view_plan(await app.read(retention.plan, model))]
        return [view_plan(plan) for plan in await app.read(retention.plans)]

    @post("/retention/runs", status_code=200)
    @everywhere(Verb.ADMIN)
    async def run_retention(request: Http, data: Tend) -> list[PlanView]:
        """Does what is due, at most a thousand versions in a call; tells what was done.

        A call that broke off may be made again: what is left is done then.
        """
        once = await acting(app, request, _as_it_is)
        asks, batches = caller(request), BATCHES
        models = [data.model] if data.model else [p.model for p in await app.read(retention.plans)]
        done: list[PlanView] = []
        for model in models:
            items: list[Item] = []
            after = 0
            while batches and (numbers := await app.read(retention.going, model, after)):
                items += await app.write(retention.tend, asks, model, numbers)
                after, batches = numbers[-1], batches - 1
            cycle = (await app.read(lifecycles.show, model)).lifecycle
            done.append(view_plan(Plan(model, cycle.name, items, is_whole=batches > 0)))
        return await once.write(_done, done)

    return (show_lifecycle, plan_retention, run_retention)


def _as_it_is(done: list[PlanView]) -> list[PlanView]:
    return done


def _done(work: Work, done: list[PlanView]) -> list[PlanView]:
    """Changes nothing: the answer is kept under the call's key, now that all of it is done."""
    return done


def view_lifecycle(shown: Populated) -> LifecycleView:
    cycle, census = shown.lifecycle, shown.census
    strange = [stage for stage in sorted(census) if stage not in cycle.stages]
    return LifecycleView(
        name=cycle.name,
        models=cycle.models,
        stages=[_view_stage(stage, shown) for stage in (*cycle.stages, *strange)],
        production=cycle.production,
        archived=cycle.archived,
        max_versions=cycle.retention.max_versions,
        retention_days=cycle.retention.retention_days,
        retired_from=cycle.retention.stages,
        policy=cycle.policy_digest or None,
    )


def _view_stage(stage: str, shown: Populated) -> StageView:
    cycle = shown.lifecycle
    count, newest = shown.census.get(stage, (0, None))
    return StageView(
        name=stage,
        is_known=stage in cycle.stages,
        single=cycle.admits_one(stage),
        displaced_to=cycle.displaced_to(stage) if stage in cycle.active else None,
        archive_after_days=cycle.archive_after_days.get(stage),
        aliases=sorted(alias for alias, follows in cycle.aliases.items() if follows == stage),
        ways=[
            WayView(
                source=rule.source,
                gates=[GateView(name=gate.name, asks=gate.asks()) for gate in rule.gates],
            )
            for rule in cycle.rules.values()
            if rule.target == stage
        ],
        versions=count,
        newest=newest,
        emergencies=[
            PastGatesView(id=emergency.id, review=emergency.status.value, version=number)
            for number, emergency in shown.emergencies
            if emergency.target == stage
        ],
    )


def view_plan(plan: Plan) -> PlanView:
    return PlanView(
        model=plan.model,
        lifecycle=plan.lifecycle,
        due=[
            DueView(
                version=item.version.number,
                stage=item.version.stage,
                action=item.due.fate.value,
                why=item.due.why,
                kept=item.kept,
            )
            for item in plan.items
        ],
        complete=plan.is_whole,
    )
