"""What the native calls share: where they are, and who makes them."""

from typing import Any, cast

from litestar import Request

from modelkeep.domain.access import Caller
from modelkeep.protocols.http import Scope, caller_of, loader_in

Http = Request[Any, Any, Any]


def caller(request: Http) -> Caller:
    """Who makes a call."""
    return caller_of(cast("Scope", request.scope))


def loader(request: Http) -> Caller:
    """As `caller`, of a call that counts as a load."""
    return loader_in(cast("Scope", request.scope))
