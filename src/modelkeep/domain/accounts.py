"""Accounts: the people and the services that may hold tokens and grants.

A service account has an owner, a person who answers for whatever it does. An account's name is one
in all its spellings (`access.person`), and is never given to another after it was deleted.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from modelkeep.domain.access import ANONYMOUS, EVERYTHING, NAME_LIMIT, Actor, Grant, Kind, Role
from modelkeep.domain.credentials import TokenKind
from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.likeness import skeleton

LABEL_LIMIT = 200  # characters of what a token is said to be for
TOKENS_LIMIT = 100  # living tokens of one account
GRANTS_LIMIT = 200  # of one account: each is a condition of every search that it makes
PASSWORD_MIN, PASSWORD_LIMIT = 12, 200  # characters
_TAKEN = frozenset(map(skeleton, ("modelkeep", "system", "bootstrap", ANONYMOUS)))  # who acts here


@dataclass(frozen=True, slots=True)
class Account:
    """A user or a service account. `owner_id` is of a service account alone."""

    id: int
    name: str
    kind: Kind
    owner_id: int | None
    disabled: bool
    deleted: bool
    has_password: bool
    created_ms: int

    @property
    def is_active(self) -> bool:
        return not (self.disabled or self.deleted)


@dataclass(frozen=True, slots=True)
class StoredToken:
    """What is kept of a token. `account_id` is None of a bootstrap token. Times are in ms;
    `used_ms` is when it was last used, to the hour."""

    id: str
    account_id: int | None
    kind: TokenKind
    label: str
    digest: str
    created_ms: int
    expires_ms: int
    revoked_ms: int | None = None
    used_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Granted:
    """A grant and the account that has it."""

    account_id: int
    grant: Grant


def check_name(name: str) -> str:
    """The name, if an account may have it. Raises InvalidInput."""
    is_plain = name == name.strip() and name.isprintable() and not set(":/") & set(name)
    if not is_plain or len(name) > NAME_LIMIT:
        raise InvalidInput(
            f"An account's name has 1 to {NAME_LIMIT} printable characters, no colon, no slash, "
            "and no space around it."
        )
    if Actor(name).is_anonymous or skeleton(name) in _TAKEN:
        raise InvalidInput(f"No account can be named '{name}'.")
    return name


def alike(name: str, accounts: Iterable[Account]) -> str | None:
    """The name of a living account that a reader takes this one for."""
    living = (account.name for account in accounts if not account.deleted)
    return next((known for known in living if skeleton(known) == skeleton(name)), None)


def check_password(password: str) -> str:
    """The password, if it may be one. Raises InvalidInput, which never repeats it."""
    if not PASSWORD_MIN <= len(password) <= PASSWORD_LIMIT:
        raise InvalidInput(f"A password has {PASSWORD_MIN} to {PASSWORD_LIMIT} characters.")
    return password


def admins(accounts: Iterable[Account], granted: Iterable[Granted]) -> set[int]:
    """The ids of the users who may administer everything. A service account is none of them."""
    people = {a.id for a in accounts if a.is_active and a.kind is Kind.USER}
    of_all = {g.account_id for g in granted if g.grant == Grant(Role.ADMIN, EVERYTHING)}
    return people & of_all
