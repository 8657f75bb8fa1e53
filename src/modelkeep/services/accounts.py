"""Accounts, tokens and grants: making them, changing them, and taking them away.

Whoever calls was found by the edge to be allowed to. What is kept here:

* A secret never comes here: tokens come as their digests, passwords as their hashes.
* To disable or delete an account, or to change its password, ends its sessions; the first two
  revoke all its tokens.
* Somebody must remain who may administer everything. If nobody does, an operator of the machine
  lets one in (`recover`).
* A token or password that somebody else than its owner made lends them the owner's name: it cannot
  vote, and whoever made it had a hand in what is done with it.
* Who has a service account's token answers as the account; its owner answers for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from modelkeep.domain import names
from modelkeep.domain.access import EVERYTHING, Actor, Caller, Grant, Kind, Role, Verb, person
from modelkeep.domain.accounts import (
    GRANTS_LIMIT,
    LABEL_LIMIT,
    TOKENS_LIMIT,
    Account,
    Granted,
    StoredToken,
    admins,
    alike,
    check_name,
    check_number,
    lender,
)
from modelkeep.domain.accounts import refuse_word as word_refused
from modelkeep.domain.credentials import (
    BOOTSTRAP_MS,
    KEY_PREFIX,
    SESSION_MS,
    Token,
    TokenKind,
)
from modelkeep.domain.errors import (
    AlreadyExists,
    Conflict,
    Forbidden,
    InvalidInput,
    LimitExceeded,
    NotFound,
)
from modelkeep.domain.events import Event
from modelkeep.ports.work import Work

SYSTEM = Caller(Actor("system", verified=True, kind=Kind.SYSTEM))


@dataclass(frozen=True, slots=True)
class Listed:
    """An account with what it was granted; `owner` is a service account's."""

    account: Account
    grants: list[Grant]
    owner: str = ""


# -- accounts ----------------------------------------------------------------------------------


def add_user(work: Work, caller: Caller, name: str, hashed: str | None) -> Account:
    """Raises InvalidInput, AlreadyExists. `hashed` is its password's hash."""
    by = lender(caller.actor, [name]) if hashed is not None else ""
    account_id = _add(work, caller, name, Kind.USER, None, by, has_password=hashed is not None)
    if hashed is not None:
        work.accounts.set_password(account_id, hashed, by)
    return _get(work, account_id)


def add_service(work: Work, caller: Caller, name: str, owner: str) -> Account:
    """Raises InvalidInput, AlreadyExists, NotFound for an owner who isn't there."""
    answering = named(work, owner)
    if answering.kind is not Kind.USER:
        raise InvalidInput(f"{owner} is a service account; its owner must be a person.")
    return _get(work, _add(work, caller, name, Kind.SERVICE, answering.id))


def _add(
    work: Work,
    caller: Caller,
    name: str,
    kind: Kind,
    owner_id: int | None,
    lent_by: str = "",
    *,
    has_password: bool = False,
) -> int:
    check_name(name)
    if work.accounts.is_taken(name):
        raise AlreadyExists(f"There is, or was, an account called {name}.")
    if double := alike(name, work.accounts.all()):
        raise AlreadyExists(f"'{name}' reads like the account {double}; choose another name.")
    leaf = work.journal.next_index()
    account_id = work.accounts.add(name, kind, owner_id, work.now_ms, leaf)
    after = {"kind": kind.value, "owner": owner_id, "password": has_password}
    texts = {"name": name} | _lent(lent_by)
    _record(work, caller, "account:created", account_id, after, texts)
    return account_id


def named(work: Work, name: str) -> Account:
    """A living account. Raises NotFound."""
    account = work.accounts.named(name)
    if account is None:
        raise NotFound(f"There is no account {name}.")
    return account


def listing(work: Work, kind: Kind | None = None) -> list[Listed]:
    """The living accounts, by id."""
    accounts = work.accounts.all()
    names_by_id = {account.id: account.name for account in accounts}
    granted = work.accounts.granted()
    return [
        Listed(a, _of(granted, a), names_by_id.get(a.owner_id or 0, ""))
        for a in accounts
        if not a.deleted and kind in (None, a.kind)
    ]


def disable(work: Work, caller: Caller, name: str) -> None:
    """Harmless to do twice. Raises NotFound, Conflict for the last administrator."""
    account = named(work, name)
    if account.disabled:
        return
    _keep_an_admin(work, account)
    work.accounts.disable(account.id, work.now_ms)
    revoked = _revoke_all(work, account)
    after = {"disabled": True, "revoked": revoked}
    _record(work, caller, "account:disabled", account.id, after)


def enable(work: Work, caller: Caller, name: str) -> None:
    """Its tokens stay revoked. Harmless to do twice. Raises NotFound."""
    account = named(work, name)
    if account.disabled:
        work.accounts.disable(account.id, None)
        _record(work, caller, "account:enabled", account.id, {"disabled": False})


def delete(work: Work, caller: Caller, name: str) -> None:
    """Deletes an account and erases its name from the accounts; what it did stays recorded.

    Raises NotFound; Conflict for the last administrator, or one who answers for service accounts.
    """
    account = named(work, name)
    _keep_an_admin(work, account)
    owned = work.accounts.owned(account.id)
    if owned:
        listed = ", ".join(service.name for service in owned)
        raise Conflict(f"{name} answers for {listed}; delete those first.")
    revoked = _revoke_all(work, account)
    work.journal.erase(work.accounts.erase(account.id, work.now_ms), "name")
    after = {"deleted": True, "revoked": revoked, "password": False}
    _record(work, caller, "account:deleted", account.id, after)


def set_password(work: Work, caller: Caller, name: str, hashed: str) -> None:
    """Ends the account's sessions. Raises NotFound; InvalidInput for a service account.

    Whose own it is has shown the one before, and from then on nobody else knows it.
    """
    account = named(work, name)
    if account.kind is not Kind.USER:
        raise InvalidInput(f"{name} is a service account; it has tokens, and no password.")
    is_own = person(caller.actor.name) == person(account.name)
    by = "" if is_own else lender(caller.actor, [account.name])
    is_reset = bool(by) and account.has_own_password
    work.accounts.set_password(account.id, hashed, by, work.now_ms if is_reset else None)
    sessions = [t.id for t in work.accounts.tokens(account.id) if t.kind is TokenKind.SESSION]
    work.accounts.revoke(sessions, work.now_ms)
    after = {"password": True, "revoked": sessions} | ({"reset": True} if is_reset else {})
    _record(work, caller, "account:password:set", account.id, after, _lent(by))


def password_of(work: Work, name: str) -> str | None:
    """The hash of the password by which somebody may sign in; None if nobody may by this name."""
    account = work.accounts.named(name)
    if account is None or not account.is_active:
        return None
    return work.accounts.password(account.id)


def refuse_word(work: Work, caller: Caller) -> str | None:
    """As `domain.accounts.refuse_word`."""
    account = work.accounts.named(caller.actor.name) if caller.actor.verified else None
    return word_refused(caller.actor, account, work.now_ms)


# -- tokens ------------------------------------------------------------------------------------


def add_token(
    work: Work,
    caller: Caller,
    name: str,
    token: Token,
    label: str,
    lifetime_ms: int,
    sealed: str = "",
    account_number: str = "",
) -> StoredToken:
    """Keeps a new token of an account, or an access key with its secret as it was `sealed`.

    Raises NotFound, InvalidInput, LimitExceeded; Forbidden for a key of another account's number
    that nobody who administers has made them one of.
    """
    if account_number:
        check_number(account_number)
    names.check_text(label, "label", LABEL_LIMIT)
    account = named(work, name)
    if not account.is_active:
        raise Conflict(f"{name} is disabled.")
    living = [t for t in work.accounts.tokens(account.id) if t.expires_ms > work.now_ms]
    if len(living) >= TOKENS_LIMIT:
        raise LimitExceeded(f"{name} has {TOKENS_LIMIT} tokens already; revoke some.")
    is_known = account_number in ("", *(token.account_number for token in living))
    if not (is_known or caller.access.may(Verb.ADMIN)):
        raise Forbidden(
            f"Permission denied. The first key of account {account_number} is made by an "
            "administrator; with it, you make your own."
        )
    owner = work.accounts.get(account.owner_id) if account.owner_id else None
    by = lender(caller.actor, [owner.name if owner else account.name])
    return _keep_token(
        work, caller, token, account.id, label, lifetime_ms, by, sealed, account_number
    )


def sign_in(work: Work, name: str, hashed: str, token: Token) -> StoredToken:
    """Keeps a session's token. Raises Forbidden if the password has changed since it was read."""
    account = work.accounts.named(name)
    if account is None or not account.is_active or work.accounts.password(account.id) != hashed:
        raise Forbidden("The account has changed meanwhile; sign in again.")
    caller = Caller(Actor(account.name, verified=True, kind=Kind.USER))
    return _keep_token(work, caller, token, account.id, "", SESSION_MS, account.password_by)


def tokens(work: Work, name: str) -> list[StoredToken]:
    """An account's tokens, newest first, but for those revoked or expired. Raises NotFound."""
    return [token for token in _living(work, name) if token.kind is not TokenKind.ACCESS]


def keys(work: Work, name: str) -> list[StoredToken]:
    """As `tokens`: an account's access keys."""
    return [token for token in _living(work, name) if token.kind is TokenKind.ACCESS]


def _living(work: Work, name: str) -> list[StoredToken]:
    found = work.accounts.tokens(named(work, name).id)
    return [token for token in found if token.expires_ms > work.now_ms]


def revoke(work: Work, caller: Caller, name: str, token_id: str) -> None:
    """Revokes a token, or an access key, of an account. Harmless to do twice. Raises NotFound."""
    token = work.accounts.token(token_id)
    if token is None or token.account_id != named(work, name).id:
        what = "key" if token_id.startswith(KEY_PREFIX) else "token"
        raise NotFound(f"{name} has no {what} {token_id}.")
    if token.revoked_ms is None:
        work.accounts.revoke([token_id], work.now_ms)
        _record_revoked(work, caller, [token_id])


def _keep_token(
    work: Work,
    caller: Caller,
    token: Token,
    account_id: int | None,
    label: str,
    lifetime_ms: int,
    lent_by: str = "",
    sealed: str = "",
    account_number: str = "",
) -> StoredToken:
    now_ms, until_ms = work.now_ms, work.now_ms + lifetime_ms
    kept = StoredToken(
        token.id, account_id, token.kind, label, token.digest, now_ms, until_ms, lent_by=lent_by,
        sealed=sealed, account_number=account_number,
    )  # fmt: skip
    work.accounts.add_token(kept)
    event = Event(
        "token:created",
        object={"token": kept.id},
        after={
            "account": account_id,
            "kind": kept.kind.value,
            "digest": kept.digest,
            "expires_ms": kept.expires_ms,
            **({"account_number": account_number} if account_number else {}),
        },
        texts=({"label": label} if label else {}) | _lent(lent_by),
    )
    work.record(caller, event)
    return kept


def _lent(by: str) -> dict[str, str]:
    """A text of an event that says who else knows a secret."""
    return {"lent_by": by} if by else {}


def _revoke_all(work: Work, account: Account) -> list[str]:
    ids = [token.id for token in work.accounts.tokens(account.id)]
    work.accounts.revoke(ids, work.now_ms)
    return ids


def _record_revoked(work: Work, caller: Caller, ids: Sequence[str]) -> None:
    work.record(caller, Event("token:revoked", object={}, after={"revoked": list(ids)}))


# -- grants ------------------------------------------------------------------------------------


def add_grant(work: Work, caller: Caller, name: str, grant: Grant) -> None:
    """Harmless to do twice. Raises NotFound, LimitExceeded; InvalidInput for what no service is."""
    account = named(work, name)
    if account.kind is Kind.SERVICE and grant.role is Role.REVIEWER:
        raise InvalidInput(f"{name} is a service account; only people review.")
    if len(_of(work.accounts.granted(), account)) >= GRANTS_LIMIT:
        raise LimitExceeded(
            f"{name} has {GRANTS_LIMIT} grants already; grant on a prefix or a tag."
        )
    if work.accounts.add_grant(account.id, grant, work.now_ms):
        _record_grant(work, caller, "grant:added", account.id, grant)


def remove_grant(work: Work, caller: Caller, name: str, grant: Grant) -> None:
    """Raises NotFound, also where there is no such grant; Conflict for the last administrator."""
    account = named(work, name)
    if grant == Grant(Role.ADMIN, EVERYTHING):
        _keep_an_admin(work, account)
    if not work.accounts.remove_grant(account.id, grant):
        raise NotFound(f"{name} is no {grant.role} on {grant.scope}.")
    _record_grant(work, caller, "grant:removed", account.id, grant)


def _record_grant(work: Work, caller: Caller, action: str, account_id: int, grant: Grant) -> None:
    facts = {"role": grant.role.value, "scope": str(grant.scope)}
    _record(work, caller, action, account_id, facts)


# -- the first administrator -------------------------------------------------------------------


def has_admin(work: Work) -> bool:
    return bool(admins(work.accounts.all(), work.accounts.granted()))


def recover(work: Work, token: Token) -> None:
    """Keeps a bootstrap token, with which one administrator can be made."""
    _keep_token(work, SYSTEM, token, None, "", BOOTSTRAP_MS)


def begin(work: Work, caller: Caller, token_id: str, name: str, hashed: str) -> Account:
    """Makes an administrator, and spends the bootstrap token that allowed it, with all others.

    Raises Forbidden if that token was spent, or has expired, meanwhile.
    """
    token = work.accounts.token(token_id)
    if (
        token is None
        or token.kind is not TokenKind.BOOTSTRAP
        or token.revoked_ms is not None
        or token.expires_ms <= work.now_ms
    ):
        raise Forbidden("This takes a bootstrap token that was not used yet.")
    account = add_user(work, caller, name, hashed)
    add_grant(work, caller, name, Grant(Role.ADMIN))
    spent = [t.id for t in work.accounts.tokens() if t.kind is TokenKind.BOOTSTRAP]
    work.accounts.revoke(spent, work.now_ms)
    _record_revoked(work, caller, spent)
    return account


# -- within ------------------------------------------------------------------------------------


def _get(work: Work, account_id: int) -> Account:
    account = work.accounts.get(account_id)
    assert account is not None
    return account


def _of(granted: Sequence[Granted], account: Account) -> list[Grant]:
    return [g.grant for g in granted if g.account_id == account.id]


def _keep_an_admin(work: Work, account: Account) -> None:
    if admins(work.accounts.all(), work.accounts.granted()) == {account.id}:
        raise Conflict(f"{account.name} is the last administrator; make another one first.")


def _record(
    work: Work,
    caller: Caller,
    action: str,
    account_id: int,
    after: dict[str, Any],
    texts: dict[str, str] | None = None,
) -> None:
    event = Event(action, object={"account": account_id}, after=after, texts=texts or {})
    work.record(caller, event)
