"""HTTP: one connection pool to one server, called with patience.

A call that got no answer, or one that says "not now", is made again after a while. That is safe:
one that reads changes nothing, and one that changes something has an idempotency key.
"""

import hashlib
import json as json_
import random
import ssl
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from modelkeep_client import credentials
from modelkeep_client.errors import NoAnswer, problem

API = "/api/v1"
TIMEOUT_S = 60.0
RETRIES = 3
CHUNK_BYTES = 1 << 20
FIRST_WAIT_S, LONGEST_WAIT_S = 0.2, 4.0
_NOT_NOW = frozenset((502, 503, 504))

Json = Any


class Transport:
    """Calls to the API of the server at `url`.

    `token` is sent as a bearer's; without one, `user` is claimed by HTTP basic. `retries` is how
    often a call is made again.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str = "",
        user: str = "",
        timeout_s: float = TIMEOUT_S,
        retries: int = RETRIES,
    ) -> None:
        self.url, self._retries = url.rstrip("/"), retries
        token = token or credentials.token_for(self.url)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        # The server is the one named; a proxy or a .netrc in the environment is not asked.
        self._http = httpx.Client(
            trust_env=False,
            verify=_trust(self.url),
            timeout=timeout_s,
            headers=headers,
            auth=(user, "-") if user and not token else None,
        )

    def close(self) -> None:
        self._http.close()

    # -- calls -----------------------------------------------------------------------------

    def get(self, path: str, /, **params: Any) -> Json:
        """The answer to a GET; parameters that are None are left out."""
        given = {name: value for name, value in params.items() if value is not None}
        return self._decoded(self._send("GET", path, params=given))

    def text(self, path: str) -> str:
        """The answer to a GET as text, to the byte."""
        return self._send("GET", path).content.decode()

    def change(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        key: str | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> Json:
        """The answer to a call that changes something, made once under its key. None for 204."""
        headers = {"Idempotency-Key": key or str(uuid.uuid4())}
        given = {} if body is None else {"json": body}
        answer = self._send(method, path, headers=headers, params=params, **given)
        return None if answer.status_code == 204 else self._decoded(answer)

    def put_file(self, path: str, file: Path) -> tuple[str, int]:
        """Sends a file, from its beginning each time; the SHA-256 and size of what was sent.

        Raises OSError where it cannot be read.
        """
        sending = _Sending(file)
        self._send("PUT", path, content=sending.chunks)
        return sending.sha256.hexdigest(), sending.size_bytes

    def head(self, path: str, /, **params: Any) -> int:
        """The status of a HEAD. Raises NoAnswer."""
        try:
            return self._http.head(f"{self.url}{API}{path}", params=params).status_code
        except httpx.HTTPError as error:
            raise self.unreachable(error) from error

    @contextmanager
    def stream(self, path: str, /, **params: str) -> Iterator[httpx.Response]:
        """An answer as it comes. Raises Problem, and the transport's own errors of httpx."""
        plainly = {"accept-encoding": "identity"}
        url = f"{self.url}{API}{path}"
        with self._http.stream("GET", url, params=params, headers=plainly) as answer:
            if not answer.is_success:
                answer.read()
                raise problem(answer.status_code, _body(answer))
            yield answer

    def lines(self, path: str) -> Iterator[Json]:
        """An answer of JSON lines, read as they come. Raises Problem, NoAnswer."""
        try:
            with self.stream(path) as answer:
                for line in answer.iter_lines():
                    yield json_.loads(line)
        except httpx.HTTPError as error:
            raise self.unreachable(error) from error
        except ValueError:
            raise self._not_modelkeep() from None

    # -- within ----------------------------------------------------------------------------

    def _send(self, method: str, path: str, **kwargs: Any) -> httpx.Response:
        wait_s = FIRST_WAIT_S
        for left in reversed(range(self._retries + 1)):
            try:
                answer = self._http.request(method, f"{self.url}{API}{path}", **_fresh(kwargs))
                if left == 0 or answer.status_code not in _NOT_NOW:
                    return _checked(answer)
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                if left == 0 or not isinstance(error, httpx.TransportError):
                    raise self.unreachable(error) from error
            time.sleep(wait_s * random.uniform(0.5, 1.0))
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)
        raise AssertionError("the last try returned or raised")

    def _decoded(self, answer: httpx.Response) -> Json:
        try:
            return answer.json()
        except ValueError:
            raise self._not_modelkeep() from None

    def unreachable(self, error: Exception) -> NoAnswer:
        """What to raise for an error of the transport's own."""
        return NoAnswer(
            f"No answer from {self.url}: {error}. Is `modelkeep serve` running there? "
            "MODELKEEP_URL names another address."
        )

    def _not_modelkeep(self) -> NoAnswer:
        return NoAnswer(f"{self.url} answers, but not as modelkeep does. Is it the right address?")


def _trust(url: str) -> ssl.SSLContext | bool:
    """The usual authorities; nobody where there is no TLS, as to read them takes a while."""
    if url.lower().startswith("https:"):
        return True
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _fresh(kwargs: dict[str, Any]) -> dict[str, Any]:
    """What to send, where a body can be read once only and so is made for each try."""
    content = kwargs.get("content")
    return {**kwargs, "content": content()} if callable(content) else kwargs


class _Sending:
    """A file on its way, counted and hashed as it goes; each time anew."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.sha256, self.size_bytes = hashlib.sha256(), 0

    def chunks(self) -> Iterator[bytes]:
        self.sha256, self.size_bytes = hashlib.sha256(), 0
        with self._file.open("rb") as opened:
            while chunk := opened.read(CHUNK_BYTES):
                self.sha256.update(chunk)
                self.size_bytes += len(chunk)
                yield chunk


def _checked(answer: httpx.Response) -> httpx.Response:
    if not answer.is_success:
        raise problem(answer.status_code, _body(answer))
    return answer


def _body(answer: httpx.Response) -> dict[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
