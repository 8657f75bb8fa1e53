"""Accounts, tokens, grants, and the revision by which other processes see that they changed."""

import hashlib
from collections.abc import Collection, Mapping, Sequence

from modelkeep.domain.access import Grant, Kind, Role, person, scope_of
from modelkeep.domain.accounts import Account, Granted, StoredToken
from modelkeep.domain.credentials import TokenKind
from modelkeep.storage.sql.connection import Db, Row
from modelkeep.storage.sql.search import any_of

_ACCOUNT = (
    "SELECT id, name, kind, owner_id, disabled_ms IS NOT NULL, deleted_ms IS NOT NULL,"
    " password IS NOT NULL, created_ms, password_by, reset_ms FROM accounts WHERE project_id = ?"
)
_TOKEN_COLUMNS = (
    "token_id, account_id, kind, label, digest, created_ms, expires_ms, revoked_ms, used_ms,"
    " lent_by, sealed, account_number"
)


class SqlAccounts:
    """See `ports.accounts.Accounts`."""

    def __init__(self, db: Db, project_id: int) -> None:
        self._db, self._project_id = db, project_id

    def revision(self) -> int:
        row = self._db.one(
            "SELECT revision FROM accounts_state WHERE project_id = ?", self._project_id
        )
        assert row is not None
        return row[0]

    # -- accounts --------------------------------------------------------------------------

    def add(self, name: str, kind: Kind, owner_id: int | None, at_ms: int, leaf: int) -> int:
        row = self._db.one(
            "INSERT INTO accounts (project_id, person, name, kind, owner_id, leaf, created_ms)"
            " VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id",
            self._project_id,
            person(name),
            name,
            kind.value,
            owner_id,
            leaf,
            at_ms,
        )
        assert row is not None
        self._changed()
        return row[0]

    def is_taken(self, name: str) -> bool:
        row = self._db.one(
            "SELECT 1 FROM accounts WHERE project_id = ? AND person IN (?, ?)",
            self._project_id,
            person(name),
            _tombstone(person(name)),
        )
        return row is not None

    def get(self, account_id: int) -> Account | None:
        row = self._db.one(f"{_ACCOUNT} AND id = ?", self._project_id, account_id)
        return _account(row) if row else None

    def named(self, name: str) -> Account | None:
        row = self._db.one(f"{_ACCOUNT} AND person = ?", self._project_id, person(name))
        return _account(row) if row else None

    def all(self) -> list[Account]:
        return [_account(row) for row in self._db.all(f"{_ACCOUNT} ORDER BY id", self._project_id)]

    def owned(self, owner_id: int) -> list[Account]:
        rows = self._db.all(
            f"{_ACCOUNT} AND owner_id = ? AND deleted_ms IS NULL ORDER BY id",
            self._project_id,
            owner_id,
        )
        return [_account(row) for row in rows]

    def owners_of(self, names: Collection[str]) -> list[str]:
        some = any_of("a.person", sorted(map(person, names)))
        rows = self._db.all(
            "SELECT DISTINCT o.name FROM accounts a JOIN accounts o ON o.id = a.owner_id"
            f" WHERE a.project_id = ? AND {some.sql}",
            self._project_id,
            *some.params,
        )
        return [row[0] for row in rows]

    def disable(self, account_id: int, at_ms: int | None) -> None:
        self._db.later("UPDATE accounts SET disabled_ms = ? WHERE id = ?", at_ms, account_id)
        self._changed()

    def erase(self, account_id: int, at_ms: int) -> int:
        account = self.get(account_id)
        assert account is not None
        row = self._db.one(
            "UPDATE accounts SET person = ?, name = ?, password = NULL, password_by = '',"
            " deleted_ms = ? WHERE id = ? RETURNING leaf",
            _tombstone(person(account.name)),
            f"deleted-{account_id}",
            at_ms,
            account_id,
        )
        assert row is not None
        self._db.later("DELETE FROM role_grants WHERE account_id = ?", account_id)
        self._changed()
        return row[0]

    def password(self, account_id: int) -> str | None:
        row = self._db.one("SELECT password FROM accounts WHERE id = ?", account_id)
        return row[0] if row else None

    def set_password(
        self, account_id: int, hashed: str, by: str = "", reset_ms: int | None = None
    ) -> None:
        self._db.later(
            "UPDATE accounts SET password = ?, password_by = ?,"
            " reset_ms = coalesce(?, reset_ms) WHERE id = ?",
            hashed,
            by,
            reset_ms,
            account_id,
        )
        self._changed()

    # -- tokens ----------------------------------------------------------------------------

    def add_token(self, token: StoredToken) -> None:
        self._db.later(
            "INSERT INTO tokens (project_id, token_id, account_id, kind, label, digest,"
            " created_ms, expires_ms, lent_by, sealed, account_number)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            self._project_id,
            token.id,
            token.account_id,
            token.kind.value,
            token.label,
            token.digest,
            token.created_ms,
            token.expires_ms,
            token.lent_by,
            token.sealed,
            token.account_number,
        )
        self._changed()

    def token(self, token_id: str) -> StoredToken | None:
        row = self._db.one(
            f"SELECT {_TOKEN_COLUMNS} FROM tokens WHERE project_id = ? AND token_id = ?",
            self._project_id,
            token_id,
        )
        return _token(row) if row else None

    def tokens(self, account_id: int | None = None) -> list[StoredToken]:
        of_one = "" if account_id is None else " AND account_id = ?"
        rows = self._db.all(
            f"SELECT {_TOKEN_COLUMNS} FROM tokens WHERE project_id = ? AND revoked_ms IS NULL"
            f"{of_one} ORDER BY id DESC",
            self._project_id,
            *(() if account_id is None else (account_id,)),
        )
        return [_token(row) for row in rows]

    def revoke(self, token_ids: Sequence[str], at_ms: int) -> None:
        self._db.many(
            "UPDATE tokens SET revoked_ms = ? WHERE project_id = ? AND token_id = ?",
            [(at_ms, self._project_id, token_id) for token_id in token_ids],
        )
        self._changed()

    def note_use(self, used: Mapping[str, int]) -> None:
        self._db.many(
            "UPDATE tokens SET used_ms = ? WHERE project_id = ? AND token_id = ?",
            [(at_ms, self._project_id, token_id) for token_id, at_ms in used.items()],
        )

    # -- grants ----------------------------------------------------------------------------

    def granted(self) -> list[Granted]:
        rows = self._db.all(
            "SELECT account_id, role, scope FROM role_grants WHERE project_id = ? ORDER BY id",
            self._project_id,
        )
        return [Granted(row[0], Grant(Role(row[1]), scope_of(row[2]))) for row in rows]

    def add_grant(self, account_id: int, grant: Grant, at_ms: int) -> bool:
        added = self._db.run(
            "INSERT INTO role_grants (project_id, account_id, role, scope, created_ms)"
            " VALUES (?, ?, ?, ?, ?) ON CONFLICT (project_id, account_id, role, scope) DO NOTHING",
            self._project_id,
            account_id,
            grant.role.value,
            str(grant.scope),
            at_ms,
        )
        self._changed()
        return added > 0

    def remove_grant(self, account_id: int, grant: Grant) -> bool:
        removed = self._db.run(
            "DELETE FROM role_grants WHERE project_id = ? AND account_id = ? AND role = ?"
            " AND scope = ?",
            self._project_id,
            account_id,
            grant.role.value,
            str(grant.scope),
        )
        self._changed()
        return removed > 0

    def _changed(self) -> None:
        self._db.later(
            "UPDATE accounts_state SET revision = revision + 1 WHERE project_id = ?",
            self._project_id,
        )


def _tombstone(folded: str) -> str:
    """What stands for a deleted account's name: enough to know it again, too little to read it."""
    return f"deleted:{hashlib.sha256(folded.encode()).hexdigest()}"


def _account(row: Row) -> Account:
    id_, name, kind, owner_id, disabled, deleted, has_password, *rest = row
    return Account(
        id_,
        name,
        Kind(kind),
        owner_id,
        bool(disabled),
        bool(deleted),
        bool(has_password),
        *rest,
    )


def _token(row: Row) -> StoredToken:
    token_id, account_id, kind, *rest = row
    return StoredToken(token_id, account_id, TokenKind(kind), *rest)
