"""How a call of MLflow's is answered over HTTP, and how its refusals are said."""

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from modelkeep.domain.errors import InvalidInput, ModelkeepError
from modelkeep.protocols.http import Receive, Scope, Send, header, path_of, query_of, read_body
from modelkeep.protocols.mlflow import errors
from modelkeep.protocols.mlflow.wire import Message, parse_body, parse_query

Handle = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

JSON: tuple[bytes, bytes] = (b"content-type", b"application/json")

_log = logging.getLogger(__name__)


async def read_message(
    message: type[Message], scope: Scope, receive: Receive, max_body_bytes: int
) -> Any:
    """The request of a call: a GET's query, or any other method's JSON body."""
    path_of(scope)  # refuses one that is no text
    path: Mapping[str, str] = scope.get("path_params") or {}
    kind = header(scope, b"content-type")
    is_json = kind.partition(";")[0].strip().lower() == "application/json"
    # A GET without a query may have its parameters in a body, as on MLflow's own server.
    is_in_body = is_json and not scope["query_string"]
    if scope["method"] in ("GET", "HEAD") and not is_in_body:
        return parse_query(query_of(scope) + list(path.items()), message)
    body = await read_body(scope, receive, max_body_bytes)
    if (body or kind) and not is_json:
        raise InvalidInput("Bad Request. Content-Type must be one of ['application/json'].")
    return parse_body(body, message, path)


async def answer(send: Send, status: int, body: bytes, headers: Headers | None = None) -> None:
    """Answers JSON."""
    length = (b"content-length", str(len(body)).encode())
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [JSON, length, *(headers or ())],
        }
    )
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def answer_wrong_method(send: Send, method: str, allowed: Iterable[str]) -> None:
    """Which methods a path has: to whoever asks, and to whoever got it wrong."""
    names = ", ".join(sorted(allowed))
    allow = [(b"allow", names.encode())]
    if method == "OPTIONS":
        await answer(send, 200, b"{}", allow)
        return
    await answer(send, 405, errors.body("BAD_REQUEST", f"This path answers {names} only."), allow)


def refusal(error: Exception, scope: Scope) -> tuple[int, bytes]:
    """(status, body) of what went wrong; what is no error of the vocabulary is our bug."""
    if isinstance(error, ModelkeepError):
        return errors.render(error)
    request_id = scope["modelkeep.request_id"]
    _log.error("request %s failed", request_id, exc_info=error)
    return 500, errors.body("INTERNAL_ERROR", f"Internal error; request id {request_id}.")


def guarded(handle: Handle) -> Handle:
    """A handler whose refusals are said as MLflow says them, while nothing has been sent yet."""

    async def guard(scope: Scope, receive: Receive, send: Send) -> None:
        began = False

        async def watched(message: Any) -> None:
            nonlocal began
            began = True
            await send(message)

        try:
            await handle(scope, receive, watched)
        except Exception as error:
            if began:
                raise  # the answer is cut off, so that no client takes it for whole
            await answer(send, *refusal(error, scope))

    return guard
