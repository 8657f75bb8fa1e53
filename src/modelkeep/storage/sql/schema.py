"""Whether the tables are as this release needs them, and bringing them there if not."""

from pathlib import Path

from modelkeep.domain.errors import Unavailable
from modelkeep.storage.sql.dialects import Db, Dialect

HEAD = "0018"  # the newest step in migrations/versions; a test holds the two together


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


def ensure(dialect: Dialect, now_ms: int = 0) -> None:
    """Upgrades the tables to `HEAD` when they are behind; costs one query when they are not.

    `now_ms` is when a new database's first experiment was made. Raises Unavailable when the
    tables are from a later release than this one.
    """
    db = dialect.connect(read_only=False)
    try:
        found = current(db, dialect)
    finally:
        db.close()
    if found == HEAD:
        return
    if found > HEAD:
        raise Unavailable(
            f"The database is at schema {found}, newer than this release's {HEAD}. "
            "Start the newer release."
        )
    upgrade(dialect.migration_url, HEAD)
    if not found:
        _date(dialect, now_ms)


def _date(dialect: Dialect, now_ms: int) -> None:
    """The first experiment is as old as its database; another replica may have said so before."""
    db = dialect.connect(read_only=False)
    try:
        db.run(
            "UPDATE experiments SET created_ms = ?, updated_ms = ?"
            " WHERE project_id = 1 AND id = 0 AND created_ms = 0",
            now_ms,
            now_ms,
        )
    finally:
        db.close()


def upgrade(url: str, revision: str) -> None:
    """Runs the steps that lead to a revision."""
    # Alembic and what it stands on take half a second to import: only when there is work.
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import create_engine, pool

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    engine = create_engine(url, poolclass=pool.NullPool)
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            # Two replicas that start at once must not both migrate.
            connection.exec_driver_sql("SELECT pg_advisory_lock(7235420001)")
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        connection.commit()
    engine.dispose()
