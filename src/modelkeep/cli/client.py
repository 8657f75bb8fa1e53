"""Calls to the server, over the SDK, and how an answer becomes an exit code."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any, NoReturn

REFUSED, WAITING, UNREACHABLE = 1, 2, 3
TAMPERED = 2  # what is stored is not what was recorded
USAGE = 64  # sysexits' own: an argument, an option or a file named in one cannot be right

CHUNK_BYTES = 1 << 18

RETRIES = 1  # of a call that got no answer: a person waits
_ENDS = {"integrity_failure": TAMPERED, "invalid_input": USAGE, "invalid_call": USAGE}


class Failed(Exception):
    """Why a command must end: a sentence, the exit code, and a word for scripts."""

    def __init__(self, message: str, code: int = REFUSED, kind: str = "refused") -> None:
        super().__init__(message)
        self.message, self.code, self.kind = message, code, kind


class Client:
    """A server at `url`. Its methods end the command if it says no.

    It is spoken to with the token of the environment or else of the session (`modelkeep login`);
    where there is neither, as `user`, which is a claim.
    """

    def __init__(self, url: str, user: str = "") -> None:
        self._url, self._user = _checked(url).rstrip("/"), user

    def get(self, path: str, /, **params: Any) -> Any:
        with _ending():
            return self.transport.get(path, **params)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        return self._change("POST", path, {k: v for k, v in body.items() if v is not None})

    def run(self, path: str) -> None:
        """A POST that has nothing to say."""
        self._change("POST", path)

    def patch(self, path: str, body: dict[str, Any]) -> Any:
        return self._change("PATCH", path, body)

    def put(self, path: str, body: dict[str, Any]) -> Any:
        return self._change("PUT", path, body)

    def delete(self, path: str, /, **params: str | int | None) -> Any:
        given = {name: str(value) for name, value in params.items() if value is not None}
        return self._change("DELETE", path, params=given)

    def text(self, path: str) -> str:
        """An answer of plain text, to the byte."""
        with _ending():
            return self.transport.text(path)

    def lines(self, path: str) -> Iterator[dict[str, Any]]:
        """An answer of JSON lines, read as they come."""
        with _ending():
            yield from self.transport.lines(path)

    @contextmanager
    def chunks(self, path: str, /, **params: str) -> Iterator[Iterator[bytes]]:
        """The bytes of an answer as they come, from any thread.

        Raises Failed for an answer that is none, and the transport's own errors.
        """
        with _failing(), self.transport.stream(path, **params) as answer:
            yield answer.iter_raw(CHUNK_BYTES)

    def can_read(self, path: str, /, **params: str) -> bool:
        """Whether the server finds the bytes of an answer undamaged; raises as `chunks`."""
        with _failing():
            return self.transport.head(path, **params) != 409

    def unreachable(self, error: Exception) -> Failed:
        return Failed(str(self.transport.unreachable(error)), UNREACHABLE, "no_answer")

    @cached_property
    def transport(self) -> Any:
        from modelkeep_client.transport import Transport  # and httpx with it

        with _ending():
            return Transport(self._url, user=self._user, retries=RETRIES)

    def _change(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        params: dict[str, str] | None = None,
    ) -> Any:
        """The answer; also the one that a move was turned down, which is a result."""
        from modelkeep_client.errors import Refused, Void

        with _ending():
            try:
                return self.transport.change(method, path, body, params=params)
            except (Refused, Void) as refused:
                if "result" in refused.body:
                    return refused.body
                raise


def _checked(url: str) -> str:
    import httpx

    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        parsed = httpx.URL()
    if parsed.scheme not in ("http", "https") or not parsed.host:
        misused(f"'{url}' is no server's address; write it as http://127.0.0.1:5000.")
    return url


@contextmanager
def _failing() -> Iterator[None]:
    """Tells what the SDK raises as the commands do."""
    from modelkeep_client.errors import ClientError, NoAnswer, Problem

    try:
        yield
    except NoAnswer as error:
        raise Failed(error.message, UNREACHABLE, "no_answer") from None
    except Problem as problem:
        code = _ENDS.get(problem.code, REFUSED)
        raise Failed(problem.message, code, problem.code) from None
    except ClientError as error:
        raise Failed(error.message) from None


@contextmanager
def _ending() -> Iterator[None]:
    try:
        with _failing():
            yield
    except Failed as failed:
        end(failed)


def credentials(url: str, user: str) -> dict[str, Any]:
    """How a server is told who calls, as arguments of the HTTP client."""
    from modelkeep_client.credentials import token_for

    with _ending():
        token = token_for(url)
    if token:
        return {"headers": {"authorization": f"Bearer {token}"}}
    return {"auth": (user, "-")} if user else {}


def fail(message: str, code: int = REFUSED, kind: str = "refused") -> NoReturn:
    """Says what went wrong on standard error, and exits."""
    say_error(message, kind)
    raise SystemExit(code)


def misused(message: str) -> NoReturn:
    """Says what is wrong with the command line, and exits."""
    fail(message, USAGE, "wrong_usage")


def unreadable(file: object, error: OSError | UnicodeDecodeError) -> NoReturn:
    """Says why a file that the command line names cannot be read, and exits."""
    why = error.strerror if isinstance(error, OSError) else "not a text in UTF-8"
    misused(f"{file}: {why}.")


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
