"""Hashes what clients put into the store by themselves, and takes in what lies in other stores.

One thread with an event loop of its own. It is woken after each commit that added leaves, and looks
every two seconds besides. What it works on it leases, so that replicas share the work and a dead
one's is done by another; whatever was done twice has one result.
"""

import asyncio
import hashlib
import logging
import threading
import time
from collections.abc import Coroutine
from typing import Any

from modelkeep.domain.errors import (
    Conflict,
    Forbidden,
    IntegrityFailure,
    InvalidInput,
    LimitExceeded,
    ModelkeepError,
    NotFound,
    Unavailable,
)
from modelkeep.domain.manifests import FILE_LIMIT, File
from modelkeep.domain.stores import Place
from modelkeep.ports.intake import Intake
from modelkeep.ports.stores import Direct, Foreign, Outside
from modelkeep.services import intake as cases
from modelkeep.services.app import App
from modelkeep.services.artifacts import SMALL_BYTES
from modelkeep.services.grants import MULTIPART_S

POLL_S = 2.0
AT_ONCE = 4  # arrivals leased together, one after another
SWEEP_EVERY_S = 3600.0
RENEW_EVERY_S = 30.0  # of a lease, while a large file comes
ORPHANED_MS = 2 * MULTIPART_S * 1000  # after that nobody can complete an upload any more

_log = logging.getLogger(__name__)


class IntakeWorker:
    """`start` begins, `close` ends after the file under way; `wake` is for any thread."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._stopping, self._woken = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="intake", daemon=True)

    def start(self) -> None:
        """Does nothing where nothing can come past the server."""
        if self._app.direct is not None or self._app.outside is not None:
            self._thread.start()

    def wake(self) -> None:
        self._woken.set()

    def close(self) -> None:
        self._stopping.set()
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner() as runner:
            swept_s = time.monotonic()
            while not self._stopping.is_set():
                self._woken.clear()
                runner.run(self.turn())
                if time.monotonic() - swept_s > SWEEP_EVERY_S:
                    swept_s = time.monotonic()
                    runner.run(self.sweep())
                self._woken.wait(POLL_S)

    async def turn(self) -> None:
        """Does what is due; whatever fails is due again later."""
        await self._guarded(self._all())

    async def sweep(self) -> None:
        """Throws away what landed long ago and nobody completed."""
        await self._guarded(self._discard_orphans())

    async def _guarded(self, steps: Coroutine[Any, Any, None]) -> None:
        try:
            await steps
        except ModelkeepError as error:
            _log.warning("the intake waits: %s", error.message)
        except Exception:  # noqa: BLE001 - the outermost loop outlives one bad turn
            _log.exception("a turn of the intake failed")

    async def _all(self) -> None:
        is_done = False
        while not (is_done or self._stopping.is_set()):
            is_done = not await self._step()

    async def _step(self) -> bool:
        """Some of what is due; whether there was any."""
        outside, direct = self._app.outside, self._app.direct
        if outside is not None:
            for place in outside.places:
                if found := await self._app.read(cases.undiscovered, place):
                    await self._app.write(cases.discover, found)
        if not await self._app.read(cases.is_due, point=True):
            return False
        hashed = direct is not None and await self._hash_some(direct)
        taken = outside is not None and await self._take_one(outside)
        return hashed or taken

    # -- what clients put into our store by themselves -------------------------------------

    async def _hash_some(self, direct: Direct) -> bool:
        arrivals = await self._app.write(cases.arrivals, AT_ONCE)
        for arrival in arrivals:
            began_ms = self._app.clock.now_ms()
            try:
                sha256 = direct.adopt(arrival.key, arrival.size_bytes)
                await self._app.write(cases.settle, arrival, sha256, began_ms)
            except IntegrityFailure as error:
                await self._app.write(cases.refuse_arrival, arrival, error.message)
            except Unavailable as error:
                _log.warning("%r could not be hashed yet: %s", arrival.path, error.message)
                await self._app.write(cases.put_off_arrival, arrival)
            else:
                direct.discard(arrival.key)
        return bool(arrivals)

    async def _discard_orphans(self) -> None:
        direct, before_ms = self._app.direct, self._app.clock.now_ms() - ORPHANED_MS
        if direct is None:
            return
        if keys := direct.landed(before_ms):
            for key in await self._app.read(cases.orphans, keys):
                direct.discard(key)
        await self._app.write(cases.prune, before_ms)

    # -- what lies in other stores ---------------------------------------------------------

    async def _take_one(self, outside: Outside) -> bool:
        intake = await self._app.write(cases.claim)
        if intake is None:
            return False
        try:
            await self._take_in(outside, intake, Place.parse(intake.address))
        except NotFound as error:
            await self._app.write(cases.put_off, intake, error.message, cases.ABSENT_LIMIT)
        except (Conflict, Unavailable) as error:
            _log.warning("%s is not taken in yet: %s", intake.address, error.message)
            await self._app.write(cases.put_off, intake, error.message)
        except (Forbidden, InvalidInput, LimitExceeded) as error:
            await self._app.write(cases.refuse, intake, error.message)
        return True

    async def _take_in(self, outside: Outside, intake: Intake, place: Place) -> None:
        found = cases.check_tree(place, outside.list(place, FILE_LIMIT + 1))
        known = await self._app.read(cases.taken, intake)
        for file in found:
            here, etag = known.get(file.path, (None, ""))
            if here is None or etag != file.etag:
                await self._take_file(outside, intake, place, file)
            if self._stopping.is_set():
                raise Unavailable("The server stops; the rest is taken in later.")
        await self._app.write(cases.finish, intake, frozenset(file.path for file in found))

    async def _take_file(
        self, outside: Outside, intake: Intake, place: Place, file: Foreign
    ) -> None:
        chunks, began_ms = outside.read(place, file), self._app.clock.now_ms()
        if file.size_bytes <= SMALL_BYTES:
            small = b"".join(chunks)
            named = File(file.path, hashlib.sha256(small).hexdigest(), len(small))
            await self._app.write(cases.keep, intake, named, file.etag, small, began_ms)
            return
        upload, renewed_s = self._app.blobs.begin(), time.monotonic()
        try:
            for chunk in chunks:
                upload.write([chunk])
                if time.monotonic() - renewed_s > RENEW_EVERY_S:
                    renewed_s = time.monotonic()
                    await self._app.write(cases.renew, intake, f"taking in {file.path}")
            named = File(file.path, *upload.finish())
        except BaseException:
            upload.abandon()
            raise
        await self._app.write(cases.keep, intake, named, file.etag, None, began_ms)
