"""Sends webhooks over HTTP, to where this server may be sent and nowhere else.

* No redirect is followed, no proxy of the environment asked, no cookie kept.
* A name is looked up once for an attempt; every address that it has must be allowed, the socket
  connects to one of these, and its peer is checked before a byte is sent, of TLS too.
* An attempt ends after 15 seconds, whatever the receiver does, and 16 KiB of an answer are read.

The HTTP library is imported with the first attempt, in a thread: a server without webhooks never
pays for it.
"""

import asyncio
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from email.utils import mktime_tz, parsedate_tz
from functools import partial
from typing import Any

from modelkeep.domain.addresses import FIELD, Target, check_address, is_address, parse_target
from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.webhooks import Outcome

ATTEMPT_S = 15.0
LOOKUP_S = 5.0  # when a webhook is made; in an attempt, the attempt's own time
ANSWER_BYTES = 16_384
ERROR_CHARS = 500
LOOKUP_THREADS = 4  # apart from other threads: a name server that hangs must not hold those up

Resolve = Callable[[str, int], list[str]]  # host, port -> addresses


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a name by the system's resolver, each once. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class HttpSender:
    """See `ports.webhooks.Sender`. `allow_private` admits http: and every address."""

    def __init__(self, *, allow_private: bool, user_agent: str, resolve: Resolve = resolve) -> None:
        self._allow_private, self._user_agent, self._resolve = allow_private, user_agent, resolve
        self._lookups = ThreadPoolExecutor(LOOKUP_THREADS, thread_name_prefix="lookup")
        self._tls: ssl.SSLContext | None = None

    def target(self, url: str) -> Target:
        return parse_target(url, allow_private=self._allow_private)

    async def vet(self, target: Target) -> None:
        if self._allow_private:
            return
        try:
            async with asyncio.timeout(LOOKUP_S):
                await self._addresses(target)
        except TimeoutError:
            raise InvalidInput(
                f"Timed out resolving {FIELD} hostname {target.host!r} after {LOOKUP_S:g} seconds"
            ) from None

    async def post(self, url: str, headers: Mapping[str, str], body: str) -> Outcome:
        target = self.target(url)
        answer = _Answer()
        try:
            async with asyncio.timeout(ATTEMPT_S):
                addresses = await self._addresses(target)
                await self._send(target, addresses, dict(headers), body.encode(), answer)
        except TimeoutError:
            if answer.status is None:
                return Outcome(error=f"No answer within {ATTEMPT_S:g} seconds.")
        except _failures() as error:
            if answer.status is None:
                return Outcome(error=_said(error))
        return answer.outcome()

    def close(self) -> None:
        self._lookups.shutdown(wait=False, cancel_futures=True)

    # -- within ----------------------------------------------------------------------------

    async def _addresses(self, target: Target) -> list[str]:
        """Where the target is; all of it allowed. Raises InvalidInput."""
        if is_address(target.host):
            found = [target.host]
        else:
            loop = asyncio.get_running_loop()
            look_up = partial(self._resolve, target.host, target.port)
            try:
                found = await loop.run_in_executor(self._lookups, look_up)
            except (OSError, UnicodeError) as error:
                raise InvalidInput(
                    f"Cannot resolve {FIELD} hostname {target.host!r}: {error}"
                ) from None
        if not self._allow_private:
            for address in found:
                check_address(address, target.host)
        return found

    async def _send(
        self,
        target: Target,
        addresses: list[str],
        headers: dict[str, str],
        body: bytes,
        answer: "_Answer",
    ) -> None:
        wire = await asyncio.to_thread(_wire)
        if self._tls is None and target.scheme == "https":
            self._tls = await asyncio.to_thread(tls_context)
        check = None if self._allow_private else partial(check_address, host=target.host)
        headers["host"] = target.authority
        headers["user-agent"] = self._user_agent
        headers["accept-encoding"] = "identity"
        request = wire.posting(target, addresses, check, self._tls, headers, body)
        async with request as (status, answered, chunks):
            answer.status, answer.headers = status, answered
            async for chunk in chunks:
                answer.body += chunk
                if len(answer.body) >= ANSWER_BYTES:
                    break


class _Answer:
    """An answer as far as it has come: one whose body never ends still has a status."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.headers: dict[str, str] = {}
        self.body = b""

    def outcome(self) -> Outcome:
        text = self.body[:ANSWER_BYTES].decode(errors="replace").replace("\x00", "\ufffd")
        assert self.status is not None
        is_redirect = 300 <= self.status < 400
        error = "Redirects are not followed." if is_redirect else ""
        return Outcome(self.status, text, error, _retry_after(self.headers.get("retry-after", "")))


def _retry_after(text: str) -> float | None:
    """The seconds that a `Retry-After` asks for, in either form; None for anything else."""
    if text.isascii() and text.isdigit():
        return float(text[:9])
    moment = parsedate_tz(text)
    try:
        return max(mktime_tz(moment) - time.time(), 0.0) if moment else None
    except (OverflowError, ValueError):
        return None


def _wire() -> Any:
    from modelkeep.channels import wire

    return wire


def tls_context() -> ssl.SSLContext:
    """What a server out there must prove to be whom we mean. Takes a while to make."""
    import httpx

    return httpx.create_ssl_context()  # SSL_CERT_FILE and SSL_CERT_DIR, or the bundle it brings


def _failures() -> tuple[type[Exception], ...]:
    return (OSError, InvalidInput, *_wire().FAILURES)


def _said(error: Exception) -> str:
    if isinstance(error, InvalidInput):
        return error.message
    text = " ".join(str(error).split())[:ERROR_CHARS]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
