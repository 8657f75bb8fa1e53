"""The HTTP server, and how it stops without anybody noticing.

From the first SIGTERM or SIGINT on:

1. `/ready` says no, and each answer is its connection's last. Everything is still answered, new
   connections too, for `drain_s` seconds: as long as a balancer takes to send no more.
2. Whoever has connected by now is let in, and then nobody: who begins to connect to a process
   that is alone hears nothing until the socket is closed, and is refused a second later. A client
   whose connection is idle may be sending its next call this very moment: it has a fifth of a
   second to arrive.
3. What is under way ends, within the time that the configuration gives it.
"""

import asyncio
import gc
import logging
import os
import socket
import struct
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from types import FrameType
from typing import Any

import uvicorn

from modelkeep.protocols.entrance import FrontDoor
from modelkeep.protocols.later import Later

LINGER_TURNS, LINGER_TURN_S = 20, 0.01
CONNECTING_S = 0.02  # for those who have begun to

_ATTACH_FILTER = 26  # SO_ATTACH_FILTER, of Linux
# For the kernel: of what comes to a socket, pass all but what has the flag that opens a connection.
_NO_OPENING = struct.pack(
    "=" + 4 * "HBBI",
    *(0x30, 0, 0, 13),  # the byte of TCP's flags
    *(0x45, 0, 1, 0x02),  # where SYN is set, go on; else pass over the next
    *(0x06, 0, 0, 0),  # drop it
    *(0x06, 0, 0, 0xFFFFFFFF),  # pass it
)

_log = logging.getLogger(__name__)


class Server(uvicorn.Server):
    """Makes the native API as soon as the rest is being served.

    `in_doubt`: there is no time for a drain. `is_alone`: no other process accepts from its socket,
    and a second signal ends it.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        door: FrontDoor,
        native: Later | None,
        drain_s: float,
        in_doubt: threading.Event,
        *,
        is_alone: bool,
    ) -> None:
        super().__init__(config)
        self._door, self._native = door, native
        self._drain_s, self._in_doubt, self._is_alone = drain_s, in_doubt, is_alone
        self._drained_s = 0.0

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        threading.Thread(target=self._make_native, name="native-api", daemon=True).start()

    def _make_native(self) -> None:
        if self._native:
            self._native.made()
        # What there is by now stays: the garbage collector, for which all threads wait, need not
        # look through the fifty thousand objects of the imports each time.
        gc.freeze()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if not self.should_exit:
            self._drained_s = time.monotonic() + self._drain_s
            self._door.is_closing = True
            super().handle_exit(sig, frame)
        elif self._is_alone:
            _log.warning("told to stop once more: what is under way is cut off")
            os._exit(1)  # what was answered is durable

    async def on_tick(self, counter: int) -> bool:
        is_drained = time.monotonic() >= self._drained_s or self._in_doubt.is_set()
        return await super().on_tick(counter) and is_drained

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._close_door(sockets or ())
        for _ in range(LINGER_TURNS):
            if any(map(_is_idle, self.server_state.connections)):
                await asyncio.sleep(LINGER_TURN_S)
        await super().shutdown(sockets)

    async def _close_door(self, listeners: Sequence[socket.socket]) -> None:
        """Ends the listening. Whoever has connected by then, and waits to be accepted, is let in:
        a socket that is closed resets them."""
        kept = [listener.dup() for listener in listeners]
        if self._is_alone and all(map(_hear_no_more, kept)):  # it would hold for the others, too
            await asyncio.sleep(CONNECTING_S)
        for server in self.servers:
            server.close()
        for listener in listeners:
            listener.close()
        await asyncio.sleep(0)  # from here on nobody else accepts in this process
        let_in = [connection for listener in kept for connection in _last_of(listener)]
        loop = asyncio.get_running_loop()
        for connection in let_in:
            await loop.connect_accepted_socket(self._connection, connection)

    def _connection(self) -> Any:
        protocol: Any = self.config.http_protocol_class
        return protocol(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )


def _hear_no_more(listener: socket.socket) -> bool:
    """Lets nobody begin to connect; False where that is not to be had. Else whoever connects in
    the moment before the socket is closed is let in by the system, and reset."""
    if sys.platform != "linux":
        return False
    import ctypes

    program = ctypes.create_string_buffer(_NO_OPENING)
    told = struct.pack("HP", len(_NO_OPENING) // 8, ctypes.addressof(program))
    try:
        listener.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, told)
    except OSError:
        return False
    return True


def _last_of(listener: socket.socket) -> list[socket.socket]:
    """Those who wait to be accepted; the listener is closed with nothing in between."""
    found: list[socket.socket] = []
    with listener:
        listener.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                found.append(listener.accept()[0])
    return found


def _is_idle(connection: Any) -> bool:
    return connection.cycle is None or connection.cycle.response_complete
