"""Point reads that may be remembered, answered without the application.

Serving code resolves the same few aliases again and again. To run an application for such a call,
a task with its messages, costs about as much again as to read the request and to write the answer.
So what asks for a point read that may be remembered (docs/decisions/0028) is answered where it was
read, from memory or after a look. Whatever else there is about a call is for the application.
"""

import time
from collections.abc import Callable, Iterable
from functools import cache
from http import HTTPStatus
from typing import Any, NamedTuple

from modelkeep.protocols.entrance import ON_EVERY_ANSWER, RETRY, FrontDoor
from modelkeep.protocols.http import Scope
from modelkeep.telemetry import logs
from modelkeep.telemetry.tallies import ROUTE

# Who calls; and what comes twice.
_FOR_THE_APPLICATION = frozenset((b"authorization", b"host", b"x-request-id"))
_JSON = (b"content-type", b"application/json")
_REQUEST_ID, _END = b"\r\nx-request-id: ", b"\r\n\r\n"


class Recollection(NamedTuple):
    """What a request asks to have recalled, and the template of its path."""

    use_case: Callable[..., Any]
    args: tuple[str | int, ...]
    route: str


Known = Callable[[str, bytes], Recollection | None]  # by the path, and the query as it came
Told = Callable[[Any], None]
Recollect = Callable[[Told, Callable[..., Any], tuple[str | int, ...]], None]


class Shortcut:
    """`known` says what a path and a query ask for; `recollect` tells, at once or later in this
    loop, the JSON of it, None where it cannot say, or an error; `refusal` renders that."""

    def __init__(
        self,
        door: FrontDoor,
        known: Known,
        recollect: Recollect,
        refusal: Callable[[Exception, Scope], tuple[int, bytes]],
    ) -> None:
        self._door, self._known = door, known
        self._recollect, self._refusal = recollect, refusal

    def ask(self, scope: Scope, tell: Callable[[bytes | None], None]) -> bool:
        """Whether `tell` is called, by now or later, with the whole answer as it goes over the
        wire, or None where the application has to be asked after all."""
        meant = self._known(scope["path"], scope["query_string"])
        if meant is None or scope["method"] != "GET" or self._door.is_closing:
            return False
        began_s, tally = time.perf_counter(), self._door.tally
        host, request_id = _host_and_id(scope["headers"])
        if not self._door.allows(host):
            return False

        def told(found: Any) -> None:
            tally.in_flight -= 1
            if found is None or self._door.is_closing:
                tell(None)
                return
            given = logs.request_id(request_id)
            scope["modelkeep.request_id"], scope[ROUTE] = given, meant.route
            status, body = 200, found
            if isinstance(found, Exception):
                status, body = self._refusal(found, scope)
            tell(_answer(status, body, given.encode()))
            tally.note(scope, status, time.perf_counter() - began_s, 0, len(body))

        tally.in_flight += 1
        self._recollect(told, meant.use_case, meant.args)
        return True


def _host_and_id(headers: Iterable[tuple[bytes, bytes]]) -> tuple[str, str]:
    """What the request says of its host and of its id; no host where it says more than that of
    what matters."""
    host = request_id = b""
    for name, value in headers:
        if name == b"host" and not host:
            host = value
        elif name == b"x-request-id" and not request_id:
            request_id = value
        elif name in _FOR_THE_APPLICATION:
            return "", ""
    return host.decode("latin-1"), request_id.decode("latin-1")


def _answer(status: int, body: bytes, request_id: bytes) -> bytes:
    """JSON, with what is on every answer (`protocols.entrance`)."""
    length = b"%d" % len(body)
    return b"".join((_head(status), length, _REQUEST_ID, request_id, _END, body))


@cache
def _head(status: int) -> bytes:
    """All that comes before the length."""
    line = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n".encode()
    more = [*ON_EVERY_ANSWER, *((RETRY,) if status == 503 else ()), _JSON]
    return line + b"".join(b"%b: %b\r\n" % pair for pair in more) + b"content-length: "
