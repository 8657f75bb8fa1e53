"""The head and the body of an answer in one packet.

The HTTP server writes them one after the other, and to hand a packet to the system costs as much
as half of a small answer does. What is written within one turn of the event loop leaves together.
"""

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HELD_BYTES = (
    1 << 16
)  # from which on nothing is held back: the transport must say when it has enough


class JoinedHttp(HttpToolsProtocol):
    """HTTP/1.1 over transports that join what they are given."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(cast("asyncio.Transport", Joining(transport, self.loop)))


class Joining:
    """An `asyncio.Transport`, of which everything but writing and closing is another's."""

    __slots__ = ("_bytes", "_held", "_loop", "_transport", "get_extra_info", "is_closing")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._held, self._bytes = list[bytes](), 0
        self.is_closing, self.get_extra_info = transport.is_closing, transport.get_extra_info

    def write(self, data: bytes) -> None:
        if not self._held:
            self._loop.call_soon(self._flush)
        self._held.append(data)
        self._bytes += len(data)
        if self._bytes >= HELD_BYTES:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def _flush(self) -> None:
        if self._held:
            held, self._held, self._bytes = self._held, [], 0
            self._transport.write(b"".join(held))
