"""One HTTP server, called with patience.

A call that got no answer, or one that says "not now", is made again after a while; everything that
is called here may be called twice. Whatever else is no success is `Refused`, with the server's own
words.
"""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import httpx

TRIES = 6  # in all about ten seconds
TIMEOUT_S = 120.0  # a search over a large table may take that long
CHUNK_BYTES = 1 << 20
FIRST_WAIT_S, LONGEST_WAIT_S = 0.2, 4.0
_NOT_NOW = frozenset((408, 429, 502, 503, 504))

T = TypeVar("T")


class Refused(Exception):
    """The server answered, and not with a success. `message` is what it said."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


class NoAnswer(Exception):
    """No answer after every try."""


class NotJson(NoAnswer):
    """An answer, but not in the API's language."""


class Http:
    """A server at `url`; a path prefix in it is kept. May be used by several threads."""

    def __init__(
        self, url: str, *, connections: int, first_wait_s: float = FIRST_WAIT_S, **settings: Any
    ) -> None:
        self.url, self._first_wait_s = url.rstrip("/"), first_wait_s
        limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
        self._client = httpx.Client(timeout=TIMEOUT_S, limits=limits, **settings)

    def close(self) -> None:
        self._client.close()

    def get(self, path: str, /, **params: Any) -> Any:
        """The JSON of an answer. Parameters that are None are not sent."""
        given = {name: value for name, value in params.items() if value is not None}
        return self.patiently(lambda: self._json("GET", path, params=given))

    def post(self, path: str, body: Any) -> Any:
        return self.patiently(lambda: self._json("POST", path, json=body))

    def put(self, path: str, chunks: Iterator[bytes], size_bytes: int | None) -> None:
        """One try: the chunks can be read only once."""
        headers = {} if size_bytes is None else {"content-length": str(size_bytes)}
        _succeeded(self._client.put(self.url + path, content=chunks, headers=headers))

    @contextmanager
    def open(self, path: str, /, **params: Any) -> Iterator[tuple[int | None, Iterator[bytes]]]:
        """The size, if it is announced, and the chunks of a file as it lies there. One try."""
        headers = {"accept-encoding": "identity"}
        url = self.url + path
        with self._client.stream("GET", url, params=params, headers=headers) as answer:
            if not answer.is_success:
                answer.read()
            _succeeded(answer)
            size = answer.headers.get("content-length")
            yield int(size) if size else None, answer.iter_raw(CHUNK_BYTES)

    def _json(self, method: str, path: str, **kwargs: Any) -> Any:
        answer = _succeeded(self._client.request(method, self.url + path, **kwargs))
        try:
            return answer.json()
        except ValueError:
            raise NotJson(
                f"{self.url} answers, but not in JSON. Is it the right address?"
            ) from None

    def patiently(self, call: Callable[[], T]) -> T:
        """What a call comes to, which may have to be made again from its beginning."""
        wait_s = self._first_wait_s
        for left in reversed(range(TRIES)):
            try:
                return call()
            except Refused as refused:
                if left == 0 or refused.status not in _NOT_NOW:
                    raise
            except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
                if left == 0 or not isinstance(error, httpx.TransportError):
                    raise NoAnswer(f"No answer from {_asked(error, self.url)}: {error}.") from error
            time.sleep(wait_s * random.uniform(0.5, 1.0))
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)
        raise AssertionError("the last try returned or raised")


def _asked(error: Exception, otherwise: str) -> str:
    """Who did not answer: while a file is streamed there are two."""
    try:
        url = error.request.url if isinstance(error, httpx.RequestError) else None
    except RuntimeError:  # it was raised before there was a request
        url = None
    return f"{url.scheme}://{url.netloc.decode()}" if url else otherwise


def _succeeded(answer: httpx.Response) -> httpx.Response:
    if answer.is_success:
        return answer
    try:
        body = answer.json()
        said = body.get("detail") or body.get("message")
    except (ValueError, AttributeError):
        said = None
    raise Refused(answer.status_code, said or f"status {answer.status_code}")
