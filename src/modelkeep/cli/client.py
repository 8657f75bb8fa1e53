"""Calls to the server's native API, and how an answer becomes an exit code."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any, NoReturn

API = "/api/modelkeep/v1"
REFUSED, WAITING, UNREACHABLE = 1, 2, 3
TAMPERED = 2  # what is stored is not what was recorded

CHUNK_BYTES = 1 << 18

_TIMEOUT_S = 60.0
_ENDS = {"integrity_failure": TAMPERED}


class Failed(Exception):
    """Why a command must end: a sentence, the exit code, and a word for scripts."""

    def __init__(self, message: str, code: int = REFUSED, kind: str = "refused") -> None:
        super().__init__(message)
        self.message, self.code, self.kind = message, code, kind


class Client:
    """A server at `url`, spoken to as `user`. Its methods end the command if it says no."""

    def __init__(self, url: str, user: str) -> None:
        self._url, self._user = url.rstrip("/"), user

    def get(self, path: str, /, **params: Any) -> Any:
        given = {name: value for name, value in params.items() if value is not None}
        return self._call("GET", path, params=given)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        given = {name: value for name, value in body.items() if value is not None}
        return self._call("POST", path, json=given)

    def patch(self, path: str, body: dict[str, Any]) -> Any:
        return self._call("PATCH", path, json=body)

    def delete(self, path: str) -> None:
        self._send("DELETE", path)

    def text(self, path: str) -> str:
        """An answer of plain text, to the byte."""
        return self._send("GET", path).content.decode()

    def lines(self, path: str) -> Iterator[dict[str, Any]]:
        """An answer of JSON lines, read as they come."""
        import httpx

        try:
            with self._http.stream("GET", f"{self._url}{API}{path}") as answer:
                if not answer.is_success:
                    answer.read()
                    end(self._refusal(answer))
                for line in answer.iter_lines():
                    yield json.loads(line)
        except httpx.HTTPError as error:
            end(self.unreachable(error))
        except ValueError:
            self._not_modelkeep()

    @contextmanager
    def chunks(self, path: str, /, **params: str) -> Iterator[Iterator[bytes]]:
        """The bytes of an answer as they come, from any thread.

        Raises Failed for an answer that is none, and the transport's own errors.
        """
        plainly = {"accept-encoding": "identity"}
        url = f"{self._url}{API}{path}"
        with self._http.stream("GET", url, params=params, headers=plainly) as answer:
            if not answer.is_success:
                answer.read()
                raise self._refusal(answer)
            yield answer.iter_raw(CHUNK_BYTES)

    def can_read(self, path: str, /, **params: str) -> bool:
        """Whether the server finds the bytes of an answer undamaged; raises as `chunks`."""
        answer = self._http.head(f"{self._url}{API}{path}", params=params)
        return answer.status_code != 409

    def unreachable(self, error: Exception) -> Failed:
        message = f"No answer from {self._url}: {error}. Is `modelkeep serve` running?"
        return Failed(message, UNREACHABLE, "no_answer")

    @cached_property
    def _http(self) -> Any:
        import httpx

        auth = (self._user, "-") if self._user else None
        # The server is the one named; a proxy in the environment is not asked.
        return httpx.Client(trust_env=False, timeout=_TIMEOUT_S, auth=auth)

    def _send(self, method: str, path: str, **kwargs: Any) -> Any:
        import httpx

        try:
            answer = self._http.request(method, f"{self._url}{API}{path}", **kwargs)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            end(self.unreachable(error))
        if not answer.is_success and "result" not in _body(answer):
            end(self._refusal(answer))
        return answer

    def _call(self, method: str, path: str, **kwargs: Any) -> Any:
        answer = self._send(method, path, **kwargs)
        try:
            return answer.json()
        except ValueError:
            self._not_modelkeep()

    def _not_modelkeep(self) -> NoReturn:
        message = f"{self._url} answers, but not as modelkeep does. Is it the right address?"
        fail(message, UNREACHABLE, "no_answer")

    def _refusal(self, answer: Any) -> Failed:
        body = _body(answer)
        message = body.get("message") or f"{self._url} answered {answer.status_code}."
        kind = body.get("error", f"http_{answer.status_code}")
        return Failed(message, _ENDS.get(kind, REFUSED), kind)


def _body(answer: Any) -> dict[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def fail(message: str, code: int = REFUSED, kind: str = "refused") -> NoReturn:
    """Says what went wrong on standard error, and exits."""
    say_error(message, kind)
    raise SystemExit(code)


def end(failed: Failed) -> NoReturn:
    fail(failed.message, failed.code, failed.kind)


def say_error(message: str, kind: str) -> None:
    """On standard error: a sentence or, with `--json`, `{"error": {"code", "message"}}`."""
    error = json.dumps({"error": {"code": kind, "message": message}})
    print(error if wants_json() else plain(message), file=sys.stderr)


def wants_json() -> bool:
    """Whether the command line asks for JSON, even one that is wrong in some other way."""
    return "--json" in sys.argv[1:]


def plain(text: str) -> str:
    """A text for a terminal: what others wrote is shown, and none of it steers the screen."""
    return "".join(c if c.isprintable() or c == "\n" else f"\\x{ord(c):02x}" for c in text)
