"""Who has which token, in memory: no call waits for the database to say who makes it.

A snapshot of accounts, tokens and grants is swapped for a newer one as a whole: at once after a
change that this process made, and, where others may share the database, within `POLL_S` of theirs.
So a token that was revoked anywhere is refused everywhere within a second.

Access keys are found by their ids, with their secrets, which the vault has opened. One whose secret
cannot be opened, or is not the one that was made, is no key.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from modelkeep.domain.access import Access, Actor, Grant, Kind, Reach, person
from modelkeep.domain.accounts import Account, StoredToken
from modelkeep.domain.credentials import Token, TokenKind, presented
from modelkeep.domain.errors import IntegrityFailure, Unauthenticated
from modelkeep.ports.clock import Clock
from modelkeep.ports.webhooks import Vault
from modelkeep.ports.work import Work

POLL_S = 0.3
USES_EVERY_S = 60.0
HOUR_MS = 60 * 60 * 1000

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a token is of, and what they may do. `account` is None of a bootstrap token."""

    actor: Actor
    access: Access
    token: StoredToken
    account: Account | None


@dataclass(frozen=True, slots=True)
class Key:
    """An access key: whose it is, and what it signs with."""

    identity: Identity
    secret: str = field(repr=False)

    @property
    def account_number(self) -> str:
        """Of the account that it speaks for; empty for the server's own."""
        return self.identity.token.account_number


@dataclass(frozen=True, slots=True)
class Snapshot:
    """`by_token` has the access keys, too."""

    revision: int = -1
    by_token: dict[str, Identity] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict, repr=False)  # by the access key's id


class Blocking(Protocol):
    """Runs a use case in the calling thread, or waits for it."""

    def run(self, use_case: Callable[..., Any], *args: Any, **kwargs: Any) -> Any: ...


class Directory:
    """Finds the identity behind an `Authorization` header, or behind the id of an access key."""

    def __init__(self, reader: Blocking, writer: Blocking, clock: Clock, vault: Vault) -> None:
        self._reader, self._writer, self._clock, self._vault = reader, writer, clock, vault
        self._snapshot = Snapshot()
        self._loading = threading.Lock()
        self._used: dict[str, int] = {}
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, *, is_alone: bool) -> None:
        """Loads the accounts, and keeps up with other processes if there may be any."""
        self.reload()
        every_s = USES_EVERY_S if is_alone else POLL_S
        self._thread = threading.Thread(
            target=self._keep_up, args=(every_s,), name="directory", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        self._stopping.set()
        if self._thread:
            self._thread.join()

    def identify(self, header: bytes, *, is_local: bool) -> Identity:
        """Whose token the header carries. Raises Unauthenticated.

        `is_local`: the call comes from this machine, as one with a bootstrap token must.
        """
        name, token = presented(header)
        found = self._snapshot.by_token.get(token.id)
        now_ms = self._clock.now_ms()
        if (
            found is None
            or not token.is_of(found.token.digest)
            or found.token.kind is not token.kind
            or found.token.expires_ms <= now_ms
        ):
            raise Unauthenticated("This token is not known here, or has expired or been revoked.")
        if name and person(name) != person(found.actor.name):
            raise Unauthenticated("This token is not that user's; leave the user name empty.")
        if found.account is None and not is_local:
            raise Unauthenticated("A bootstrap token works from the server's own machine alone.")
        self.mark_used(found)
        return found

    def key(self, key_id: str) -> Key:
        """The access key of an id: nobody is known by it before something that it signed was
        verified, and none is used (`mark_used`). Raises Unauthenticated."""
        snapshot = self._snapshot
        found, secret = snapshot.by_token.get(key_id), snapshot.secrets.get(key_id)
        if found is None or secret is None or found.token.expires_ms <= self._clock.now_ms():
            raise Unauthenticated("The security token included in the request is invalid.")
        return Key(found, secret)

    def reload(self) -> None:
        """Takes up what the database says now."""
        with self._loading:
            revision, by_token = self._reader.run(_load)
            keys = [i.token for i in by_token.values() if i.token.kind is TokenKind.ACCESS]
            known = self._snapshot.secrets
            secrets = {key.id: known.get(key.id) or self._opened(key) for key in keys}
            self._snapshot = Snapshot(
                revision, by_token, {key_id: found for key_id, found in secrets.items() if found}
            )

    def _opened(self, key: StoredToken) -> str:
        """The secret of an access key; empty if it is not to be had."""
        try:
            secret = self._vault.open(key.sealed, key.id)
        except IntegrityFailure as error:
            _log.warning("access key %s is no good: %s", key.id, error)
            return ""
        if not Token(key.kind, key.id, secret).is_of(key.digest):
            _log.warning("access key %s is no good: its secret was exchanged", key.id)
            return ""
        return secret

    def mark_used(self, identity: Identity) -> None:
        """To the hour."""
        token, now_ms = identity.token, self._clock.now_ms()
        if now_ms - (self._used.get(token.id) or token.used_ms or 0) >= HOUR_MS:
            self._used[token.id] = now_ms - now_ms % HOUR_MS

    def _keep_up(self, every_s: float) -> None:
        waited_s = 0.0
        while not self._stopping.wait(every_s):
            waited_s += every_s
            try:
                if self._reader.run(_revision) != self._snapshot.revision:
                    self.reload()
                if waited_s >= USES_EVERY_S:
                    waited_s = 0.0
                    self._note_use()
            except Exception:  # noqa: BLE001 - this loop outlives one bad turn
                _log.warning("accounts could not be looked at; the next turn tries", exc_info=True)

    def _note_use(self) -> None:
        used, self._used = self._used, {}
        if used:
            self._writer.run(_note, used)
            self.reload()


def _revision(work: Work) -> int:
    return work.accounts.revision()


def _note(work: Work, used: dict[str, int]) -> None:
    work.accounts.note_use(used)


def _load(work: Work) -> tuple[int, dict[str, Identity]]:
    accounts = {account.id: account for account in work.accounts.all()}
    granted = work.accounts.granted()
    deciding = frozenset(g.grant.scope.key for g in granted if g.grant.scope.reach is Reach.TAG)
    grants: dict[int, list[Grant]] = {}
    for one in granted:
        grants.setdefault(one.account_id, []).append(one.grant)
    by_token: dict[str, Identity] = {}
    for token in work.accounts.tokens():
        if token.kind is TokenKind.BOOTSTRAP:
            actor = Actor("bootstrap", verified=True, kind=Kind.SYSTEM)
            by_token[token.id] = Identity(actor, Access(), token, None)
            continue
        account = accounts.get(token.account_id or 0)
        owner = accounts.get(account.owner_id or 0) if account else None
        if account is None or not account.is_active or (owner and not owner.is_active):
            continue
        on_behalf_of = owner.name if owner else ""
        actor = Actor(account.name, True, account.kind, on_behalf_of, token.lent_by)
        access = Access(tuple(grants.get(account.id, ())), deciding)
        by_token[token.id] = Identity(actor, access, token, account)
    return work.accounts.revision(), by_token
