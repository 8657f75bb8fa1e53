"""What belongs to a page of rows (tags, params, …), fetched in a few statements for all of them."""

from collections.abc import Iterator, Sequence

from modelkeep.storage.sql.dialects import Db, Row

CHUNK = 500  # owners in one IN list; well below what either database accepts


def rows_of(
    db: Db, select: str, project_id: int, owners: Sequence[int] | Sequence[str]
) -> Iterator[Row]:
    """The rows of `select`, which ends in `… WHERE project_id = ? AND <owner>`, of many owners."""
    for start in range(0, len(owners), CHUNK):
        among, params = db.among(owners[start : start + CHUNK])
        yield from db.all(f"{select} {among}", project_id, *params)


def pairs_of(
    db: Db, table: str, owner: str, project_id: int, owners: Sequence[int]
) -> dict[int, dict[str, str]]:
    """Owner -> {key: value}, in the order of the keys, from a table of keys and values."""
    select = f"SELECT {owner}, key, value FROM {table} WHERE project_id = ? AND {owner}"
    found: dict[int, dict[str, str]] = {}
    for row_owner, key, value in sorted(rows_of(db, select, project_id, owners)):
        found.setdefault(row_owner, {})[key] = value
    return found
