"""From settings to a running application; which names the concrete adapters.

What commands do without a server is in `operations`.
"""

import asyncio
import fcntl
import logging
import secrets
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from modelkeep import __version__
from modelkeep.channels.webhook import HttpSender
from modelkeep.channels.witness import HttpWitness
from modelkeep.domain.errors import IntegrityFailure, NotFound
from modelkeep.domain.notes import LOG_KIND
from modelkeep.domain.tokens import Signer
from modelkeep.opening import Opening, SystemClock
from modelkeep.ports.clock import Clock
from modelkeep.ports.mail import Mailer
from modelkeep.ports.work import Work
from modelkeep.services import (
    buckets,
    checkpoints,
    experiments,
    object_uploads,
    replies,
    spending,
    whereabouts,
)
from modelkeep.services.app import App
from modelkeep.services.directory import Directory
from modelkeep.services.loads import Counter
from modelkeep.services.readiness import Check
from modelkeep.settings import Settings, read_key
from modelkeep.storage.blobs.s3 import S3Blobs
from modelkeep.storage.blobs.stores import Stores
from modelkeep.storage.files import check_room, free_bytes, made_once
from modelkeep.storage.notary import FileNotary, KeyFile
from modelkeep.storage.passwords import Argon2Passwords
from modelkeep.storage.sql import schema
from modelkeep.storage.sql.dialects import Dialect, Sqlite
from modelkeep.storage.sql.log import LogCopier
from modelkeep.storage.sql.reader import Reader
from modelkeep.storage.sql.recent import Recent
from modelkeep.storage.sql.soundness import rows_of
from modelkeep.storage.sql.work import SqlWork
from modelkeep.storage.sql.writer import Writer
from modelkeep.storage.stamps import RsaStamper
from modelkeep.storage.vault import AesVault
from modelkeep.telemetry.tallies import Attempts, Requests, Tallies

CHORES_EVERY_S = 1.0
SWEEP_EVERY_S = 60.0  # of what is kept for a time only
LOOK_AT_STORE_EVERY_S = 10.0  # for whoever asks whether this process is ready
SWEEP_STORE_EVERY_S = 3600.0  # of uploads to an S3 store that broke off

_log = logging.getLogger(__name__)


class Running:
    """An application with its threads and connections; `close` finishes what is under way.

    `opening`, if it was begun, is that of these settings. `is_alone` is as there.
    """

    def __init__(
        self, settings: Settings, clock: Clock | None = None, opening: Opening | None = None
    ) -> None:
        clock = clock or SystemClock()
        opening = opening or Opening(settings, clock)
        self.is_alone, self._lock = opening.is_alone, opening.lock
        dialect = opening.dialect
        self._settings, self._dialect = settings, dialect
        self._copier: LogCopier | None = None
        recent = Recent() if self.is_alone else None
        self.writer = Writer(dialect, clock, recent, settings.ingest_places)
        self.reader = Reader(dialect, clock, settings.search_timeout_s, recent)
        stores = Stores.of(settings, is_alone=opening.is_first)
        self._blobs, self._parts = stores.blobs, stores.parts
        try:
            opening.finish()
            if isinstance(dialect, Sqlite):
                self._copier = LogCopier(dialect)
            self._store = whereabouts.settle(
                self.reader.run, self.writer.run, partial(rows_of, dialect), stores.blobs
            )
        except BaseException:
            self._let_go()
            raise
        self._sender = HttpSender(
            allow_private=settings.webhook_allow_private, user_agent=f"modelkeep/{__version__}"
        )
        vault = AesVault(settings.secrets_key, settings.data_dir / "secrets.key")
        self.app = App(
            self.reader,
            self.writer,
            stores.blobs,
            stores.parts,
            stores.direct,
            stores.outside,
            settings.default_artifact_root,
            Signer(_signing_key(settings)),
            clock,
            self._sender,
            _mailer(settings),
            vault,
            RsaStamper(vault),
            frozenset((str(settings.data_dir.absolute()), str(settings.data_dir.resolve()))),
            _notary(settings),
            tuple(HttpWitness(url, key) for url, key in settings.witness_keys),
            Counter(clock),
        )
        if settings.default_artifact_root:
            self.writer.run(experiments.place_default, settings.default_artifact_root)
        self.passwords = Argon2Passwords()
        self.directory = Directory(self.reader, self.writer, clock, self.app.vault)
        self._stopping = threading.Event()
        self._housekeeper = threading.Thread(
            target=self._keep_house, args=(clock,), name="housekeeper", daemon=True
        )
        self._housekeeper.start()
        if not self.is_alone:
            fcntl.flock(self._lock, fcntl.LOCK_SH)  # what there can be only one of has been made

    def tallies(self, requests: Requests, attempts: Attempts, process: str = "") -> Tallies:
        """What this process counts; `requests` and `attempts` are its edges'."""
        reads, writer = self.reader.tally, self.writer
        return Tallies(
            requests, writer.tally, reads, attempts, lambda: writer.waiting,
            partial(free_bytes, self._settings.data_dir), self._dialect.name, schema.HEAD, process,
        )  # fmt: skip

    def checks(self) -> list[Check]:
        """What must be so for this process to do its work."""
        folder, min_free_bytes = self._settings.data_dir, self._settings.min_free_bytes
        dialect = self._dialect
        checks = [
            Check("database", lambda: self.writer.submit(_change_nothing)),
            Check("schema", lambda: self.reader.submit(_check_schema, dialect)),
            Check("disk", lambda: asyncio.to_thread(check_room, folder, min_free_bytes)),
            Check("journal", self._check_journal),
        ]
        if isinstance(self._blobs, S3Blobs) or not self.is_alone:
            checks.append(Check("store", self._check_store, LOOK_AT_STORE_EVERY_S))
        return checks

    async def _check_store(self) -> None:
        """That the store answers, and is still the one that the registry has."""
        if isinstance(self._blobs, S3Blobs):
            await asyncio.to_thread(self._blobs.bucket.check)
        await self.app.read(whereabouts.refuse_moved, self._store)

    async def _check_journal(self) -> None:
        """That the journal may be signed, unless it is others who sign it."""
        notary = self.app.notary
        with suppress(NotFound):  # it begins within a second of the first start
            standing = await self.app.read(checkpoints.standing, notary)
            is_ours = standing.origin.vkey == notary.key(standing.origin.name).vkey
            if standing.objection and (is_ours or self.is_alone):
                raise IntegrityFailure(f"No checkpoint is signed: {standing.objection}.")

    def reserve_buckets(self) -> None:
        """Keeps the buckets that the settings name from being written to as if they were ours."""
        names = self._settings.named_buckets
        if names:
            self.writer.run(buckets.reserve, names)
        for name, count, size_bytes in self.reader.run(buckets.squatted, names):
            _log.warning(
                "s3://%s is a store that the settings name, and before they did %s objects (%s "
                "bytes) were put under that name here. They are not what it means any more: "
                "versions that were registered of them keep those bytes, new ones will not have "
                "them. Read and delete them by the S3 API; nothing can be added.",
                name, count, size_bytes,
            )  # fmt: skip

    def close(self) -> None:
        self._sender.close()
        self.directory.close()
        self._stopping.set()
        self._housekeeper.join()
        self._let_go()

    def _let_go(self) -> None:
        self.writer.close()
        self.reader.close()
        self._blobs.close()
        if self._copier:
            self._copier.close()
        self._lock.close()

    def _keep_house(self, clock: Clock) -> None:
        blobs, parts = self._blobs, self._parts
        chores: list[Callable[[], None]] = []
        if isinstance(blobs, S3Blobs):
            chores.append(_every(SWEEP_STORE_EVERY_S, lambda: blobs.sweep(clock.now_ms())))
            chores.append(_every(SWEEP_STORE_EVERY_S, lambda: parts.sweep(clock.now_ms())))
        else:
            chores.append(lambda: parts.sweep(clock.now_ms()))
        chores.append(_every(SWEEP_EVERY_S, self._sweep))
        while not self._stopping.wait(CHORES_EVERY_S):
            for chore in chores:
                try:
                    chore()
                except Exception:  # noqa: BLE001 - this loop outlives one bad turn
                    _log.warning("a chore failed; the next turn tries again", exc_info=True)

    def _sweep(self) -> None:
        for sweep in (replies.sweep, spending.sweep, object_uploads.sweep):
            while self.writer.run(sweep):
                pass


def _change_nothing(work: Work) -> None:
    """That a batch can begin and be committed."""


def _check_schema(work: Work, dialect: Dialect) -> None:
    assert isinstance(work, SqlWork)
    schema.refuse_earlier(work.db, dialect)


def _every(seconds: float, chore: Callable[[], None]) -> Callable[[], None]:
    """The chore, done only when the last time is so long ago."""
    last_s = time.monotonic()

    def due() -> None:
        nonlocal last_s
        if time.monotonic() - last_s >= seconds:
            last_s = time.monotonic()
            chore()

    return due


def _mailer(settings: Settings) -> Mailer | None:
    server = settings.mail_server
    if server is None:
        return None
    from modelkeep.channels.mail import SmtpMailer  # with the library of e-mail

    return SmtpMailer(server, settings.mail_from)


def _signing_key(settings: Settings) -> bytes:
    """The key that was given, or that of the data directory: made at the first start, and nobody
    else may read it."""
    if settings.signing_key:
        return read_key(settings.signing_key, "signing_key")
    path = settings.data_dir / "signing.key"
    return path.read_bytes() if path.exists() else made_once(path, secrets.token_bytes(32))


def _notary(settings: Settings) -> FileNotary:
    key = KeyFile(settings.journal_key or settings.data_dir / "journal.key", LOG_KIND)
    if settings.journal_key:
        key.public("journal")  # one that was named and is none must not go unseen
    return FileNotary(key, settings.data_dir / "journal.checkpoint")
