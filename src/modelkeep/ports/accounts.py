"""Rows of accounts, tokens and grants; and what checks a password."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from modelkeep.domain.access import Grant, Kind
from modelkeep.domain.accounts import Account, Granted, StoredToken


class Accounts(Protocol):
    """Every change raises the revision, so that other processes see that there was one."""

    def revision(self) -> int: ...
    def add(self, name: str, kind: Kind, owner_id: int | None, at_ms: int, leaf: int) -> int:
        """The new account's id; `leaf` is the entry of the journal that will name it."""
        ...

    def is_taken(self, name: str) -> bool:
        """Whether an account has, or had, this name in any spelling."""
        ...

    def get(self, account_id: int) -> Account | None: ...
    def named(self, name: str) -> Account | None:
        """A living account, by any spelling of its name."""
        ...

    def all(self) -> list[Account]:
        """Deleted ones too, by id."""
        ...

    def owned(self, owner_id: int) -> list[Account]:
        """The living service accounts that a person answers for."""
        ...

    def owners_of(self, names: Collection[str]) -> list[str]:
        """Who answers for those of the names that are of service accounts."""
        ...

    def disable(self, account_id: int, at_ms: int | None) -> None:
        """Since when; None enables it again."""
        ...

    def erase(self, account_id: int, at_ms: int) -> int:
        """Deletes an account: its name, password and grants go. The leaf that named it."""
        ...

    def password(self, account_id: int) -> str | None:
        """The hash of its password."""
        ...

    def set_password(
        self, account_id: int, hashed: str, by: str = "", reset_ms: int | None = None
    ) -> None:
        """`by` as in `Account.password_by`; `reset_ms` stays as it is without one."""
        ...

    def add_token(self, token: StoredToken) -> None: ...
    def token(self, token_id: str) -> StoredToken | None: ...
    def tokens(self, account_id: int | None = None) -> list[StoredToken]:
        """Those of an account or, without one, all; newest first, revoked ones left out."""
        ...

    def revoke(self, token_ids: Sequence[str], at_ms: int) -> None: ...
    def note_use(self, used: Mapping[str, int]) -> None:
        """When each token was last used. No change of the accounts."""
        ...

    def granted(self) -> list[Granted]: ...
    def add_grant(self, account_id: int, grant: Grant, at_ms: int) -> bool:
        """False if the account had it already."""
        ...

    def remove_grant(self, account_id: int, grant: Grant) -> bool:
        """False if the account had no such grant."""
        ...


class Passwords(Protocol):
    """Hashes passwords, slowly. Both calls block for a tenth of a second, and take memory."""

    def hash(self, password: str) -> str: ...
    def is_right(self, hashed: str | None, password: str) -> bool:
        """As slow, and False, without a hash."""
        ...
