"""What the native calls share: where they are, and who makes them."""

from typing import Any, cast

from litestar import Request

from modelkeep.domain.access import Caller
from modelkeep.protocols.http import Scope, caller_of

Http = Request[Any, Any, Any]


def caller(request: Http) -> Caller:
    """Who makes a call."""
    return caller_of(cast("Scope", request.scope))
