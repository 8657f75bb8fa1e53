"""Calls to the server's native API, and how an answer becomes an exit code."""

import json
import sys
from collections.abc import Iterator
from typing import Any, NoReturn

API = "/api/modelkeep/v1"
REFUSED, WAITING, UNREACHABLE = 1, 2, 3

_TIMEOUT_S = 60.0


class Client:
    """A server at `url`, spoken to as `user`."""

    def __init__(self, url: str, user: str) -> None:
        self._url, self._user = url.rstrip("/"), user

    def get(self, path: str, **params: Any) -> Any:
        given = {name: value for name, value in params.items() if value is not None}
        return self._call("GET", path, params=given)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        given = {name: value for name, value in body.items() if value is not None}
        return self._call("POST", path, json=given)

    def patch(self, path: str, body: dict[str, Any]) -> Any:
        return self._call("PATCH", path, json=body)

    def delete(self, path: str) -> None:
        self._send("DELETE", path)

    def lines(self, path: str) -> Iterator[dict[str, Any]]:
        """An answer of JSON lines, read as they come."""
        import httpx

        try:
            with self._http() as http, http.stream("GET", f"{self._url}{API}{path}") as answer:
                if not answer.is_success:
                    fail(f"{self._url} answered {answer.status_code}.")
                for line in answer.iter_lines():
                    yield json.loads(line)
        except httpx.HTTPError as error:
            fail(f"No answer from {self._url}: {error}.", UNREACHABLE)

    def _http(self) -> Any:
        import httpx

        auth = (self._user, "-") if self._user else None
        # The server is the one named; a proxy in the environment is not asked.
        return httpx.Client(trust_env=False, timeout=_TIMEOUT_S, auth=auth)

    def _call(self, method: str, path: str, **kwargs: Any) -> Any:
        return self._send(method, path, **kwargs).json()

    def _send(self, method: str, path: str, **kwargs: Any) -> Any:
        import httpx

        try:
            with self._http() as http:
                answer = http.request(method, f"{self._url}{API}{path}", **kwargs)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            fail(f"No answer from {self._url}: {error}. Is `modelkeep serve` running?", UNREACHABLE)
        if answer.is_success or "result" in _body(answer):
            return answer
        return fail(_body(answer).get("message") or f"{self._url} answered {answer.status_code}.")


def _body(answer: Any) -> dict[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def fail(message: str, code: int = REFUSED) -> NoReturn:
    """Says what went wrong on standard error, and exits."""
    print(plain(message), file=sys.stderr)
    raise SystemExit(code)


def plain(text: str) -> str:
    """A text for a terminal: what others wrote is shown, and none of it steers the screen."""
    return "".join(c if c.isprintable() or c == "\n" else f"\\x{ord(c):02x}" for c in text)
