"""modelkeep's own API, put together: one module a noun. What goes wrong is told by `problems`."""

from collections.abc import Callable, Iterable
from typing import Any

from litestar import Router

from modelkeep.protocols.native import (
    accounts,
    checks,
    documents,
    emergencies,
    endings,
    history,
    holds,
    imports,
    journal,
    keys,
    lifecycles,
    models,
    openapi,
    parameters,
    policies,
    problems,
    promotions,
    reading,
    requests,
    semver,
    sessions,
    slots,
    versions,
    webhooks,
)
from modelkeep.protocols.native.idempotency import Replayed, replay
from modelkeep.protocols.native.paths import PREFIX
from modelkeep.protocols.rules import rule_of
from modelkeep.services.app import App


def router(
    app: App,
    now_ms: Callable[[], int],
    parse_filter: reading.Filter,
    entrance: accounts.Entrance,
) -> Router:
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
        *endings.handlers(app),
        *lifecycles.handlers(app),
        *holds.handlers(app),
        *imports.handlers(app),
        *reading.handlers(app, now_ms, parse_filter),
        *webhooks.handlers(app),
        *accounts.handlers(app, entrance),
        *keys.handlers(app, entrance),
        *sessions.handlers(app, entrance),
        *problems.handlers(),
    ]
    return Router(
        path=PREFIX,
        route_handlers=[*routes, *openapi.handlers(routes)],
        before_request=parameters.check_known,
        exception_handlers={**problems.HANDLERS, Replayed: replay},
    )


def check_rules(routes: Iterable[Any]) -> None:
    """Raises RuntimeError for a route that has no rule; the framework's own have no use cases."""
    for route in routes:
        for handler in getattr(route, "route_handlers", ()):
            own = handler.fn.__module__.startswith("modelkeep.")
            if own and rule_of(handler.fn) is None:
                raise RuntimeError(f"{route.path} has no rule: see protocols/rules.py")
