"""Query parameters that a call does not have are refused, not passed over.

`?stauts=pending` would list everything to somebody who believes that it is what waits.
"""

from difflib import get_close_matches
from functools import cache
from inspect import signature
from typing import Any

from litestar.handlers import HTTPRouteHandler

from modelkeep.domain.errors import InvalidInput
from modelkeep.protocols.native.calls import Http


async def check_known(request: Http) -> None:
    """Raises InvalidInput naming a parameter that the route does not have, and those that it has.

    The framework calls it before each handler, whose answer None leaves to the handler.
    """
    unknown = request.query_params.keys() - _known(request.route_handler)
    if unknown:
        raise InvalidInput(_told(min(unknown), sorted(_known(request.route_handler))))


def _told(name: str, known: list[str]) -> str:
    close = get_close_matches(name, known, n=1)
    meant = f" Did you mean '{close[0]}'?" if close else ""
    has = f"known here: {', '.join(known)}" if known else "none are known here"
    return f"'{name[:100]}' is no query parameter of this call; {has}.{meant}"


@cache
def _known(handler: HTTPRouteHandler) -> frozenset[str]:
    """The names of a handler's query parameters, as a call spells them."""
    aside = {"request", "data", *_of_path(handler)}
    fields = handler.parsed_fn_signature.parameters
    return frozenset(
        getattr(fields[name].kwarg_definition, "query", None) or name
        for name in signature(handler.fn).parameters
        if name not in aside
    )


def _of_path(handler: HTTPRouteHandler) -> set[str]:
    parts: Any = [part for path in handler.paths for part in path.split("/")]
    return {part[1:].partition(":")[0] for part in parts if part.startswith("{")}
