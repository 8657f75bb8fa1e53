"""modelkeep's own API, put together: one module a noun. What goes wrong is told by `problems`."""

from collections.abc import Callable

from litestar import Router

from modelkeep.protocols.native import (
    checks,
    documents,
    emergencies,
    history,
    imports,
    journal,
    lifecycles,
    models,
    openapi,
    policies,
    problems,
    promotions,
    reading,
    requests,
    semver,
    slots,
    versions,
    webhooks,
)
from modelkeep.protocols.native.calls import PREFIX
from modelkeep.protocols.native.idempotency import Replayed, replay
from modelkeep.services.app import App


def router(app: App, now_ms: Callable[[], int], parse_filter: reading.Filter) -> Router:
    """The routes over an application. `now_ms` is the clock's; see `reading` for the filter."""
    routes = [
        *models.handlers(app),
        *versions.handlers(app),
        *semver.handlers(app),
        *slots.handlers(app),
        *promotions.handlers(app),
        *requests.handlers(app, now_ms),
        *history.handlers(app),
        *journal.handlers(app),
        *policies.handlers(app),
        *checks.handlers(app),
        *documents.handlers(app),
        *emergencies.handlers(app),
        *lifecycles.handlers(app),
        *imports.handlers(app),
        *reading.handlers(app, now_ms, parse_filter),
        *webhooks.handlers(app),
        *problems.handlers(),
    ]
    return Router(
        path=PREFIX,
        route_handlers=[*routes, *openapi.handlers(routes)],
        exception_handlers={**problems.HANDLERS, Replayed: replay},
    )
