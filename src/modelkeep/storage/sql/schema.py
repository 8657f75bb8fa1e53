"""Whether the tables are as this release needs them, and bringing them there if not."""

import time
from contextlib import closing

from modelkeep.domain.errors import Unavailable
from modelkeep.storage.sql.connection import Db
from modelkeep.storage.sql.dialects import Dialect
from modelkeep.storage.sql.migrations import steps

LOCK_WAIT_S = 2  # for a table; who asks for it meanwhile waits as well
LOCK_PAUSE_S = 1.0
LOCK_TRIES = 20

HEAD = "0036"  # the newest step in migrations/versions; a test holds the two together


def current(db: Db, dialect: Dialect) -> str:
    """The schema's revision, or an empty string when there are no tables yet."""
    catalogue = (
        "SELECT 1 FROM sqlite_master WHERE name = ?"
        if dialect.name == "sqlite"
        else "SELECT 1 FROM pg_catalog.pg_tables WHERE tablename = ?"
    )
    if db.one(catalogue, "alembic_version") is None:
        return ""
    row = db.one("SELECT version_num FROM alembic_version")
    return row[0] if row else ""


def ensure(dialect: Dialect, now_ms: int = 0) -> str:
    """Upgrades the tables to `HEAD` when they are behind; costs one query when they are not.
    Returns what they were at, which is empty when there were none.

    `now_ms` is when a new database's first experiment was made. Raises Unavailable when the
    tables are from a later release than this one.
    """
    db = dialect.connect(read_only=False)
    try:
        found = current(db, dialect)
    finally:
        db.close()
    if found == HEAD:
        return found
    refuse_later(found)
    upgrade(dialect, HEAD, now_ms)
    return found


def require_head(db: Db, dialect: Dialect) -> None:
    """Raises Unavailable unless the tables are as this release needs them."""
    found = current(db, dialect)
    refuse_later(found)
    if found != HEAD:
        raise Unavailable(
            f"The database is at schema {found or 'none'}, and this release needs {HEAD}: start "
            "its server once, which brings it there."
        )


def refuse_earlier(db: Db, dialect: Dialect) -> None:
    """Raises Unavailable for a schema of an earlier release; a later one only has more."""
    found = current(db, dialect)
    if found < HEAD:
        raise Unavailable(
            f"The database is at schema {found or 'none'}, and this process needs {HEAD}."
        )


def refuse_later(found: str) -> None:
    """Raises Unavailable for a schema of a later release."""
    if found > HEAD:
        raise Unavailable(
            f"The database is at schema {found}, newer than this release's {HEAD}. "
            "Start the newer release."
        )


def upgrade(dialect: Dialect, revision: str, now_ms: int = 0) -> None:
    """Runs the steps that lead to a revision, all or none of them; `now_ms` as for `ensure`.

    Raises Unavailable where other transactions hold the tables for too long.
    """
    with closing(dialect.connect_upgrading()) as db:
        for left in reversed(range(LOCK_TRIES)):
            try:
                _take_steps(db, dialect, revision, now_ms)
            except Unavailable as error:
                if not dialect.is_held(error):
                    raise
                if not left:
                    raise Unavailable(
                        "The tables could not be changed: other transactions hold them. Nothing "
                        "was done; try again when they are over."
                    ) from None
                # Behind a change that waits, all others wait too: make way for a while.
                time.sleep(LOCK_PAUSE_S)
            else:
                return


def _take_steps(db: Db, dialect: Dialect, revision: str, now_ms: int) -> None:
    """In one transaction, which one replica has at a time."""
    dialect.begin_upgrade(db, LOCK_WAIT_S)
    try:
        found = current(db, dialect)
        for step in steps.between(found, revision):
            step.upgrade(db, dialect.words)
        _note(db, found, max(found, revision))
        if not found and now_ms:
            _date(db, now_ms)
        db.run("COMMIT")
    except BaseException:
        if dialect.is_usable(db):
            db.run("ROLLBACK")
        raise


def _date(db: Db, now_ms: int) -> None:
    """The first experiment is as old as its database."""
    db.run(
        "UPDATE experiments SET created_ms = ?, updated_ms = ?"
        " WHERE project_id = 1 AND id = 0 AND created_ms = 0",
        now_ms,
        now_ms,
    )


def _note(db: Db, found: str, revision: str) -> None:
    if not found:
        db.run("CREATE TABLE IF NOT EXISTS alembic_version (version_num VARCHAR(32) PRIMARY KEY)")
        db.run("INSERT INTO alembic_version (version_num) VALUES (?)", revision)
    else:
        db.run("UPDATE alembic_version SET version_num = ?", revision)
