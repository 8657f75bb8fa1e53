"""The head and the body of an answer in one packet; and an end to the head of a request.

The HTTP server writes them one after the other, and to hand a packet to the system costs as much
as half of a small answer does. What is written within one turn of the event loop leaves together.

Its parser keeps whatever comes until a head is whole, and goes through all of it with every piece.
"""

import asyncio
from functools import partial
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from modelkeep.protocols.shortcut import Shortcut

HELD_BYTES = 1 << 16  # are written at once: the transport must be able to say when it has enough
HEAD_BYTES = 1 << 16  # of what is no body: an address and headers, trailers, sizes of chunks
_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: text/plain\r\n"
    b"content-length: 37\r\nconnection: close\r\n\r\nThe head of the request is too large."
)


class JoinedHttp(HttpToolsProtocol):
    """HTTP/1.1 over transports that join what they are given. `shortcut` is asked for an answer
    before the application is."""

    _waiting_bytes = 0  # that came since the parser made something of what came

    def __init__(self, *args: Any, shortcut: Shortcut | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._shortcut = shortcut

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(cast("asyncio.Transport", Joining(transport, self.loop)))

    def data_received(self, data: bytes) -> None:
        self._waiting_bytes += len(data)
        super().data_received(data)
        if self._waiting_bytes > HEAD_BYTES and not self.transport.is_closing():
            self._refuse()

    def on_headers_complete(self) -> None:
        self._waiting_bytes = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._waiting_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._waiting_bytes = 0
        super().on_message_complete()

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        # One behind which others wait is for the application: it starts the next from a task of its
        # own, and not ever deeper in the stack.
        is_plain = cycle.keep_alive and not self.pipeline and not self.flow.write_paused
        if not (self._shortcut and is_plain) or not self._shortcut.ask(
            cycle.scope, partial(self._tell, cycle, app)
        ):
            super()._start_asgi_task(cycle, app)

    def _tell(self, cycle: Any, app: Any, answer: bytes | None) -> None:
        if self.transport.is_closing():
            return
        if answer is None or not cycle.keep_alive:  # which was so when it was asked
            super()._start_asgi_task(cycle, app)
            return
        cast("Joining", self.transport).write_now(answer)
        cycle.response_started = cycle.response_complete = True
        cycle.on_response()

    def _refuse(self) -> None:
        """In the middle of another answer nothing can be said."""
        if self.cycle is None or self.cycle.response_complete:
            self.transport.write(_TOO_LARGE)
        self.transport.close()


def joined(shortcut: Shortcut | None) -> type[HttpToolsProtocol]:
    """What makes a protocol for each connection."""
    return cast("type[HttpToolsProtocol]", partial(JoinedHttp, shortcut=shortcut))


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

    def write_now(self, data: bytes) -> None:
        """A whole answer."""
        self._flush()
        self._transport.write(data)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def _flush(self) -> None:
        if self._held:
            held, self._held, self._bytes = self._held, [], 0
            self._transport.write(b"".join(held))
