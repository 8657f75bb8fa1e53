"""One HTTP/1.1 request over a socket whose peer is checked before a byte is sent.

Apart from `webhook`, because it imports the HTTP library.
"""

import ssl
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import httpcore

from modelkeep.domain.addresses import Target

Check = Callable[[str], None]  # raises InvalidInput for an address that must not be contacted
Answered = tuple[int, dict[str, str], AsyncIterator[bytes]]  # status, headers, body

FAILURES = (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException)


class _Guarded(httpcore.AsyncNetworkBackend):
    """Connects to addresses that were looked up before, whatever the name has become since."""

    def __init__(self, addresses: Sequence[str], check: Check | None) -> None:
        self._addresses, self._check = addresses, check
        self._network = cast("httpcore.AsyncNetworkBackend", httpcore.AnyIOBackend())

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the library's signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        failure: Exception = httpcore.ConnectError("The name has no address.")
        for address in self._addresses:
            try:
                stream = await self._network.connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
            except FAILURES as error:
                failure = error
                continue
            try:
                self._check_peer(stream)
            except BaseException:
                await stream.aclose()
                raise
            return stream
        raise failure

    def _check_peer(self, stream: httpcore.AsyncNetworkStream) -> None:
        if self._check is not None:
            peer = stream.get_extra_info("server_addr")
            self._check(str(peer[0]) if peer else "")


@asynccontextmanager
async def posting(
    target: Target,
    addresses: Sequence[str],
    check: Check | None,
    tls: ssl.SSLContext | None,
    headers: dict[str, str],
    body: bytes,
) -> AsyncIterator[Answered]:
    """A POST on a connection of its own, which is closed at the end. Raises those of `FAILURES`."""
    url = httpcore.URL(
        scheme=target.scheme.encode(),
        host=target.host.encode(),
        port=target.port,
        target=target.path.encode(),
    )
    pool = httpcore.AsyncConnectionPool(
        ssl_context=tls, network_backend=_Guarded(addresses, check), retries=0
    )
    sent = [(name.encode(), value.encode()) for name, value in headers.items()]
    async with pool, pool.stream("POST", url, headers=sent, content=body) as answer:
        found = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in answer.headers}
        yield answer.status, found, answer.aiter_stream()
