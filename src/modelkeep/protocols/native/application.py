"""The native API as one ASGI application."""

from collections.abc import Callable
from typing import cast

from litestar import Litestar
from litestar.exceptions import HTTPException

from modelkeep.protocols.http import Asgi
from modelkeep.protocols.native import problems, routes
from modelkeep.protocols.native.accounts import Entrance
from modelkeep.protocols.native.reading import Filter
from modelkeep.services.app import App


def build(
    app: App,
    now_ms: Callable[[], int],
    parse_filter: Filter,
    entrance: Entrance,
    max_body_bytes: int,
) -> Asgi:
    """The routes, each with its rule. Raises RuntimeError for one without."""
    framework = Litestar(
        [routes.router(app, now_ms, parse_filter, entrance)],
        openapi_config=None,  # the API describes itself
        exception_handlers={HTTPException: problems.reject_call},
        logging_config=None,
        request_max_body_size=max_body_bytes,
    )
    routes.check_rules(framework.routes)
    return cast("Asgi", framework)
