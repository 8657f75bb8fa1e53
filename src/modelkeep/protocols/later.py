"""An application that is made when it is first needed.

The native API's framework takes as long to load as everything else together, and MLflow's clients
never ask for it: neither they nor whoever waits for the server to be healthy waits for that.
"""

import asyncio
import threading
from collections.abc import Callable

from modelkeep.protocols.http import Asgi, Receive, Scope, Send


class Later:
    """Wraps what makes an ASGI application; that is called once, whoever needs it first."""

    def __init__(self, make: Callable[[], Asgi]) -> None:
        self._make = make
        self._made: Asgi | None = None
        self._lock = threading.Lock()

    def made(self) -> Asgi:
        """The application; takes about half a second the first time."""
        with self._lock:
            if self._made is None:
                self._made = self._make()
            return self._made

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Made beside the loop, which goes on answering others meanwhile.
        app = self._made or await asyncio.to_thread(self.made)
        await app(scope, receive, send)
