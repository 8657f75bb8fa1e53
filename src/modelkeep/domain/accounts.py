"""Accounts: the people and the services that may hold tokens and grants.

A service account has an owner, a person who answers for whatever it does. An account's name is one
in all its spellings (`access.person`), and is never given to another after it was deleted.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from modelkeep.domain.access import (
    ANONYMOUS,
    EVERYTHING,
    NAME_LIMIT,
    Actor,
    Grant,
    Kind,
    Role,
    person,
)
from modelkeep.domain.credentials import TokenKind
from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.events import instant
from modelkeep.domain.likeness import skeleton

LABEL_LIMIT = 200  # characters of what a token is said to be for
TOKENS_LIMIT = 100  # living tokens of one account
REGISTRATION = "sagemaker"  # who asks for an approval that nobody asked for before a vote on it
ACCOUNT_NUMBER = re.compile("[0-9]{12}")
GRANTS_LIMIT = 200  # of one account: each is a condition of every search that it makes
RESET_MS = 24 * 60 * 60 * 1000  # for which an account whose password was reset has no vote
PASSWORD_MIN, PASSWORD_LIMIT = 12, 200  # characters
# Who acts here: the journal has their deeds.
_OURS = ("modelkeep", "system", "bootstrap", REGISTRATION, ANONYMOUS)
_TAKEN = frozenset(map(skeleton, _OURS))


@dataclass(frozen=True, slots=True)
class Account:
    """A user or a service account. `owner_id` is of a service account alone.

    `password_by` is who has set the password, if that was somebody else; `reset_ms` when somebody
    last did so in the place of one that the person had set.
    """

    id: int
    name: str
    kind: Kind
    owner_id: int | None
    disabled: bool
    deleted: bool
    has_password: bool
    created_ms: int
    password_by: str = ""
    reset_ms: int | None = None

    @property
    def has_own_password(self) -> bool:
        return self.has_password and not self.password_by

    @property
    def is_active(self) -> bool:
        return not (self.disabled or self.deleted)


@dataclass(frozen=True, slots=True)
class StoredToken:
    """What is kept of a token. `account_id` is None of a bootstrap token. Times are in ms;
    `used_ms` is when it was last used, to the hour; `lent_by` as in `access.Actor`. Of an access
    key there are the secret, `sealed`, and the number of the account that it speaks for (empty: the
    server's own)."""

    id: str
    account_id: int | None
    kind: TokenKind
    label: str
    digest: str
    created_ms: int
    expires_ms: int
    revoked_ms: int | None = None
    used_ms: int | None = None
    lent_by: str = ""
    sealed: str = field(default="", repr=False)
    account_number: str = ""


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
    if Actor(name).is_anonymous or is_ours(name):
        raise InvalidInput(f"No account can be named '{name}'.")
    return name


@lru_cache(maxsize=1024)  # while names are claims, every call brings one
def is_ours(name: str) -> bool:
    """Whether a reader takes a name for one under which the server itself acts."""
    return skeleton(name) in _TAKEN


def check_number(number: str) -> str:
    """The account number, if it may be one. Raises InvalidInput."""
    if not ACCOUNT_NUMBER.fullmatch(number):
        raise InvalidInput(
            f"An account number has 12 digits, such as 123456789012: got {number[:LABEL_LIMIT]!r}."
        )
    return number


def alike(name: str, accounts: Iterable[Account]) -> str | None:
    """The name of a living account that a reader takes this one for."""
    living = (account.name for account in accounts if not account.deleted)
    return next((known for known in living if skeleton(known) == skeleton(name)), None)


def lender(caller: Actor, people: Iterable[str]) -> str:
    """Who else knows a secret that a caller makes for an account of these people: the caller, if
    they are none of them, or whoever made what the caller came with. Nobody is an empty text."""
    if caller.kind is Kind.SYSTEM:
        return ""
    is_own = person(caller.name) in map(person, people)
    return caller.lent_by if is_own else caller.name


def refuse_word(caller: Actor, account: Account | None, now_ms: int) -> str | None:
    """Why the word of a caller is not taken for their own, in a vote or a review; None if it is."""
    if caller.lent_by:
        return (
            f"{caller.lent_by} made this token of {caller.name}, or the password that it was "
            f"signed in with; only {caller.name} can vote as {caller.name}. Set a password of your "
            "own, and sign in with it."
        )
    reset_ms = account.reset_ms if account else None
    if reset_ms is not None and now_ms < reset_ms + RESET_MS:
        until = instant(reset_ms + RESET_MS)
        return (
            f"The password of {caller.name} was reset by somebody else; votes count from {until}."
        )
    return None


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
